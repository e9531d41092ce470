"""What an operator can cause or fix: one tree of errors, one exit code per family.

Errors neither print nor exit; `runbook.cli.app` is the only boundary that does.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; the README gives the meaning of each."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    PLAN = 3
    CREDENTIAL = 4
    REMOTE = 5
    JOB = 6
    UNKNOWN = 7
    DIFFERENCES = 8
    LEDGER = 9
    INTERRUPTED = 130


PRECEDENCE: tuple[ExitCode, ...] = (
    ExitCode.CREDENTIAL,
    ExitCode.LEDGER,
    ExitCode.UNKNOWN,
    ExitCode.JOB,
    ExitCode.DIFFERENCES,
    ExitCode.REMOTE,
)


def foremost(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code to end with where several apply, `DONE` where none does."""
    present = set(codes)
    return next((code for code in PRECEDENCE if code in present), ExitCode.DONE)


class RunbookError(Exception):
    """Base of everything an operator can cause or fix.

    `hint` says what to do next; it is shown below the message.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(RunbookError):
    """The command was called in a way that cannot work."""

    exit_code = ExitCode.USAGE


class PlanError(RunbookError):
    """The plan cannot be read, may not run, or is not the one that was approved."""

    exit_code = ExitCode.PLAN


class CredentialError(RunbookError):
    """A credential is missing or was refused."""

    exit_code = ExitCode.CREDENTIAL


class RemoteError(RunbookError):
    """The remote side cannot be reached or answers in an undocumented way."""

    exit_code = ExitCode.REMOTE


class LedgerError(RunbookError):
    """The ledger is locked, damaged, altered, from another version, or not there."""

    exit_code = ExitCode.LEDGER

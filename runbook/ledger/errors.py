"""What SQLite says went wrong, as errors that an operator can act on."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from runbook.errors import LedgerError

_MAGIC = b"SQLite format 3\0"
_LOOKED_AT_BYTES = 4096


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise `LedgerError` for whatever SQLite raises about the ledger at `path`."""
    try:
        yield
    except sqlite3.Error as problem:
        text = str(problem)
        if "locked" in text or "busy" in text:
            raise LedgerError(
                f"the ledger `{path}` is locked by another program: {text}",
                hint="close the program that holds it (a database viewer, a sync client) and try again",
            ) from problem
        if "full" in text or "disk I/O" in text:
            raise LedgerError(
                f"the ledger `{path}` cannot be written: {text}",
                hint="free disk space, then run the same command again: it resumes",
            ) from problem
        if "readonly" in text or "unable to open" in text:
            raise LedgerError(
                f"the ledger `{path}` cannot be opened for this: {text}",
                hint="check the rights of the file and its folder, or name another `--ledger`",
            ) from problem
        start = _start(path)
        if start and not start.startswith(_MAGIC):
            doubt = (
                "; if this was it, its beginning is damaged: keep it and take the last good copy"
                if b"\0" in start
                else ""
            )
            raise LedgerError(
                f"`{path}` is no ledger of runbook: it is {'another kind of' if doubt else 'a text'} file",
                hint=f"name the right file with `--ledger FILE`; without it the ledger is `runbook.ledger` beside the plan, or in the working directory{doubt}",
            ) from problem
        raise LedgerError(
            f"the ledger `{path}` is damaged or no ledger: {text}",
            hint="keep the file as it is and take the last good copy",
        ) from problem


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT_BYTES)
    except OSError:
        return b""

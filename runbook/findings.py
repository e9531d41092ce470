"""Findings: complete statements about a plan, each with its location and a way to act."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """The weight of a finding; a plan with an error that is not waived may not run."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Waived:
    """Who accepted a finding, and why."""

    by: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement about a plan.

    `path` is a route into the plan such as `instances[2].migratedFrom`; `line` and `column` start at 1.
    `sites` is the pair of sites that it concerns, if any: waivers may name it.
    """

    code: str
    severity: Severity
    message: str
    hint: str = ""
    instance: str | None = None
    path: str = ""
    file: str = ""
    line: int = 1
    column: int = 1
    waived: Waived | None = None
    sites: tuple[str, str] | None = None

    def sentence(self) -> str:
        """Return the finding in one line: its location, code and message."""
        return f"{self.file}:{self.line}:{self.column}: {self.code}: {self.message}"

    def as_json(self) -> dict[str, Any]:
        """Return the finding as `check --format json` prints it."""
        value = asdict(self)
        del value["sites"]
        return value


def counts(findings: tuple[Finding, ...]) -> dict[str, int]:
    """Return how many findings there are of each severity; a waived one counts only as waived."""
    result = {"error": 0, "warning": 0, "note": 0, "waived": 0}
    for finding in findings:
        result["waived" if finding.waived else finding.severity.value] += 1
    return result


def open_errors(findings: tuple[Finding, ...]) -> list[Finding]:
    """Return the errors that nobody waived: while there is one, the plan may not run."""
    return [f for f in findings if f.severity is Severity.ERROR and f.waived is None]


def may_run(findings: tuple[Finding, ...]) -> bool:
    """Return whether no error is left that nobody waived."""
    return not open_errors(findings)

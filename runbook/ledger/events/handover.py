"""The events of the hand-over: approval, Atlassian's own logs."""

from dataclasses import dataclass
from typing import ClassVar

from runbook.ledger.events.kinds import Json, LogKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """A person approves exactly what `jobs_digest` covers; belongs to no run.

    `evidence` is `{path, sha256, bytes}` or null.
    """

    KIND: ClassVar[str] = "approval.given"
    plan_name: str
    digest: str
    jobs_digest: str
    by: str
    evidence: Json | None
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKept:
    """One of Atlassian's own logs, imported by hand or fetched from a URL template.

    `raw_base64` holds its bytes as they came; `columns` maps our role
    to their column name; `rows` are the parsed ones; `attribution` counts rows per job and says why
    the rest belongs to none.
    """

    KIND: ClassVar[str] = "log.kept"
    log: LogKind
    site: str
    source: str
    sha256: str
    raw_bytes: int
    raw_base64: str
    columns: dict[str, str]
    rows: int
    attribution: Json
    notes: list[str]


HANDOVER_EVENTS = (ApprovalGiven, LogKept)

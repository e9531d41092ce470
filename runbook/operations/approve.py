"""Bind a person, and evidence, to exactly what a plan will send."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runbook.errors import PlanError, UsageError
from runbook.jobs import jobs_digest, jobs_of
from runbook.ledger.approvals import approvals_for
from runbook.ledger.handover_events import ApprovalGiven
from runbook.operations.evidence import evidence_name, read_evidence
from runbook.operations.root import Root, read_plan_for
from runbook.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveOptions:
    """Who approves which plan, with which evidence."""

    plan: Path
    by: str
    evidence: Path | None
    ledger_file: Path | None
    operator: str | None
    output_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedApproval:
    """An approval as the ledger keeps it, and those of the same jobs before it, each with its time."""

    event: ApprovalGiven
    at: str
    jobs: int
    ledger: Path
    earlier: tuple[tuple[datetime, ApprovalGiven], ...]

    def as_json(self) -> dict[str, Any]:
        """Return the document that `approve --format json` prints."""
        event = self.event
        return {
            "format": 1,
            "plan": {
                "name": event.plan_name,
                "digest": event.digest,
                "jobs_digest": event.jobs_digest,
            },
            "jobs": self.jobs,
            "by": event.by,
            "at": self.at,
            "evidence": event.evidence,
        }


def approve_plan(root: Root, options: ApproveOptions) -> RecordedApproval:
    """Record a person's approval of the ordered list of requests (`jobs_digest`).

    Raises:
        UsageError: nobody is named, or the evidence is no file beside or below the plan.
        PlanError: the plan has structural errors, or sends nothing.
        LedgerError: the ledger cannot be written.
    """
    by = " ".join(printable(options.by).split())
    if not by:
        raise UsageError("`--by` is empty", hint="name the person who approves")
    plan = read_plan_for(options.plan)
    jobs = jobs_of(plan)
    if not jobs:
        raise PlanError(
            f"`{options.plan}` sends nothing, so there is nothing to approve",
            hint="add `instances`",
        )
    digest = jobs_digest(jobs)
    evidence = None
    if options.evidence is not None:
        shows = "the signed sheet or the mail that approves"
        name = evidence_name(options.plan, options.evidence, such_as=shows)
        evidence = read_evidence(options.plan, name)
    event = ApprovalGiven(
        plan_name=plan.name,
        digest=plan.digest,
        jobs_digest=digest,
        by=by,
        evidence=evidence,
        operator=root.operator(options.operator),
    )
    with root.create_ledger(root.ledger_path(options.ledger_file, options.plan)) as ledger:
        earlier = tuple(approvals_for(ledger.events(), digest))
        row = ledger.append(event)
        return RecordedApproval(
            event=event, at=row.at, jobs=len(jobs), ledger=ledger.path, earlier=earlier
        )

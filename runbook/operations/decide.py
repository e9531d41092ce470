"""What a person decides about a run from any terminal: the formal no-go, and unknown outcomes."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runbook.clock import to_the_second
from runbook.errors import PlanError, UsageError
from runbook.jobs import jobs_digest, jobs_of
from runbook.ledger.events import JobNotAttempted, JobResolved, StopRequested
from runbook.ledger.events.handover import ApprovalGiven
from runbook.ledger.events.kinds import Resolution
from runbook.operations.attest import evidence_name, read_evidence
from runbook.operations.find_run import find_run, runs_in
from runbook.operations.root import Root, read_plan_for
from runbook.text import printable
from runbook.view import (
    AT_ATLASSIAN,
    SENDABLE,
    JobState,
    JobView,
    RunState,
    accepts_resolution,
    approvals_for,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOptions:
    """Which run is stopped, and why."""

    run: str
    reason: str
    operator: str | None
    ledger_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedRun:
    """A run that was stopped now: the jobs that are not sent, and those that go on at Atlassian.

    `in_use` says that another process carries the run out, which will notice.
    """

    run: str
    unsent: int
    at_atlassian: int
    in_use: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveOptions:
    """What a person says of a job; exactly one of `uuid`, `accepted_no_id` and `send_again`."""

    run: str
    job: str
    uuid: str | None
    accepted_no_id: bool
    send_again: bool
    by: str | None
    note: str
    operator: str | None
    ledger_file: Path | None


def stop_run(root: Root, options: StopOptions) -> StoppedRun:
    """Record the formal no-go: nothing more is submitted.

    Raises:
        UsageError: the ledger has no such run, or it was stopped already.
        LedgerError: the ledger cannot be written.
    """
    by = root.operator(options.operator)
    with root.open_ledger(root.ledger_path(options.ledger_file), read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), options.run)
        if view.stop is not None:
            at, earlier = view.stop
            raise UsageError(
                f"run `{view.id}` was {earlier.sentence()} (at {to_the_second(at)}) already",
                hint="`runbook status` shows where it stands",
            )
        no_go = StopRequested(reason=options.reason.strip(), by=by)
        ledger.append(no_go, run=view.id)
        in_use = view.state is RunState.RUNNING
        unsent = [
            job for job in view.jobs if job.state in SENDABLE and job.state is not JobState.REFUSED
        ]
        if not in_use:
            # No process carries the run out, so none will write it for each job.
            for job in unsent:
                held = JobNotAttempted(why="stopped", detail=no_go.sentence())
                ledger.append(held, run=view.id, job=job.id)
    return StoppedRun(
        run=view.id,
        unsent=len(unsent),
        at_atlassian=sum(job.state in AT_ATLASSIAN for job in view.jobs),
        in_use=in_use,
    )


def resolve_job(root: Root, options: ResolveOptions) -> JobResolved:
    """Record what a person says of an outcome that cannot be known; the next `run` acts on it.

    Raises:
        UsageError: not exactly one thing is said, the id is none, the job is unknown, or nothing
            has to be decided about it.
        LedgerError: the ledger cannot be written.
    """
    uuid = options.uuid
    if sum((uuid is not None, options.accepted_no_id, options.send_again)) != 1:
        raise UsageError(
            "say exactly one of `--accepted UUID`, `--accepted-no-id` and `--send-again`",
            hint="`--send-again` is recommended: Atlassian leaves out links that are updated already, but may repeat a backup",
        )
    if uuid is not None and (
        not uuid.strip() or any(c.isspace() or c == "/" for c in uuid.strip())
    ):
        raise UsageError(
            f"`--accepted {uuid!r}` is no job id", hint="it is the `uuid` of Atlassian's answer"
        )
    resolution: Resolution = (
        "accepted" if uuid else "send_again" if options.send_again else "accepted_no_id"
    )
    event = JobResolved(
        resolution=resolution,
        uuid=uuid.strip() if uuid is not None else None,
        by=options.by or root.operator(options.operator),
        note=options.note.strip(),
    )
    with root.open_ledger(root.ledger_path(options.ledger_file), read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), options.run)
        job = view.job(options.job)
        if job is None:
            raise UsageError(
                f"run `{view.id}` has no job `{options.job}`",
                hint=f"its jobs: {', '.join(job.id for job in view.jobs)}",
            )
        _refuse_pointless(job, resolution)
        ledger.append(event, run=view.id, job=job.id)
    return event


def _refuse_pointless(job: JobView, resolution: str) -> None:
    if job.state in SENDABLE and resolution == "send_again":
        raise UsageError(
            f"`{job.id}` is {job.state.value.replace('_', ' ')}: the next `run` sends it anyway",
            hint="`resolve` is for unknown outcomes and for jobs that were sent elsewhere",
        )
    if not accepts_resolution(job, resolution):
        raise UsageError(
            f"the outcome of `{job.id}` is known: {job.state.value.replace('_', ' ')}",
            hint='to send it once more: `runbook run PLAN --again ID --reason "…"`',
        )


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

"""A ledger's events, folded into runs.

In: the recorded events of a ledger, in order, and which run a process leads now. Out: values.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runbook.ledger.codec import Recorded
from runbook.ledger.events import (
    AccountProbed,
    PlanAmended,
    RoundOpened,
    RunEnded,
    RunResumed,
    RunStarted,
    SiteIdentified,
    StopRequested,
    SubmitIntended,
)
from runbook.ledger.events.handover import ApprovalGiven, LogKept
from runbook.ledger.events.links import (
    LinksEnded,
    LinksListed,
    VerifyEnded,
    VerifyFound,
    VerifyStarted,
    WriteEnded,
    WriteIntended,
)
from runbook.view.job import after_event, job_views, reopened, without_answer
from runbook.view.model import JobView, Json, RunState, RunView, Verification, Write, settled_state


@dataclass(slots=True, kw_only=True)
class _Fold:
    """The growing knowledge of one run; private to this module."""

    id: str
    started: RunStarted
    started_at: datetime
    jobs: dict[str, JobView]
    last: Recorded
    verification: str = "none"
    stop: tuple[datetime, StopRequested] | None = None
    ended: RunEnded | None = None
    ended_at: datetime | None = None
    resumed: list[tuple[datetime, RunResumed]] = field(default_factory=list)
    amended: list[tuple[datetime, PlanAmended]] = field(default_factory=list)
    rounds: list[tuple[datetime, RoundOpened]] = field(default_factory=list)
    identified: list[tuple[datetime, SiteIdentified]] = field(default_factory=list)
    probed: list[tuple[datetime, AccountProbed]] = field(default_factory=list)
    listings: list[tuple[datetime, LinksListed]] = field(default_factory=list)
    listings_ended: list[tuple[datetime, LinksEnded]] = field(default_factory=list)
    logs: list[tuple[datetime, LogKept]] = field(default_factory=list)
    verifications: dict[str, Verification] = field(default_factory=dict)
    found: dict[str, list[Json]] = field(default_factory=dict)
    writes: dict[str, Write] = field(default_factory=dict)

    @property
    def latest(self) -> RunStarted | PlanAmended:
        """The last event that holds the plan."""
        return self.amended[-1][1] if self.amended else self.started

    def site_ids(self) -> dict[str, str]:
        """Return every site's id, those looked up last first."""
        site_ids = dict(self.started.site_ids)
        for _, resumed in self.resumed:
            site_ids.update(resumed.site_ids)
        return site_ids


def runs_of(events: Iterable[Recorded], *, leased_run: str | None = None) -> tuple[RunView, ...]:
    """Return every run of a ledger, oldest first.

    `leased_run` is the id of the run that a living process leads now; any other run that has no end was
    interrupted, and its requests without an answer are unknown.
    """
    folds: dict[str, _Fold] = {}
    approvals: list[tuple[datetime, ApprovalGiven]] = []
    for recorded in events:
        event = recorded.event
        if isinstance(event, ApprovalGiven):
            approvals.append((recorded.at, event))
        if recorded.run is None or event is None:
            continue
        if isinstance(event, RunStarted):
            folds[recorded.run] = _Fold(
                id=recorded.run,
                started=event,
                started_at=recorded.at,
                jobs=job_views(event.jobs, event.site_ids),
                last=recorded,
            )
        fold = folds.get(recorded.run)
        if fold is not None:
            fold.last = recorded
            _apply(fold, recorded)
    return tuple(
        _view(fold, alive=fold.id == leased_run, approvals=approvals) for fold in folds.values()
    )


def run_of(
    events: Iterable[Recorded], run: str, *, leased_run: str | None = None
) -> RunView | None:
    """Return one run, None where the ledger has none of that id."""
    return next((view for view in runs_of(events, leased_run=leased_run) if view.id == run), None)


def approvals_for(
    events: Iterable[Recorded], jobs_digest: str
) -> tuple[tuple[datetime, ApprovalGiven], ...]:
    """Return the approvals of exactly this list of jobs, oldest first, each with its moment."""
    return tuple(
        (seen.at, seen.event)
        for seen in events
        if isinstance(seen.event, ApprovalGiven) and seen.event.jobs_digest == jobs_digest
    )


def _apply(fold: _Fold, recorded: Recorded) -> None:
    event, at, job_id = recorded.event, recorded.at, recorded.job
    if job_id is not None and job_id in fold.jobs:
        fold.jobs[job_id] = after_event(fold.jobs[job_id], event, at)
        if isinstance(event, SubmitIntended):
            fold.verification, fold.ended, fold.ended_at = "none", None, None
        return
    match event:
        case RunResumed():
            fold.resumed.append((at, event))
            fold.ended, fold.ended_at = None, None
            for job_id, job in fold.jobs.items():
                fold.jobs[job_id] = dataclasses.replace(
                    without_answer(job, at), site_id=event.site_ids.get(job.job.site, job.site_id)
                )
        case PlanAmended():
            fold.amended.append((at, event))
            _amend(fold, event)
        case RoundOpened():
            fold.rounds.append((at, event))
            fold.stop, fold.ended, fold.ended_at = None, None, None
            for job_id in event.jobs:
                if job_id in fold.jobs:
                    fold.jobs[job_id] = reopened(fold.jobs[job_id], at, event)
        case SiteIdentified():
            fold.identified.append((at, event))
        case AccountProbed():
            fold.probed.append((at, event))
        case StopRequested():
            fold.stop = (at, event)
        case RunEnded():
            fold.ended, fold.ended_at = event, at
            for job_id, job in fold.jobs.items():
                fold.jobs[job_id] = without_answer(job, at)
        case LogKept():
            fold.logs.append((at, event))
        case _:
            _apply_links(fold, at, event)


def _apply_links(fold: _Fold, at: datetime, event: Any) -> None:
    match event:
        case VerifyStarted():
            fold.verifications[event.verification] = Verification(at=at, started=event)
        case VerifyFound():
            fold.found.setdefault(event.verification, []).extend(event.findings)
        case VerifyEnded():
            before = fold.verifications.get(event.verification)
            if before is not None:
                fold.verifications[event.verification] = dataclasses.replace(
                    before, ended_at=at, ended=event
                )
                fold.verification = event.result
        case WriteIntended():
            fold.writes[event.write] = Write(at=at, intended=event)
            if event.purpose == "rollback" or fold.verification == "clean":
                fold.verification = "none"
        case WriteEnded():
            if event.write in fold.writes:
                fold.writes[event.write] = dataclasses.replace(
                    fold.writes[event.write], ended_at=at, ended=event
                )
        case LinksListed():
            fold.listings.append((at, event))
        case LinksEnded():
            fold.listings_ended.append((at, event))
        case _:
            pass


def _amend(fold: _Fold, event: PlanAmended) -> None:
    renewed = job_views(event.jobs, fold.site_ids())
    fold.jobs = {
        job_id: dataclasses.replace(
            fold.jobs[job_id], job=new.job, windows=new.windows, probe_links=new.probe_links
        )
        if job_id in fold.jobs
        else new
        for job_id, new in renewed.items()
    } | {
        # What was sent happened: a plan without the job cannot take that back.
        job_id: job
        for job_id, job in fold.jobs.items()
        if job_id not in renewed and (job.sent or job.resolutions)
    }


def _view(fold: _Fold, *, alive: bool, approvals: list[tuple[datetime, ApprovalGiven]]) -> RunView:
    latest, last = fold.latest, fold.last
    jobs = tuple(job if alive else without_answer(job, last.at) for job in fold.jobs.values())
    return RunView(
        id=fold.id,
        started=fold.started,
        started_at=fold.started_at,
        state=RunState.RUNNING if alive else settled_state(jobs, stopped=fold.stop is not None),
        verification=fold.verification,
        jobs=jobs,
        digest=latest.digest,
        jobs_digest=latest.jobs_digest,
        plan_text=latest.plan_text,
        findings=tuple(fold.resumed[-1][1].findings if fold.resumed else latest.findings),
        evidence=tuple(latest.evidence),
        site_ids=fold.site_ids(),
        operator=fold.started.operator,
        ended_at=None if alive else fold.ended_at,
        ended=None if alive else fold.ended,
        stop=fold.stop,
        resumed=tuple(fold.resumed),
        amended=tuple(fold.amended),
        rounds=tuple(fold.rounds),
        identified=tuple(fold.identified),
        probed=tuple(fold.probed),
        verifications=tuple(
            dataclasses.replace(verification, findings=tuple(fold.found.get(name, ())))
            for name, verification in fold.verifications.items()
        ),
        writes=tuple(fold.writes.values()),
        listings=tuple(fold.listings),
        listings_ended=tuple(fold.listings_ended),
        logs=tuple(fold.logs),
        approvals=tuple(
            (at, approval)
            for at, approval in approvals
            if approval.jobs_digest == latest.jobs_digest
        ),
        earlier_runs=tuple(fold.started.earlier_runs),
        last_at=last.at,
        last_seq=last.seq,
        last_hash=last.hash,
    )

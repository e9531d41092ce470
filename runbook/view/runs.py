"""A ledger's events, folded into runs.

In: the recorded events of a ledger, in order, and which run a process leads now. Out: values.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runbook.ledger.codec import Recorded, moment_of
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
from runbook.ledger.handover_events import ApprovalGiven, LogKept
from runbook.ledger.link_events import (
    LinksEnded,
    LinksListed,
    VerifyEnded,
    VerifyFound,
    VerifyStarted,
    WriteEnded,
    WriteIntended,
)
from runbook.view.job import after_event, job_views, reopened, without_answer
from runbook.view.model import (
    JobView,
    Json,
    RunState,
    RunView,
    Verification,
    Write,
    settled_state,
)


@dataclass(slots=True, kw_only=True)
class _Fold:
    """The growing knowledge of one run; private to this module.

    Mutable on purpose: a run may have a hundred thousand events, and a new value after each of them
    would copy its lists as often.
    """

    id: str
    started: RunStarted
    started_at: datetime
    jobs: dict[str, JobView]
    site_ids: dict[str, str]
    last: Recorded
    last_at: datetime
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

    def reopen(self) -> None:
        """Forget that the run ended: it goes on."""
        self.ended, self.ended_at = None, None


def runs_of(events: Iterable[Recorded], *, led: str | None = None) -> tuple[RunView, ...]:
    """Return every run of a ledger, oldest first.

    `led` is the id of the run that a living process leads now; any other run that has no end was
    interrupted, and its requests without an answer are unknown.

    Raises:
        LedgerError: a row has no moment that can be read.
    """
    folds: dict[str, _Fold] = {}
    approvals: list[tuple[datetime, ApprovalGiven]] = []
    for seen in events:
        event = seen.event
        if isinstance(event, ApprovalGiven):
            approvals.append((moment_of(seen.at), event))
        if seen.run is None or event is None:
            continue
        at = moment_of(seen.at)
        if isinstance(event, RunStarted):
            folds[seen.run] = _Fold(
                id=seen.run,
                started=event,
                started_at=at,
                jobs=job_views(event.jobs, event.site_ids),
                site_ids=dict(event.site_ids),
                last=seen,
                last_at=at,
            )
        fold = folds.get(seen.run)
        if fold is not None:
            fold.last, fold.last_at = seen, at
            _apply(fold, seen.job, event, at)
    return tuple(_view(fold, alive=fold.id == led, approvals=approvals) for fold in folds.values())


def run_of(events: Iterable[Recorded], run: str, *, led: str | None = None) -> RunView | None:
    """Return one run, None where the ledger has none of that id."""
    return next((view for view in runs_of(events, led=led) if view.id == run), None)


def _apply(fold: _Fold, job_id: str | None, event: Any, at: datetime) -> None:
    if job_id is not None and job_id in fold.jobs:
        fold.jobs[job_id] = after_event(fold.jobs[job_id], event, at)
        if isinstance(event, SubmitIntended):
            fold.verification = "none"
            fold.reopen()
        return
    match event:
        case RunResumed():
            fold.resumed.append((at, event))
            fold.site_ids |= event.site_ids
            fold.reopen()
            for known, job in fold.jobs.items():
                fold.jobs[known] = dataclasses.replace(
                    without_answer(job, at), site_id=event.site_ids.get(job.job.site, job.site_id)
                )
        case PlanAmended():
            fold.amended.append((at, event))
            _amend(fold, event)
        case RoundOpened():
            fold.rounds.append((at, event))
            fold.stop = None
            fold.reopen()
            for known in event.jobs:
                if known in fold.jobs:
                    fold.jobs[known] = reopened(fold.jobs[known], at, event)
        case SiteIdentified():
            fold.identified.append((at, event))
        case AccountProbed():
            fold.probed.append((at, event))
        case StopRequested():
            fold.stop = (at, event)
        case RunEnded():
            fold.ended, fold.ended_at = event, at
            for known, job in fold.jobs.items():
                fold.jobs[known] = without_answer(job, at)
        case LogKept():
            fold.logs.append((at, event))
        case _:
            _apply_links(fold, event, at)


def _apply_links(fold: _Fold, event: Any, at: datetime) -> None:
    match event:
        case VerifyStarted():
            fold.verifications[event.verification] = Verification(at=at, started=event)
        case VerifyFound():
            fold.found.setdefault(event.verification, []).extend(event.findings)
        case VerifyEnded():
            begun = fold.verifications.get(event.verification)
            if begun is not None:
                fold.verifications[event.verification] = dataclasses.replace(
                    begun, ended_at=at, ended=event
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
            # `LinksArrived` is for `rollback`, which reads it by itself: it may be a million links.
            pass


def _amend(fold: _Fold, event: PlanAmended) -> None:
    renewed = job_views(event.jobs, fold.site_ids)
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
    started = fold.started
    jobs = tuple(job if alive else without_answer(job, fold.last_at) for job in fold.jobs.values())
    latest = fold.amended[-1][1] if fold.amended else started
    findings = fold.resumed[-1][1].findings if fold.resumed else latest.findings
    return RunView(
        id=fold.id,
        started=started,
        started_at=fold.started_at,
        state=RunState.RUNNING if alive else settled_state(jobs, stopped=fold.stop is not None),
        verification=fold.verification,
        jobs=jobs,
        digest=latest.digest,
        jobs_digest=latest.jobs_digest,
        plan_text=latest.plan_text,
        findings=tuple(findings),
        evidence=tuple(latest.evidence),
        site_ids=fold.site_ids,
        operator=started.operator,
        last_at=fold.last_at,
        ended_at=None if alive else fold.ended_at,
        ended=None if alive else fold.ended,
        stop=fold.stop,
        resumed=tuple(fold.resumed),
        amended=tuple(fold.amended),
        rounds=tuple(fold.rounds),
        identified=tuple(fold.identified),
        probed=tuple(fold.probed),
        verifications=tuple(
            dataclasses.replace(verification, findings=tuple(fold.found.get(key, ())))
            for key, verification in fold.verifications.items()
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
        earlier_runs=tuple(started.earlier_runs),
        last_seq=fold.last.seq,
        last_hash=fold.last.hash,
    )

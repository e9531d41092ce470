"""A ledger's events, folded into runs.

In: the recorded events of a ledger, in order, and which run a process leads now. Out: values.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _Fold:
    """The growing knowledge of one run; private to this module."""

    id: str
    started: RunStarted
    started_at: str
    jobs: dict[str, JobView] = field(default_factory=dict)
    now: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)
    verifications: dict[str, Verification] = field(default_factory=dict)
    found: dict[str, list[Json]] = field(default_factory=dict)
    writes: dict[str, Write] = field(default_factory=dict)
    verification: str = "none"
    stop: tuple[str, StopRequested] | None = None
    ended: RunEnded | None = None
    ended_at: str | None = None

    def listed(self, name: str, value: Any) -> None:
        self.lists.setdefault(name, []).append(value)


def runs_of(events: Iterable[Recorded], *, led: str | None = None) -> tuple[RunView, ...]:
    """Return every run of a ledger, oldest first.

    `led` is the id of the run that a living process leads now; any other run that has no end was
    interrupted, and its requests without an answer are unknown.
    """
    folds: dict[str, _Fold] = {}
    approvals: list[tuple[str, ApprovalGiven]] = []
    seen: Recorded | None = None
    for seen in events:
        event = seen.event
        if isinstance(event, ApprovalGiven):
            approvals.append((seen.at, event))
        if seen.run is None or event is None:
            continue
        if isinstance(event, RunStarted):
            folds[seen.run] = _begin(seen.run, seen.at, event)
        fold = folds.get(seen.run)
        if fold is not None:
            fold.now = {"last_at": seen.at, "last_seq": seen.seq, "last_hash": seen.hash}
            _apply(fold, seen)
    return tuple(_view(fold, alive=fold.id == led, approvals=approvals) for fold in folds.values())


def run_of(events: Iterable[Recorded], run: str, *, led: str | None = None) -> RunView | None:
    """Return one run, None where the ledger has none of that id."""
    return next((view for view in runs_of(events, led=led) if view.id == run), None)


def _begin(run: str, at: str, event: RunStarted) -> _Fold:
    return _Fold(id=run, started=event, started_at=at, jobs=job_views(event.jobs, event.site_ids))


def _apply(fold: _Fold, seen: Recorded) -> None:
    event, at = seen.event, seen.at
    if seen.job is not None and seen.job in fold.jobs:
        fold.jobs[seen.job] = after_event(fold.jobs[seen.job], event, at)
        if isinstance(event, SubmitIntended):
            fold.verification, fold.ended, fold.ended_at = "none", None, None
        return
    match event:
        case RunResumed():
            fold.listed("resumed", (at, event))
            fold.ended, fold.ended_at = None, None
            for job_id, job in fold.jobs.items():
                fold.jobs[job_id] = dataclasses.replace(
                    without_answer(job, at), site_id=event.site_ids.get(job.job.site, job.site_id)
                )
        case PlanAmended():
            fold.listed("amended", (at, event))
            _amend(fold, event)
        case RoundOpened():
            fold.listed("rounds", (at, event))
            fold.stop, fold.ended, fold.ended_at = None, None, None
            for job_id in event.jobs:
                if job_id in fold.jobs:
                    fold.jobs[job_id] = reopened(fold.jobs[job_id], at, event)
        case SiteIdentified():
            fold.listed("identified", (at, event))
        case AccountProbed():
            fold.listed("probed", (at, event))
        case StopRequested():
            fold.stop = (at, event)
        case RunEnded():
            fold.ended, fold.ended_at = event, at
            for job_id, job in fold.jobs.items():
                fold.jobs[job_id] = without_answer(job, at)
        case LogKept():
            fold.listed("logs", (at, event))
        case _:
            _apply_links(fold, at, event)


def _apply_links(fold: _Fold, at: str, event: Any) -> None:
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
            fold.listed("listings", (at, event))
        case LinksEnded():
            fold.listed("listings_ended", (at, event))
        case _:
            pass


def _site_ids(fold: _Fold) -> dict[str, str]:
    site_ids = dict(fold.started.site_ids)
    for _, resume in fold.lists.get("resumed", ()):
        site_ids.update(resume.site_ids)
    return site_ids


def _amend(fold: _Fold, event: PlanAmended) -> None:
    renewed = job_views(event.jobs, _site_ids(fold))
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


def _view(fold: _Fold, *, alive: bool, approvals: list[tuple[str, ApprovalGiven]]) -> RunView:
    started = fold.started
    last_at = fold.now.get("last_at", fold.started_at)
    jobs = tuple(job if alive else without_answer(job, last_at) for job in fold.jobs.values())
    amended = fold.lists.get("amended", [])
    latest = amended[-1][1] if amended else started
    resumed = fold.lists.get("resumed", [])
    findings = resumed[-1][1].findings if resumed else latest.findings
    state = RunState.RUNNING if alive else settled_state(jobs, stopped=fold.stop is not None)
    return RunView(
        id=fold.id,
        started=started,
        started_at=fold.started_at,
        state=state,
        verification=fold.verification,
        jobs=jobs,
        digest=latest.digest,
        jobs_digest=latest.jobs_digest,
        plan_text=latest.plan_text,
        findings=tuple(findings),
        evidence=tuple(latest.evidence),
        site_ids=_site_ids(fold),
        operator=started.operator,
        ended_at=None if alive else fold.ended_at,
        ended=None if alive else fold.ended,
        stop=fold.stop,
        resumed=tuple(resumed),
        amended=tuple(amended),
        rounds=tuple(fold.lists.get("rounds", ())),
        identified=tuple(fold.lists.get("identified", ())),
        probed=tuple(fold.lists.get("probed", ())),
        verifications=tuple(
            dataclasses.replace(one, findings=tuple(fold.found.get(key, ())))
            for key, one in fold.verifications.items()
        ),
        writes=tuple(fold.writes.values()),
        listings=tuple(fold.lists.get("listings", ())),
        listings_ended=tuple(fold.lists.get("listings_ended", ())),
        logs=tuple(fold.lists.get("logs", ())),
        approvals=tuple(
            (at, one) for at, one in approvals if one.jobs_digest == latest.jobs_digest
        ),
        earlier_runs=tuple(started.earlier_runs),
        last_at=last_at,
        last_seq=fold.now.get("last_seq", 0),
        last_hash=fold.now.get("last_hash", ""),
    )

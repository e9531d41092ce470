"""Events -> what is known of each run: the one fold that resume, status and report share.

In: the recorded events of a ledger, in order, and whether a process leads the run now. Out: values.
No table holds a status, so the screen, the report and a resumed run cannot disagree.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runbook.jobs import CmaJob, job_from_json
from runbook.ledger.codec import Recorded
from runbook.ledger.events import (
    AccountProbed,
    JobNotAttempted,
    JobPolled,
    JobResolved,
    JobStalled,
    PlanAmended,
    ProbeRead,
    RoundOpened,
    RunEnded,
    RunResumed,
    RunStarted,
    SiteIdentified,
    StopRequested,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
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

Json = dict[str, Any]


class JobState(StrEnum):
    """What is known of a job."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    PENDING = "pending"
    BACKUP = "backup"
    IN_PROGRESS = "in_progress"
    RETRY = "retry"
    COMPLETE = "complete"
    ERROR = "error"
    REFUSED = "refused"
    NOT_ATTEMPTED = "not_attempted"


AT_ATLASSIAN = frozenset({JobState.PENDING, JobState.BACKUP, JobState.IN_PROGRESS, JobState.RETRY})
SENDABLE = frozenset({JobState.PLANNED, JobState.REFUSED, JobState.NOT_ATTEMPTED})


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    NEEDS_PERSON = "needs_person"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One attempt to send a job.

    `outcome` is `accepted`, `refused`, `rate_limited`, `not_sent`, `unknown` or, while it is under
    way, `open`.
    """

    number: int
    at: str
    request: Json
    outcome: str = "open"
    answered_at: str | None = None
    uuid: str | None = None
    detail: str = ""
    trace_id: str | None = None
    causes: tuple[str, ...] = ()
    exchange: Json | None = None
    by_word: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One look at a job's status that said something new."""

    at: str
    state: str | None
    word: str | None
    warning: str | None
    exchange: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """Everything known of one job.

    `why` is set for jobs that were not attempted; `spoken` says that a person has settled an
    outcome that cannot be known; `polls` are those that changed something, `poll_count` counts all.
    """

    job: CmaJob
    windows: tuple[Json, ...] = ()
    site_id: str | None = None
    state: JobState = JobState.PLANNED
    why: str | None = None
    detail: str = ""
    uuid: str | None = None
    submitted_at: str | None = None
    ended_at: str | None = None
    submissions: int = 0
    last_status: str | None = None
    stalled_since: str | None = None
    spoken: bool = False
    transitions: tuple[tuple[str, str], ...] = ()
    sent: tuple[Submission, ...] = ()
    polls: tuple[Poll, ...] = ()
    poll_count: int = 0
    last_polled_at: str | None = None
    probes: tuple[tuple[str, ProbeRead], ...] = ()
    resolutions: tuple[tuple[str, JobResolved], ...] = ()
    rounds: tuple[tuple[str, RoundOpened], ...] = ()

    @property
    def id(self) -> str:
        """Return the instance id."""
        return self.job.id

    def probe_results(self) -> dict[tuple[str, str], str]:
        """Return the last word on each probed link since the last submission, by issue and target."""
        since = self.submitted_at or ""
        return {
            (probe.issue, probe.target): probe.result
            for at, probe in self.probes
            if probe.phase == "after" and at >= since
        }

    def needs_person(self) -> bool:
        """Return whether only a person can say how this job goes on."""
        if self.spoken:
            return False
        return self.state is JobState.UNKNOWN or (
            self.state is JobState.COMPLETE and "not_arrived" in self.probe_results().values()
        )

    def as_json(self) -> Json:
        """Return the job as `status --format json` prints it."""
        return {
            "id": self.id,
            "state": self.state.value,
            "uuid": self.uuid,
            "site": self.job.site,
            "siteId": self.site_id,
            "submitted_at": self.submitted_at,
            "ended_at": self.ended_at,
            "submissions": self.submissions,
            "last_status": self.last_status,
            "stalled_since": self.stalled_since,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One comparison of what arrived with what was expected; `ended` is None while it is under way."""

    at: str
    started: VerifyStarted
    ended_at: str | None = None
    ended: VerifyEnded | None = None
    findings: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One intended change of a remote link and what became of it (None: cannot be known)."""

    at: str
    intended: WriteIntended
    ended_at: str | None = None
    ended: WriteEnded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """Everything known of one run."""

    id: str
    started: RunStarted
    started_at: str
    state: RunState
    verification: str
    jobs: tuple[JobView, ...]
    digest: str
    jobs_digest: str
    plan_text: str
    findings: tuple[Json, ...]
    evidence: tuple[Json, ...]
    site_ids: dict[str, str]
    operator: str
    ended_at: str | None = None
    ended: RunEnded | None = None
    stop: tuple[str, StopRequested] | None = None
    resumed: tuple[tuple[str, RunResumed], ...] = ()
    amended: tuple[tuple[str, PlanAmended], ...] = ()
    rounds: tuple[tuple[str, RoundOpened], ...] = ()
    identified: tuple[tuple[str, SiteIdentified], ...] = ()
    probed: tuple[tuple[str, AccountProbed], ...] = ()
    verifications: tuple[Verification, ...] = ()
    writes: tuple[Write, ...] = ()
    listings: tuple[tuple[str, LinksListed], ...] = ()
    listings_ended: tuple[tuple[str, LinksEnded], ...] = ()
    logs: tuple[tuple[str, LogKept], ...] = ()
    approvals: tuple[tuple[str, ApprovalGiven], ...] = ()
    earlier_runs: tuple[str, ...] = ()
    last_at: str = ""
    last_seq: int = 0
    last_hash: str = ""

    def job(self, job_id: str) -> JobView | None:
        """Return one job, None where the run has none of that id."""
        return next((job for job in self.jobs if job.id == job_id), None)

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state; every state is listed and they add up."""
        return count_states(self.jobs)

    def as_json(self) -> Json:
        """Return the run as `status --format json` prints it."""
        return {
            "format": 1,
            "run": {
                "id": self.id,
                "plan": self.started.plan_name,
                "digest": self.digest,
                "jobs_digest": self.jobs_digest,
                "state": self.state.value,
                "verification": self.verification,
                "started_at": self.started_at,
                "ended_at": self.ended_at,
                "operator": self.operator,
            },
            "counts": self.counts(),
            "jobs": [job.as_json() for job in self.jobs],
        }


def count_states(jobs: Iterable[JobView]) -> dict[str, int]:
    """Return how many jobs are in each state, in the states' own order."""
    result = {state.value: 0 for state in JobState}
    for job in jobs:
        result[job.state.value] += 1
    return result


def settled_state(jobs: Iterable[JobView], *, stopped: bool) -> RunState:
    """Return the state of a run that no process leads."""
    jobs = tuple(jobs)
    if any(job.needs_person() for job in jobs):
        return RunState.NEEDS_PERSON
    if stopped:
        return RunState.STOPPED
    if any(job.state in AT_ATLASSIAN or job.state is JobState.SUBMITTING for job in jobs):
        return RunState.INTERRUPTED
    planned = [job for job in jobs if job.state is JobState.PLANNED]
    if any(job.why != "not_selected" for job in planned):
        return RunState.INTERRUPTED
    if any(job.state in (JobState.ERROR, JobState.REFUSED, JobState.NOT_ATTEMPTED) for job in jobs):
        return RunState.FAILED
    return RunState.STOPPED if planned else RunState.COMPLETE


UNANSWERED = "the request may have left before runbook ended; no answer is on disk"


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


def job_views(jobs: Iterable[Json], site_ids: dict[str, str]) -> dict[str, JobView]:
    """Return every job as planned, from the JSON that `run.started` keeps."""
    result = {}
    for value in jobs:
        job = job_from_json(value)
        result[job.id] = JobView(
            job=job,
            windows=tuple(value.get("windows", ())),
            site_id=site_ids.get(job.site),
            transitions=(),
        )
    return result


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
                    _without_answer(job, at), site_id=event.site_ids.get(job.job.site, job.site_id)
                )
        case PlanAmended():
            fold.listed("amended", (at, event))
            _amend(fold, event)
        case RoundOpened():
            fold.listed("rounds", (at, event))
            fold.stop, fold.ended, fold.ended_at = None, None, None
            for job_id in event.jobs:
                if job_id in fold.jobs:
                    fold.jobs[job_id] = _reopened(fold.jobs[job_id], at, event)
        case SiteIdentified():
            fold.listed("identified", (at, event))
        case AccountProbed():
            fold.listed("probed", (at, event))
        case StopRequested():
            fold.stop = (at, event)
        case RunEnded():
            fold.ended, fold.ended_at = event, at
            for job_id, job in fold.jobs.items():
                fold.jobs[job_id] = _without_answer(job, at)
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


def after_event(job: JobView, event: Any, at: str) -> JobView:
    """Return what is known of one job after one more event of its own."""
    after = _known_after(job, event, at)
    if after.state is job.state:
        return after
    return dataclasses.replace(after, transitions=(*after.transitions, (at, after.state.value)))


def _known_after(job: JobView, event: Any, at: str) -> JobView:
    match event:
        case SubmitIntended():
            return dataclasses.replace(
                job,
                state=JobState.SUBMITTING,
                why=None,
                detail="",
                uuid=None,
                ended_at=None,
                spoken=False,
                stalled_since=None,
                sent=(
                    *job.sent,
                    Submission(
                        number=event.number, at=at, request=event.request, by_word=event.by_word
                    ),
                ),
            )
        case SubmitAnswered() | SubmitLost() | SubmitNotSent():
            return _after_submission(job, event, at)
        case JobPolled():
            return _after_poll(job, event, at)
        case JobStalled():
            return dataclasses.replace(job, stalled_since=event.since, detail=event.advice)
        case JobNotAttempted():
            state = JobState.PLANNED if event.why == "not_selected" else JobState.NOT_ATTEMPTED
            return dataclasses.replace(job, state=state, why=event.why, detail=event.detail)
        case JobResolved():
            return _after_word(job, event, at)
        case ProbeRead():
            return dataclasses.replace(job, probes=(*job.probes, (at, event)))
        case _:
            return job


def _after_submission(
    job: JobView, event: SubmitAnswered | SubmitLost | SubmitNotSent, at: str
) -> JobView:
    if not job.sent:
        return job
    last = job.sent[-1]
    match event:
        case SubmitNotSent():
            closed = dataclasses.replace(
                last, outcome="not_sent", answered_at=at, detail=event.reason
            )
            return dataclasses.replace(
                job, state=JobState.PLANNED, detail=event.reason, sent=(*job.sent[:-1], closed)
            )
        case SubmitLost():
            closed = dataclasses.replace(
                last, outcome="unknown", answered_at=at, detail=event.reason
            )
            return dataclasses.replace(
                job,
                state=JobState.UNKNOWN,
                detail=event.reason,
                submitted_at=last.at,
                submissions=job.submissions + (last.outcome == "open"),
                sent=(*job.sent[:-1], closed),
            )
        case SubmitAnswered():
            closed = dataclasses.replace(
                last,
                outcome=event.meaning,
                answered_at=at,
                uuid=event.uuid,
                detail=event.detail,
                trace_id=event.trace_id,
                causes=tuple(event.causes),
                exchange=event.exchange,
            )
            state = {
                "accepted": JobState.PENDING,
                "refused": JobState.REFUSED,
                "rate_limited": JobState.PLANNED,
            }.get(event.meaning, JobState.UNKNOWN)
            # A late answer to what was taken as lost is no second submission.
            counted = event.meaning != "rate_limited" and last.outcome == "open"
            return dataclasses.replace(
                job,
                state=state,
                uuid=event.uuid,
                detail=event.detail,
                submitted_at=job.submitted_at if event.meaning == "rate_limited" else last.at,
                ended_at=at if state is JobState.REFUSED else None,
                submissions=job.submissions + counted,
                sent=(*job.sent[:-1], closed),
            )


def _after_poll(job: JobView, event: JobPolled, at: str) -> JobView:
    state = job.state
    if event.state is not None and job.state in AT_ATLASSIAN:
        state = JobState(event.state)
    changed = state is not job.state or event.word != job.last_status or event.warning is not None
    ended = state in (JobState.COMPLETE, JobState.ERROR)
    detail = job.detail
    if changed:
        detail = event.warning or ("" if state is not JobState.ERROR else _error_detail(event))
    return dataclasses.replace(
        job,
        state=state,
        last_status=event.word if event.word is not None else job.last_status,
        detail=detail,
        ended_at=at if ended and job.ended_at is None else job.ended_at,
        stalled_since=None if state is not job.state else job.stalled_since,
        poll_count=job.poll_count + 1,
        last_polled_at=at,
        polls=(
            *job.polls,
            Poll(
                at=at,
                state=event.state,
                word=event.word,
                warning=event.warning,
                exchange=event.exchange,
            ),
        )
        if changed
        else job.polls,
    )


def _error_detail(event: JobPolled) -> str:
    answer = event.exchange.get("answer") or {}
    return f"Atlassian reports {event.word}: {answer.get('body') or 'no further words'}"


def _after_word(job: JobView, event: JobResolved, at: str) -> JobView:
    job = dataclasses.replace(job, resolutions=(*job.resolutions, (at, event)))
    match event.resolution:
        case "accepted":
            return dataclasses.replace(
                job,
                state=JobState.PENDING,
                uuid=event.uuid,
                why=None,
                ended_at=None,
                submitted_at=job.submitted_at or at,
                submissions=max(job.submissions, 1),
                detail=f"accepted by the word of {event.by}",
            )
        case "accepted_no_id" if job.state is JobState.COMPLETE:
            return dataclasses.replace(job, spoken=True)
        case "accepted_no_id":
            return dataclasses.replace(
                job,
                state=JobState.UNKNOWN,
                spoken=True,
                why=None,
                submitted_at=job.submitted_at or at,
                submissions=max(job.submissions, 1),
                detail=f"accepted by the word of {event.by}, without a job id: it cannot be polled, only verification can tell",
            )
        case _:
            return dataclasses.replace(
                job,
                state=JobState.PLANNED,
                why=None,
                uuid=None,
                ended_at=None,
                detail=f"to be sent again by the word of {event.by}",
            )


def _reopened(job: JobView, at: str, event: RoundOpened) -> JobView:
    return dataclasses.replace(
        job,
        state=JobState.PLANNED,
        why=None,
        uuid=None,
        ended_at=None,
        stalled_since=None,
        last_status=None,
        spoken=False,
        detail=f"to be sent once more: {event.reason}",
        transitions=(*job.transitions, (at, JobState.PLANNED.value)),
        rounds=(*job.rounds, (at, event)),
    )


def _without_answer(job: JobView, at: str) -> JobView:
    if job.state is not JobState.SUBMITTING:
        return job
    lost = _after_submission(job, SubmitLost(reason=UNANSWERED), job.sent[-1].at)
    return dataclasses.replace(lost, transitions=(*lost.transitions, (at, JobState.UNKNOWN.value)))


def _site_ids(fold: _Fold) -> dict[str, str]:
    site_ids = dict(fold.started.site_ids)
    for _, resume in fold.lists.get("resumed", ()):
        site_ids.update(resume.site_ids)
    return site_ids


def _amend(fold: _Fold, event: PlanAmended) -> None:
    renewed = job_views(event.jobs, _site_ids(fold))
    fold.jobs = {
        job_id: dataclasses.replace(fold.jobs[job_id], job=new.job, windows=new.windows)
        if job_id in fold.jobs
        else new
        for job_id, new in renewed.items()
    } | {
        # What was sent happened: a plan without the job cannot take that back.
        job_id: job
        for job_id, job in fold.jobs.items()
        if job_id not in renewed and job.state is not JobState.PLANNED
    }


def _view(fold: _Fold, *, alive: bool, approvals: list[tuple[str, ApprovalGiven]]) -> RunView:
    started = fold.started
    last_at = fold.now.get("last_at", fold.started_at)
    jobs = tuple(job if alive else _without_answer(job, last_at) for job in fold.jobs.values())
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

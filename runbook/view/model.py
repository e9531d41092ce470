"""What is known of jobs and runs, as values; `runbook.view.runs` folds events into them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from runbook.clock import isoformat_utc
from runbook.jobs import CmaJob
from runbook.ledger.events import (
    AccountProbed,
    JobResolved,
    PlanAmended,
    ProbeRead,
    RoundOpened,
    RunEnded,
    RunResumed,
    RunStarted,
    SiteIdentified,
    StopRequested,
)
from runbook.ledger.events.handover import ApprovalGiven, LogKept
from runbook.ledger.events.links import (
    LinksEnded,
    LinksListed,
    VerifyEnded,
    VerifyStarted,
    WriteEnded,
    WriteIntended,
)
from runbook.plan.model import Probe
from runbook.windows import Pair

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
    at: datetime
    request: Json
    outcome: str = "open"
    answered_at: datetime | None = None
    uuid: str | None = None
    detail: str = ""
    trace_id: str | None = None
    causes: tuple[str, ...] = ()
    exchange: Json | None = None
    by_word: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One look at a job's status that said something new."""

    at: datetime
    state: str | None
    word: str | None
    warning: str | None
    exchange: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """Everything known of one job.

    `why` is set for jobs that were not attempted; `probe_links` are the links to look for, and
    `probed_from` counts the readings that belong to earlier submissions; `settled_by_person` says that a person has settled an
    outcome that cannot be known; `polls` are those that changed something, `poll_count` counts all.
    """

    job: CmaJob
    windows: tuple[Pair, ...] = ()
    site_id: str | None = None
    state: JobState = JobState.PLANNED
    why: str | None = None
    detail: str = ""
    uuid: str | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    submissions: int = 0
    last_status: str | None = None
    stalled_since: datetime | None = None
    settled_by_person: bool = False
    transitions: tuple[tuple[datetime, JobState], ...] = ()
    sent: tuple[Submission, ...] = ()
    polls: tuple[Poll, ...] = ()
    poll_count: int = 0
    last_polled_at: datetime | None = None
    probe_links: tuple[Probe, ...] = ()
    probes: tuple[tuple[datetime, ProbeRead], ...] = ()
    probed_from: int = 0
    resolutions: tuple[tuple[datetime, JobResolved], ...] = ()
    rounds: tuple[tuple[datetime, RoundOpened], ...] = ()

    @property
    def id(self) -> str:
        """Return the instance id."""
        return self.job.id

    def probe_results(self) -> dict[tuple[str, str], str]:
        """Return the last word on each probed link since the last submission, by issue and target."""
        return {
            (probe.issue, probe.target): probe.result
            for _, probe in self.probes[self.probed_from :]
            if probe.phase == "after"
        }

    def unprobed(self) -> tuple[Probe, ...]:
        """Return the links that are still to be looked for, now that the job is complete."""
        if self.state is not JobState.COMPLETE or self.settled_by_person:
            return ()
        known = self.probe_results()
        return tuple(link for link in self.probe_links if (link.issue, link.target) not in known)

    def needs_person(self) -> bool:
        """Return whether only a person can say how this job goes on."""
        if self.settled_by_person:
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
            "submitted_at": time_text(self.submitted_at),
            "ended_at": time_text(self.ended_at),
            "submissions": self.submissions,
            "last_status": self.last_status,
            "stalled_since": time_text(self.stalled_since),
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One comparison of what arrived with what was expected; `ended` is None while it is under way."""

    at: datetime
    started: VerifyStarted
    ended_at: datetime | None = None
    ended: VerifyEnded | None = None
    findings: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One intended change of a remote link and what became of it (None: cannot be known)."""

    at: datetime
    intended: WriteIntended
    ended_at: datetime | None = None
    ended: WriteEnded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """Everything known of one run."""

    id: str
    started: RunStarted
    started_at: datetime
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
    last_at: datetime
    ended_at: datetime | None = None
    ended: RunEnded | None = None
    stop: tuple[datetime, StopRequested] | None = None
    resumed: tuple[tuple[datetime, RunResumed], ...] = ()
    amended: tuple[tuple[datetime, PlanAmended], ...] = ()
    rounds: tuple[tuple[datetime, RoundOpened], ...] = ()
    identified: tuple[tuple[datetime, SiteIdentified], ...] = ()
    probed: tuple[tuple[datetime, AccountProbed], ...] = ()
    verifications: tuple[Verification, ...] = ()
    writes: tuple[Write, ...] = ()
    listings: tuple[tuple[datetime, LinksListed], ...] = ()
    listings_ended: tuple[tuple[datetime, LinksEnded], ...] = ()
    logs: tuple[tuple[datetime, LogKept], ...] = ()
    approvals: tuple[tuple[datetime, ApprovalGiven], ...] = ()
    earlier_runs: tuple[str, ...] = ()
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
                "started_at": time_text(self.started_at),
                "ended_at": time_text(self.ended_at),
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
    if any(job.unprobed() for job in jobs):
        return RunState.INTERRUPTED
    planned = [job for job in jobs if job.state is JobState.PLANNED]
    if any(job.why != "not_selected" for job in planned):
        return RunState.INTERRUPTED
    if any(job.state in (JobState.ERROR, JobState.REFUSED, JobState.NOT_ATTEMPTED) for job in jobs):
        return RunState.FAILED
    return RunState.STOPPED if planned else RunState.COMPLETE


def served_at(view: JobView | None) -> tuple[datetime, ...]:
    """Return the moments at which a submission of the job was, or may have been, accepted."""
    if view is None:
        return ()
    accepted = [sent.at for sent in view.sent if sent.outcome in ("accepted", "unknown")]
    elsewhere = [
        at
        for at, resolved in view.resolutions
        if resolved.resolution in ("accepted", "accepted_no_id")
    ]
    return (*accepted, *elsewhere)


def time_text(at: datetime | None) -> str | None:
    """Return a moment as every JSON document of ours writes it, null for none."""
    return None if at is None else isoformat_utc(at)

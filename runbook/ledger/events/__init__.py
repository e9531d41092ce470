"""The events of a run: small frozen facts in the past tense.

An event's fields are JSON values only, so that what is hashed is what was meant. `KIND` is its name
in the ledger; old kinds stay readable for ever. Events of other subjects live in this package:
`links` (verification, repair, rollback) and `handover` (approval, logs).

An *exchange* is `{"request": Request.as_json(), "answer": Answer.as_json() | null,
"error": text | null}`; moments are ISO 8601 in UTC with `Z`.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from runbook.ledger.events.kinds import (
    AnswerMeaning,
    ProbePhase,
    ProbeVerdict,
    Resolution,
    WhyNotAttempted,
)
from runbook.ledger.events.kinds import Json as Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins: the plan's own words and what follows from them.

    `jobs` are `CmaJob.as_json()` plus `windows` (list of `{from,to,opens,safe_closes,closes}`) and
    `probe` (list of `{issue,target}`);
    `findings` are `Finding.as_json()`; `evidence` are `{path,sha256,bytes,instance}` (sha256 null
    where the file is absent); `site_ids` maps site URL to the id that is used; `zone_minutes` is the
    plan's own UTC offset; `rehearsal` marks one; `earlier_runs` are ids.
    """

    KIND: ClassVar[str] = "run.started"
    plan_name: str
    plan_file: str
    plan_text: str
    digest: str
    jobs_digest: str
    jobs: list[Json]
    findings: list[Json]
    evidence: list[Json]
    site_ids: dict[str, str]
    operator: str
    machine: str
    tool_version: str
    zone_minutes: int
    rehearsal: bool
    endpoint: str | None
    options: Json
    earlier_runs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """The same run goes on in another process; intents without an answer are unknown from here."""

    KIND: ClassVar[str] = "run.resumed"
    operator: str
    machine: str
    tool_version: str
    findings: list[Json]
    options: Json
    site_ids: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAmended:
    """The plan changed between two processes of one run, in no request that was submitted.

    `difference` lists sentences; the other fields replace those of `run.started`.
    """

    KIND: ClassVar[str] = "plan.amended"
    difference: list[str]
    plan_text: str
    digest: str
    jobs_digest: str
    jobs: list[Json]
    findings: list[Json]
    evidence: list[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundOpened:
    """A person wants these jobs sent once more, and says why."""

    KIND: ClassVar[str] = "round.opened"
    jobs: list[str]
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteIdentified:
    """A site was asked for its id at `/_edge/tenant_info`."""

    KIND: ClassVar[str] = "site.identified"
    site: str
    site_id: str
    exchange: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProbed:
    """An account was tried against the links API before the first job."""

    KIND: ClassVar[str] = "account.probed"
    account: str
    email: str
    status: int
    exchange: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitIntended:
    """A job is about to be sent; on disk before the first byte leaves. `number` counts from 1."""

    KIND: ClassVar[str] = "submit.intended"
    number: int
    request: Json
    by_word: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitAnswered:
    """The API answered a submission.

    `uuid` is the job id where accepted; `detail` is Atlassian's own words or what was odd; `trace_id`
    is theirs; `causes` are likely ones, in order; `wait_s` is how long the API told us to wait.
    """

    KIND: ClassVar[str] = "submit.answered"
    meaning: AnswerMeaning
    uuid: str | None
    detail: str
    trace_id: str | None
    causes: list[str]
    wait_s: float | None
    exchange: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitNotSent:
    """No connection was made: the job cannot have arrived."""

    KIND: ClassVar[str] = "submit.not_sent"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitLost:
    """The request may have left and no complete answer came: the outcome is unknown."""

    KIND: ClassVar[str] = "submit.lost"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolled:
    """The API was asked for a job's status.

    `state` is ours (`pending`, `backup`, `in_progress`, `retry`, `complete`, `error`) or null where
    the answer says nothing; `word` is Atlassian's; `warning` says what was odd.
    """

    KIND: ClassVar[str] = "job.polled"
    state: str | None
    word: str | None
    warning: str | None
    exchange: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStalled:
    """A job's status has not changed for longer than is usual; polling goes on."""

    KIND: ClassVar[str] = "job.stalled"
    since: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNotAttempted:
    """A job was not sent, and why."""

    KIND: ClassVar[str] = "job.not_attempted"
    why: WhyNotAttempted
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResolved:
    """A person settled a job."""

    KIND: ClassVar[str] = "job.resolved"
    resolution: Resolution
    uuid: str | None
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRead:
    """A known link was looked for.

    `result` is `absent` or `present` before the job, `arrived`, `not_arrived` or `already_there`
    after it, and `not_asked`, with the reason in `detail`, at either time.
    """

    KIND: ClassVar[str] = "probe.read"
    phase: ProbePhase
    issue: str
    target: str
    result: ProbeVerdict
    detail: str
    exchanges: list[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """The formal no-go: nothing more is submitted."""

    KIND: ClassVar[str] = "run.stop_requested"
    reason: str
    by: str

    def sentence(self) -> str:
        """Return who stopped the run, and why where a reason was given."""
        return f"stopped by {self.by}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A process is done with the run; `state` is the run's, `counts` add up to the jobs."""

    KIND: ClassVar[str] = "run.ended"
    state: str
    counts: dict[str, int]
    exit_code: int
    detail: str


RUN_EVENTS = (
    RunStarted,
    RunResumed,
    PlanAmended,
    RoundOpened,
    SiteIdentified,
    AccountProbed,
    SubmitIntended,
    SubmitAnswered,
    SubmitNotSent,
    SubmitLost,
    JobPolled,
    JobStalled,
    JobNotAttempted,
    JobResolved,
    ProbeRead,
    StopRequested,
    RunEnded,
)

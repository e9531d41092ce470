"""The only loop: carry out what the pure decisions say, and write everything down first.

One worker per site that holds links, all in one task group. Every event is on disk before anything
follows from it; the in-memory views are the same fold that `status` and the report use.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from runbook.clock import isoformat_utc, parse_utc
from runbook.errors import ExitCode, LedgerError, foremost
from runbook.execute.interrupts import Interrupts
from runbook.execute.poll import next_interval_s, reading_of, stall_advice, stalled
from runbook.execute.ports import Pace, Ports, ProbeReading
from runbook.execute.requests import exchange_of, request_of, status_request
from runbook.execute.schedule import (
    Brakes,
    Finished,
    Follow,
    Hold,
    Submit,
    WaitFor,
    next_step,
)
from runbook.execute.submit import (
    Accepted,
    Limited,
    Meaning,
    Refused,
    Unknowable,
    Unsent,
    meaning_of,
)
from runbook.ledger.codec import Event, Row, recorded
from runbook.ledger.events import (
    JobNotAttempted,
    JobPolled,
    JobResolved,
    JobStalled,
    ProbeRead,
    RunEnded,
    StopRequested,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
)
from runbook.plan.model import Probe
from runbook.view import (
    AT_ATLASSIAN,
    SENDABLE,
    JobState,
    JobView,
    RunState,
    after_event,
    count_states,
    settled_state,
)
from runbook.windows import Pair
from runbook.wire import Outcome, Request

HEARTBEAT_S = 15.0
NEWS_S = 5.0
NOT_SENT_FIRST_S = 2.0
NOT_SENT_LAST_S = 60.0
LIMITED_FIRST_S = 5.0
LIMITED_LAST_S = 120.0
# An answer that was odd is worth one more submission by a word given beforehand, not an endless row.
RESUBMISSIONS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one process is to do with a run.

    `jobs` are the views at its start, in order; `todo` the ids it may send; `not_selected` those it
    leaves alone on request; `pairs` the finished windows of each job; `on_unknown` is `ask`, `stop`
    or `resubmit`; `resubmit` names unknown jobs that a word given beforehand sends again.
    """

    run: str
    jobs: Mapping[str, JobView]
    todo: Collection[str]
    not_selected: Collection[str] = ()
    pairs: Mapping[str, tuple[Pair, ...]]
    site_ids: Mapping[str, str]
    probes: Mapping[str, tuple[Probe, ...]] = field(default_factory=dict)
    on_unknown: str = "ask"
    operator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process left a run."""

    state: RunState
    counts: dict[str, int]
    exit_code: ExitCode
    detail: str


class Executor:
    """Carries out one assignment; `execute` is its only entry."""

    def __init__(
        self, assignment: Assignment, ports: Ports, pace: Pace, interrupts: Interrupts
    ) -> None:
        self._run = assignment.run
        self._assignment = assignment
        self._ports = ports
        self._clock = ports.clock
        self._pace = pace
        self._interrupts = interrupts
        self._jobs: dict[str, JobView] = dict(assignment.jobs)
        self._todo: set[str] = set(assignment.todo)
        self._stopped: str | None = None
        self._accounts: dict[str, str] = {}
        self._sites: dict[str, tuple[str, str]] = {}
        self._forbidden: dict[str, int] = {}
        self._unreachable: str | None = None
        self._resubmissions: dict[str, int] = {}
        self._news_after = 0
        self._changed = asyncio.Condition()
        self._gate = asyncio.Lock()
        self._next_submission_s = 0.0

    async def execute(self) -> Ending:
        """Send, follow and write down until nothing is left to do, and return how it ended.

        Raises:
            LedgerError: the ledger cannot be written, or another process leads it now.
        """
        for job_id in self._assignment.not_selected:
            self._record(
                JobNotAttempted(why="not_selected", detail="not selected by `--only`"), job_id
            )
        if self._assignment.on_unknown == "resubmit":
            self._resubmit_unknown()
        self._keep_interval_of_before()
        sites = list(dict.fromkeys(job.job.site for job in self._jobs.values()))
        with _first_of_group():
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._work(site)) for site in sites]
                aides = (
                    group.create_task(self._watch()),
                    group.create_task(self._cancel_at_second(workers)),
                )
                await asyncio.wait(workers)
                for aide in aides:
                    aide.cancel()
        return self._end()

    # Workers

    async def _work(self, site: str) -> None:
        while not self._interrupts.draining and self._unreachable is None:
            self._take_news()
            brakes = Brakes(stopped=self._stopped, accounts=self._accounts, sites=self._sites)
            match next_step(site, self._jobs, self._todo, brakes):
                case Follow(job=job_id):
                    await self._follow(job_id)
                    if self._jobs[job_id].state in AT_ATLASSIAN:
                        await self._leave(site)
                        return
                case Submit(job=job_id):
                    await self._submit(job_id)
                case Hold(job=job_id, why=why, detail=detail):
                    self._todo.discard(job_id)
                    self._record(JobNotAttempted(why=why, detail=detail), job_id)
                    await self._tell()
                case WaitFor(job=job_id, need=need):
                    self._waits(job_id, 0, f"for `{need}`")
                    await self._until_changed()
                case Finished():
                    return

    async def _leave(self, site: str) -> None:
        """Say of every job left on a site whose account is refused that it is not attempted."""
        for job_id, view in list(self._jobs.items()):
            refused = self._accounts.get(view.job.account)
            if refused is not None and view.job.site == site and job_id in self._todo:
                self._todo.discard(job_id)
                self._record(JobNotAttempted(why="account", detail=refused), job_id)
        await self._tell()

    async def _submit(self, job_id: str) -> None:
        await self._probe(job_id, "before")
        attempt = 0
        unsent_since: float | None = None
        while await self._turn(job_id) and self._may_send(job_id):
            meaning = await self._attempt(job_id)
            attempt += 1
            await self._tell()
            match meaning:
                case Limited(wait_s=told):
                    unsent_since = None
                    wait_s = told or self._backoff_s(attempt, LIMITED_FIRST_S, LIMITED_LAST_S)
                    if not self._servable(job_id, wait_s):
                        self._hold_for_window(
                            job_id, f"rate limited for {wait_s:.0f} s, until after its window"
                        )
                        return
                    await self._pause(job_id, max(1.0, wait_s), "for the rate limit")
                case Unsent(reason=reason):
                    now_s = self._clock.monotonic_s()
                    unsent_since = now_s if unsent_since is None else unsent_since
                    wait_s = self._backoff_s(attempt, NOT_SENT_FIRST_S, NOT_SENT_LAST_S)
                    if now_s + wait_s - unsent_since > self._pace.connect_retry_s:
                        self._unreachable = reason
                        self._todo.discard(job_id)
                        await self._tell()
                        return
                    await self._pause(job_id, wait_s, "to connect again")
                case Unknowable() if self._may_resubmit(job_id):
                    self._resubmissions[job_id] = self._resubmissions.get(job_id, 0) + 1
                    self._speak_beforehand(job_id)
                case _:
                    self._todo.discard(job_id)
                    return

    async def _attempt(self, job_id: str) -> Meaning:
        """Send a job once: intent on disk, request, answer on disk, in this order."""
        view = self._jobs[job_id]
        request = request_of(view.job, self._assignment.site_ids)
        spoken = view.resolutions[-1][1].by if view.resolutions else None
        self._record(
            SubmitIntended(number=len(view.sent) + 1, request=request.as_json(), by_word=spoken),
            job_id,
        )
        try:
            outcome = await self._ports.send(request)
        except asyncio.CancelledError:
            self._record(SubmitLost(reason="stopped by the operator before an answer came"), job_id)
            raise
        meaning = meaning_of(outcome, self._clock.now())
        try:
            self._record(_event_of(meaning, request, outcome), job_id)
        except LedgerError:
            # The one thing that exists nowhere else must at least be on the screen.
            self._alarm(
                f"job `{job_id}`: the answer could not be written down; keep this line: "
                f"{type(meaning).__name__.lower()} {getattr(meaning, 'uuid', '')} {outcome!r}"
            )
            raise
        self._apply_brakes(view, meaning)
        return meaning

    def _apply_brakes(self, view: JobView, meaning: Meaning) -> None:
        site, account = view.job.site, view.job.account
        match meaning:
            case Refused(scope="account", detail=detail):
                self._accounts[account] = f"account `{account}` was refused: {detail}"
            case Refused(scope="site", detail=detail):
                self._forbidden[site] = self._forbidden.get(site, 0) + 1
                if self._forbidden[site] > 1:
                    self._sites[site] = (
                        "account",
                        f"a second job was refused on `{site}`: {detail}",
                    )
            case Unknowable() if self._assignment.on_unknown == "stop":
                self._stopped = (
                    f"`{view.id}` has an unknown outcome and `--on-unknown stop` was given"
                )
            case _:
                pass

    async def _follow(self, job_id: str) -> None:
        """Poll a job until it ends, the operator stops us, or the account or network is gone."""
        view = self._jobs[job_id]
        since = parse_utc(view.transitions[-1][0]) if view.transitions else self._clock.now()
        interval_s: float | None = None
        failing_since_s: float | None = None
        if view.poll_count == 0 and view.submitted_at is not None:
            interval_s = next_interval_s(None, self._pace.poll_interval_s, changed=False)
            await self._pause(job_id, interval_s, "for its status")
        while (view := self._jobs[job_id]).state in AT_ATLASSIAN and not self._interrupts.draining:
            before, told_stall = view.state, view.stalled_since
            request = status_request(view, self._assignment.site_ids)
            outcome = await self._ports.send(request)
            reading = reading_of(outcome, self._clock.now())
            self._record(
                JobPolled(
                    state=None if reading.state is None else reading.state.value,
                    word=reading.word,
                    warning=reading.warning,
                    exchange=exchange_of(request, outcome),
                ),
                job_id,
            )
            changed = self._jobs[job_id].state is not before
            if changed:
                since = self._clock.now()
                await self._tell()
            if reading.refused:
                self._accounts[view.job.account] = (
                    f"account `{view.job.account}` was refused: {reading.warning}"
                )
                return
            now_s = self._clock.monotonic_s()
            failing_since_s = (
                None
                if not reading.failing
                else failing_since_s
                if failing_since_s is not None
                else now_s
            )
            if failing_since_s is not None and now_s - failing_since_s > self._pace.connect_retry_s:
                self._unreachable = reading.warning
                return
            state = self._jobs[job_id].state
            if state not in AT_ATLASSIAN:
                break
            if told_stall is None and not changed and stalled(state, since, self._clock.now()):
                self._record(
                    JobStalled(since=isoformat_utc(since), advice=stall_advice(state)), job_id
                )
            interval_s = next_interval_s(interval_s, self._pace.poll_interval_s, changed=changed)
            await self._pause(job_id, max(interval_s, reading.wait_s or 0.0), "for its status")
        if self._jobs[job_id].state is JobState.COMPLETE:
            await self._probe(job_id, "after")
        await self._tell()

    # Before a submission

    async def _turn(self, job_id: str) -> bool:
        """Wait for this job's place in the submission interval; False if nothing may be sent now."""
        async with self._gate:
            wait_s = self._next_submission_s - self._clock.monotonic_s()
            if wait_s > 0:
                await self._pause(job_id, wait_s, "for the submission interval")
            if self._interrupts.draining:
                return False
            self._next_submission_s = self._clock.monotonic_s() + self._pace.submit_interval_s
        return True

    def _may_send(self, job_id: str) -> bool:
        """Return whether the job may be sent this very moment; hold it where it may not."""
        if self._interrupts.draining or job_id not in self._todo:
            return False
        self._take_news()
        site = self._jobs[job_id].job.site
        brakes = Brakes(stopped=self._stopped, accounts=self._accounts, sites=self._sites)
        # The step is asked again: a stop, a refusal or a person's word may have come meanwhile.
        if next_step(site, self._jobs, self._todo, brakes) != Submit(job=job_id):
            return False
        if not self._servable(job_id, 0):
            self._hold_for_window(job_id, "none of its windows is open now")
            return False
        return True

    def _servable(self, job_id: str, in_s: float) -> bool:
        view = self._jobs[job_id]
        if not view.job.recreate_as_remote:
            return True
        at = self._clock.now() + timedelta(seconds=in_s)
        return any(pair.servable(at) for pair in self._assignment.pairs.get(job_id, ()))

    def _hold_for_window(self, job_id: str, detail: str) -> None:
        self._todo.discard(job_id)
        self._record(JobNotAttempted(why="window", detail=detail), job_id)

    async def _probe(self, job_id: str, phase: str) -> None:
        """Look for the links that are known from the Data Center, before or after a job."""
        view = self._jobs[job_id]
        for probe in self._assignment.probes.get(job_id, ()):
            reading = ProbeReading(
                result="not_asked", detail="no way to read remote links was given"
            )
            if self._ports.prober is not None:
                reading = await self._ports.prober.read(
                    view.job.site, probe.issue, probe.target, view.job.destination
                )
            result = reading.result
            if phase == "after":
                result = self._arrival(job_id, probe, result)
            self._record(
                ProbeRead(
                    phase=phase,
                    issue=probe.issue,
                    target=probe.target,
                    result=result,
                    detail=reading.detail,
                    exchanges=list(reading.exchanges),
                ),
                job_id,
            )
        if self._jobs[job_id].needs_person():
            self._sites[view.job.site] = (
                "probe",
                f"a known link of `{job_id}` did not arrive although Atlassian reports complete",
            )

    def _arrival(self, job_id: str, probe: Probe, result: str) -> str:
        if result not in ("present", "absent"):
            return "not_asked"
        if result == "absent":
            return "not_arrived"
        was = [
            one.result
            for _, one in self._jobs[job_id].probes
            if one.phase == "before" and (one.issue, one.target) == (probe.issue, probe.target)
        ]
        return "already_there" if was and was[-1] == "present" else "arrived"

    # Words given beforehand

    def _may_resubmit(self, job_id: str) -> bool:
        given = self._resubmissions.get(job_id, 0)
        return self._assignment.on_unknown == "resubmit" and given < RESUBMISSIONS

    def _resubmit_unknown(self) -> None:
        for job_id, view in list(self._jobs.items()):
            if view.state is JobState.UNKNOWN and not view.spoken:
                self._resubmissions[job_id] = 1
                self._speak_beforehand(job_id)
                self._todo.add(job_id)

    def _speak_beforehand(self, job_id: str) -> None:
        self._record(
            JobResolved(
                resolution="send_again",
                uuid=None,
                by=self._assignment.operator,
                note="said beforehand with `--on-unknown resubmit`",
            ),
            job_id,
        )

    # Aides

    async def _watch(self) -> None:
        """Keep the lease, and notice what other terminals write: a stop, a person's word."""
        beat_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(NEWS_S)
            if self._clock.monotonic_s() - beat_s >= HEARTBEAT_S:
                self._ports.recorder.heartbeat()
                beat_s = self._clock.monotonic_s()
            if self._take_news():
                await self._tell()

    async def _cancel_at_second(self, workers: list[asyncio.Task[None]]) -> None:
        await self._interrupts.cancelled()
        for worker in workers:
            worker.cancel()

    def _take_news(self) -> bool:
        news = False
        kinds = (StopRequested.KIND, JobResolved.KIND)
        for row in self._ports.recorder.rows(after=self._news_after, kinds=kinds):
            self._news_after = row.seq
            if row.run != self._run:
                continue
            event = recorded(row).event
            if isinstance(event, StopRequested):
                news = True
                self._stopped = f"stopped by {event.by}" + (
                    f": {event.reason}" if event.reason else ""
                )
                self._observe(row, event)
            elif isinstance(event, JobResolved) and row.job in self._jobs:
                news = True
                self._jobs[row.job] = after_event(self._jobs[row.job], event, row.at)
                self._observe(row, event)
                if self._jobs[row.job].state is JobState.PLANNED:
                    self._todo.add(row.job)
        return news

    def starts_after(self, seq: int) -> None:
        """Take everything up to this row as known; called once, before `execute`."""
        self._news_after = seq

    # Small hands

    def _record(self, event: Event, job_id: str | None = None) -> None:
        row = self._ports.recorder.append(event, run=self._run, job=job_id)
        if job_id is not None:
            self._jobs[job_id] = after_event(self._jobs[job_id], event, row.at)
        if isinstance(event, JobResolved):
            # Our own word is no news.
            self._news_after = max(self._news_after, row.seq)
        self._observe(row, event)

    def _observe(self, row: Row, event: Event) -> None:
        for observer in self._ports.observers:
            observer.saw(row, event)

    def _alarm(self, text: str) -> None:
        for observer in self._ports.observers:
            observer.alarm(text)

    def _waits(self, job_id: str, seconds: float, why: str) -> None:
        until = isoformat_utc(self._clock.now() + timedelta(seconds=seconds)) if seconds else ""
        for observer in self._ports.observers:
            observer.waits(job_id, until, why)

    def _backoff_s(self, attempt: int, first_s: float, last_s: float) -> float:
        ceiling = min(last_s, first_s * 2 ** min(attempt - 1, 16))
        return float(ceiling * (0.7 + 0.6 * self._ports.jitter()))

    def _keep_interval_of_before(self) -> None:
        times = [one.sent[-1].at for one in self._jobs.values() if one.sent]
        if times:
            gone_s = (self._clock.now() - parse_utc(max(times))).total_seconds()
            self._next_submission_s = self._clock.monotonic_s() + max(
                0.0, self._pace.submit_interval_s - gone_s
            )

    async def _pause(self, job_id: str, seconds: float, why: str) -> None:
        """Wait; end early when the operator interrupts or the formal stop comes."""
        self._waits(job_id, seconds, why)
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        drain = asyncio.ensure_future(self._interrupts.drained())
        try:
            await asyncio.wait((sleeper, drain), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            drain.cancel()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until_changed(self) -> None:
        async with self._changed:
            drain = asyncio.ensure_future(self._interrupts.drained())
            change = asyncio.ensure_future(self._changed.wait())
            done, _ = await asyncio.wait((drain, change), return_when=asyncio.FIRST_COMPLETED)
            drain.cancel()
            if change not in done:
                change.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await change

    def _end(self) -> Ending:
        jobs = tuple(self._jobs.values())
        left = bool(self._todo) or any(job.state in AT_ATLASSIAN for job in jobs)
        interrupted = self._interrupts.count > 0 and left
        stopped = self._stopped is not None and self._assignment.on_unknown != "stop"
        state = settled_state(jobs, stopped=stopped)
        codes = [ExitCode.CREDENTIAL] if self._accounts else []
        if any(job.needs_person() for job in jobs):
            codes.append(ExitCode.UNKNOWN)
        if any(_failed(job) for job in jobs):
            codes.append(ExitCode.JOB)
        if self._unreachable is not None:
            codes.append(ExitCode.REMOTE)
        code = ExitCode.INTERRUPTED if interrupted else foremost(codes)
        detail = "interrupted by the operator" if interrupted else self._unreachable or ""
        ending = Ending(state=state, counts=count_states(jobs), exit_code=code, detail=detail)
        self._record(
            RunEnded(state=state.value, counts=ending.counts, exit_code=int(code), detail=detail)
        )
        return ending


def _failed(job: JobView) -> bool:
    if job.state is JobState.NOT_ATTEMPTED:
        return job.why != "stopped"
    return job.state in (JobState.ERROR, JobState.REFUSED)


def to_send(jobs: Mapping[str, JobView]) -> tuple[str, ...]:
    """Return the ids of the jobs that a process sends when it takes up a run."""
    return tuple(job.id for job in jobs.values() if job.state in SENDABLE)


def _event_of(meaning: Meaning, request: Request, outcome: Outcome) -> Event:
    exchange = exchange_of(request, outcome)
    match meaning:
        case Unsent(reason=reason, hint=hint):
            return SubmitNotSent(reason=f"{reason}; {hint}" if hint else reason)
        case Unknowable(detail=detail) if exchange["answer"] is None:
            return SubmitLost(reason=detail)
        case Accepted(uuid=uuid):
            return _answered("accepted", exchange, uuid=uuid)
        case Refused(detail=detail, trace_id=trace_id, causes=causes):
            return _answered("refused", exchange, detail=detail, trace_id=trace_id, causes=causes)
        case Limited(wait_s=wait_s, detail=detail):
            return _answered("rate_limited", exchange, detail=detail, wait_s=wait_s)
        case Unknowable(detail=detail):
            return _answered("unknown", exchange, detail=detail)


def _answered(
    meaning: str,
    exchange: dict[str, Any],
    *,
    uuid: str | None = None,
    detail: str = "",
    trace_id: str | None = None,
    causes: tuple[str, ...] = (),
    wait_s: float | None = None,
) -> SubmitAnswered:
    return SubmitAnswered(
        meaning=meaning,
        uuid=uuid,
        detail=detail,
        trace_id=trace_id,
        causes=list(causes),
        wait_s=wait_s,
        exchange=exchange,
    )


@contextlib.contextmanager
def _first_of_group() -> Iterator[None]:
    """Raise the error that ended a task group as itself."""
    try:
        yield
    except* LedgerError as group:
        raise _leaf(group) from None


def _leaf(group: BaseExceptionGroup[LedgerError]) -> LedgerError:
    first = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first

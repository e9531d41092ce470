"""What one process knows of its run while it carries it out, written down before it is known.

Every worker records through here, so that the ledger, the in-memory views (the same fold that
`status` and the report use) and the observers can never disagree: rows are learned in the ledger's
own order, those of other terminals included.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from runbook.clock import isoformat_utc
from runbook.execute.ports import Interrupts, Ports
from runbook.execute.schedule import Brakes
from runbook.execute.selection import OnUnknown
from runbook.http import ProbeReading, ProbeResult
from runbook.ledger.codec import Event, Row, recorded
from runbook.ledger.events import JobNotAttempted, JobResolved, ProbeRead, StopRequested
from runbook.ledger.events.kinds import ProbePhase, ProbeVerdict, WhyNotAttempted
from runbook.plan.model import Probe
from runbook.view import SENDABLE, JobState, JobView, after_event
from runbook.windows import Pair

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one process is to do with a run.

    `jobs` are the views at its start, in order; `todo` the ids it may send; `resubmit` unknown ones
    that a word given beforehand sends again; `not_selected` those it leaves alone on request;
    `may_send` is False where the plan may not run and jobs are only followed; `pairs` are the
    finished windows of each job; `known_until` is the ledger row up to which all is known; `no_go`
    says by whom the run was stopped; `on_unknown` is `ask`, `stop` or `resubmit`.
    """

    run: str
    jobs: Mapping[str, JobView]
    todo: Collection[str]
    resubmit: Collection[str] = ()
    not_selected: Collection[str] = ()
    may_send: bool = True
    pairs: Mapping[str, tuple[Pair, ...]]
    site_ids: Mapping[str, str]
    on_unknown: OnUnknown = "ask"
    operator: str = ""
    known_until: int = 0
    no_go: str | None = None


class RunSession:
    """The state of a run in this process.

    `todo` are the ids that may still be sent, `brakes` what holds jobs back; `no_go` says that a
    person stopped the run formally; `unreachable` says why the network was given up, None while it
    was not; `resting` are sites with nothing to do now.
    """

    def __init__(self, assignment: Assignment, ports: Ports, interrupts: Interrupts) -> None:
        self.assignment = assignment
        self.ports = ports
        self.clock = ports.clock
        self.interrupts = interrupts
        self.jobs: dict[str, JobView] = dict(assignment.jobs)
        self.todo: set[str] = set(assignment.todo)
        self.brakes = Brakes(stopped=assignment.no_go)
        self.no_go = assignment.no_go is not None
        self.unreachable: str | None = None
        self.resting: set[str] = set()
        self._known_until = assignment.known_until
        self._changed = asyncio.Event()
        for view in self.jobs.values():
            self.hold_site_of(view)

    @property
    def leaving(self) -> bool:
        """Whether nothing new may begin: the operator or the network says so."""
        return self.interrupts.draining or self.unreachable is not None

    def hold_site_of(self, view: JobView) -> None:
        """Hold the site of a job whose known link did not arrive."""
        if view.state is JobState.COMPLETE and view.needs_person():
            self.brakes.sites[view.job.site] = (
                "probe",
                f"a known link of `{view.id}` did not arrive although Atlassian reports complete",
            )

    def record(self, event: Event, job_id: str | None = None) -> None:
        """Write an event durably, then let it be known, after whatever was written before it.

        Raises:
            LedgerError: the disk refused, or another process leads the ledger now.
        """
        row = self.ports.ledger.append(event, run=self.assignment.run, job=job_id)
        # What another terminal wrote before this row is learned before it: a fold depends on order.
        self.poll_ledger(before=row.seq)
        self._known_until = row.seq
        self._learn(row, event)

    def hold(self, job_id: str, why: WhyNotAttempted, detail: str) -> None:
        """Write that a job is not attempted, and why."""
        self.todo.discard(job_id)
        self.record(JobNotAttempted(why=why, detail=detail), job_id)

    async def probe(self, job_id: str, phase: ProbePhase) -> None:
        """Look for the job's known links and write down what was found; `phase` is `before` or `after`.

        After a job only those are read that were not yet, so that a crash in between loses none. A
        link that did not arrive holds the site's later jobs: it catches the empty `Complete` while
        the window is still open (design section 8).
        """
        view = self.jobs[job_id]
        for probe in view.probe_links if phase == "before" else view.unprobed():
            reading = ProbeReading(
                result="not_asked", detail="no way to read remote links was given"
            )
            if self.ports.prober is not None:
                reading = await self.ports.prober.read(
                    view.job.site, probe.issue, probe.target, view.job.destination
                )
            result: ProbeVerdict = (
                reading.result if phase == "before" else arrival(view, probe, reading.result)
            )
            self.record(
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
        self.hold_site_of(self.jobs[job_id])

    def poll_ledger(self, *, before: int | None = None) -> None:
        """Learn what other terminals wrote: a stop, a person's word.

        Only rows before number `before` are read where it is given.
        """
        news = False
        kinds = (StopRequested.KIND, JobResolved.KIND)
        for row in self.ports.ledger.rows(after=self._known_until, kinds=kinds):
            if before is not None and row.seq >= before:
                break
            self._known_until = row.seq
            if row.run != self.assignment.run:
                continue
            event = recorded(row).event
            if isinstance(event, StopRequested):
                self.no_go = True
                self.brakes.stopped = event.sentence()
            elif row.job not in self.jobs:
                continue
            news = True
            self._learn(row, event)
            if isinstance(event, JobResolved) and row.job is not None and self.assignment.may_send:
                view = self.jobs[row.job]
                if event.resolution == "send_again" and view.state in SENDABLE:
                    self.todo.add(view.id)
                elif view.state not in SENDABLE:
                    self.todo.discard(view.id)
        if news:
            self.notify()

    def _learn(self, row: Row, event: Event) -> None:
        if row.job is not None:
            self.jobs[row.job] = after_event(self.jobs[row.job], event, row.moment)
        self.ports.audience.on_event(row, event)

    # Waiting

    def report_wait(self, job_id: str, seconds: float, why: str) -> None:
        """Tell the observers that a job waits; zero seconds mean an open end."""
        _log.info(
            "job %s waits %s %s", job_id, f"{seconds:.1f} s" if seconds else "without an end", why
        )
        until = isoformat_utc(self.clock.now() + timedelta(seconds=seconds)) if seconds else ""
        self.ports.audience.on_wait(job_id, until, why)

    async def pause(
        self, job_id: str, seconds: float, why: str, *, until_stop: bool = False
    ) -> None:
        """Wait; end early when the operator interrupts, and at a formal stop where that is wanted."""
        self.report_wait(job_id, seconds, why)
        sleeper = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            while not (
                sleeper.done() or self.interrupts.draining or (until_stop and self.brakes.stopped)
            ):
                await self.wait_for_change(sleeper)
        finally:
            sleeper.cancel()

    def notify(self) -> None:
        """Wake whoever waits for something to change."""
        # A new event per change: nobody has to clear it, and nobody who waits misses it.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait_for_change(self, *others: asyncio.Future[Any]) -> None:
        """Wait for `notify`, for the operator's interrupt, or for one of `others`."""
        waiters: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self.interrupts.drained()),
        ]
        try:
            await asyncio.wait((*waiters, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()


def arrival(view: JobView, probe: Probe, result: ProbeResult) -> ProbeVerdict:
    """Return what a reading after the job means, given the one before it."""
    if result not in ("present", "absent"):
        return "not_asked"
    if result == "absent":
        return "not_arrived"
    was = [
        earlier.result
        for _, earlier in view.probes
        if earlier.phase == "before"
        and (earlier.issue, earlier.target) == (probe.issue, probe.target)
    ]
    return "already_there" if was and was[-1] == "present" else "arrived"

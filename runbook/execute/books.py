"""What one process knows of its run while it carries it out, written down before it is known.

Every worker records through here, so that the ledger, the in-memory views (the same fold that
`status` and the report use) and the observers can never disagree.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from runbook.clock import isoformat_utc
from runbook.execute.interrupts import Interrupts
from runbook.execute.ports import Ports
from runbook.execute.schedule import Brakes
from runbook.ledger.codec import Event, Row, recorded
from runbook.ledger.events import JobNotAttempted, JobResolved, StopRequested
from runbook.plan.model import Probe
from runbook.view import JobState, JobView, after_event
from runbook.windows import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one process is to do with a run.

    `jobs` are the views at its start, in order; `todo` the ids it may send; `not_selected` those it
    leaves alone on request; `pairs` the finished windows of each job; `known_until` the ledger row
    up to which all is known; `on_unknown` is `ask`, `stop` or `resubmit`.
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
    known_until: int = 0


class Books:
    """The state of a run in this process.

    `todo` are the ids that may still be sent; `stopped`, `accounts` and `sites` are what holds jobs
    back (see `Brakes`); `no_go` says that a person stopped the run formally; `unreachable` says why the network was given up, None while it was not.
    """

    def __init__(self, assignment: Assignment, ports: Ports, interrupts: Interrupts) -> None:
        self.assignment = assignment
        self.ports = ports
        self.clock = ports.clock
        self.interrupts = interrupts
        self.jobs: dict[str, JobView] = dict(assignment.jobs)
        self.todo: set[str] = set(assignment.todo)
        self.stopped: str | None = None
        self.no_go = False
        self.accounts: dict[str, str] = {}
        self.sites: dict[str, tuple[str, str]] = {}
        self.unreachable: str | None = None
        self._known_until = assignment.known_until
        self._changed = asyncio.Condition()

    @property
    def leaving(self) -> bool:
        """Whether nothing new may begin: the operator or the network says so."""
        return self.interrupts.draining or self.unreachable is not None

    def brakes(self) -> Brakes:
        """Return what holds jobs back now."""
        return Brakes(stopped=self.stopped, accounts=self.accounts, sites=self.sites)

    def record(self, event: Event, job_id: str | None = None) -> None:
        """Write an event durably, then let it be known.

        Raises:
            LedgerError: the disk refused, or another process leads the ledger now.
        """
        row = self.ports.recorder.append(event, run=self.assignment.run, job=job_id)
        if isinstance(event, JobResolved):
            # Our own word is no news.
            self._known_until = max(self._known_until, row.seq)
        self._learn(row, event)

    def hold(self, job_id: str, why: str, detail: str) -> None:
        """Write that a job is not attempted, and why."""
        self.todo.discard(job_id)
        self.record(JobNotAttempted(why=why, detail=detail), job_id)

    def take_news(self) -> bool:
        """Learn what other terminals wrote: a stop, a person's word. Return whether there was any."""
        news = False
        kinds = (StopRequested.KIND, JobResolved.KIND)
        for row in self.ports.recorder.rows(after=self._known_until, kinds=kinds):
            self._known_until = row.seq
            if row.run != self.assignment.run:
                continue
            event = recorded(row).event
            if isinstance(event, StopRequested):
                self.no_go = True
                self.stopped = f"stopped by {event.by}"
                self.stopped += f": {event.reason}" if event.reason else ""
            elif row.job not in self.jobs:
                continue
            news = True
            self._learn(row, event)
            if row.job is not None and self.jobs[row.job].state is JobState.PLANNED:
                self.todo.add(row.job)
        return news

    def _learn(self, row: Row, event: Event) -> None:
        if row.job is not None:
            self.jobs[row.job] = after_event(self.jobs[row.job], event, row.at)
        for observer in self.ports.observers:
            observer.saw(row, event)

    def alarm(self, text: str) -> None:
        """Show at once what could not be written down."""
        for observer in self.ports.observers:
            observer.alarm(text)

    # Waiting

    def says_waiting(self, job_id: str, seconds: float, why: str) -> None:
        """Tell the observers that a job waits; zero seconds mean an open end."""
        until = isoformat_utc(self.clock.now() + timedelta(seconds=seconds)) if seconds else ""
        for observer in self.ports.observers:
            observer.waits(job_id, until, why)

    async def pause(self, job_id: str, seconds: float, why: str) -> None:
        """Wait; end early when the operator interrupts."""
        self.says_waiting(job_id, seconds, why)
        sleeper = asyncio.ensure_future(self.clock.sleep(seconds))
        drain = asyncio.ensure_future(self.interrupts.drained())
        try:
            await asyncio.wait((sleeper, drain), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            drain.cancel()

    async def tell(self) -> None:
        """Wake the workers that wait for a job of another site."""
        async with self._changed:
            self._changed.notify_all()

    async def until_told(self) -> None:
        """Wait for `tell`, or for the operator's interrupt."""
        async with self._changed:
            drain = asyncio.ensure_future(self.interrupts.drained())
            change = asyncio.ensure_future(self._changed.wait())
            done, _ = await asyncio.wait((drain, change), return_when=asyncio.FIRST_COMPLETED)
            drain.cancel()
            if change not in done:
                change.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await change

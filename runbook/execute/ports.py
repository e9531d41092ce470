"""What the executor needs from outside, in its own words, and who watches or interrupts it.

The ledger and the clock are passed as they are; everything else is one of these small protocols.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from runbook.clock import Clock
from runbook.http import ProbeReading, Send
from runbook.jobs import SUBMIT_INTERVAL_S
from runbook.ledger.codec import Event, Row

if TYPE_CHECKING:
    from runbook.ledger.store import Ledger


class Prober(Protocol):
    """Look for one link known from the Data Center on the site that should hold it."""

    async def read(self, site: str, issue: str, target: str, destination: str) -> ProbeReading:
        """Return whether `issue` of `site` has a remote link to issue `target` of `destination`."""


class Observer:
    """Somebody who watches a run: a console, a live report, a JSON stream; this one does nothing."""

    def on_event(self, row: Row, event: Event) -> None:
        """Take note of one event that is on disk now."""

    def on_wait(self, job: str, until: str, why: str) -> None:
        """Take note that a job waits: for its next poll, a limit, or the submission interval."""

    def on_failure(self, text: str) -> None:
        """Show at once what could not be written down."""


class Audience(Observer):
    """Everybody who watches a run; an observer that fails is silenced, and ends nothing."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)

    def on_event(self, row: Row, event: Event) -> None:
        """Pass on one event that is on disk now."""
        self._each(lambda observer: observer.on_event(row, event))

    def on_wait(self, job: str, until: str, why: str) -> None:
        """Pass on that a job waits."""
        self._each(lambda observer: observer.on_wait(job, until, why))

    def on_failure(self, text: str) -> None:
        """Pass on at once what could not be written down."""
        self._each(lambda observer: observer.on_failure(text))

    def _each(self, show: Callable[[Observer], None]) -> None:
        for observer in tuple(self._observers):
            try:
                show(observer)
            except Exception:  # noqa: BLE001 - a watcher's failure is never the run's
                # Silenced before the others hear of it, or two broken ones would never end.
                self._observers.remove(observer)
                self.on_failure(
                    f"{type(observer).__name__} failed and is silent from here; the run goes on"
                )


class Interrupts:
    """The operator's Ctrl-C: once drains, twice cancels. Signals stay outside, so tests need none."""

    def __init__(self) -> None:
        self.count = 0
        self._drain = asyncio.Event()
        self._cancel = asyncio.Event()

    def interrupt(self) -> None:
        """Count one Ctrl-C; from here on nothing new begins, even before anybody is woken."""
        self.count += 1

    def wake(self) -> None:
        """Wake who waits for a Ctrl-C; called inside the event loop, after `interrupt`."""
        self._drain.set()
        if self.count > 1:
            self._cancel.set()

    @property
    def draining(self) -> bool:
        """Whether nothing new may begin."""
        return self.count > 0

    async def drained(self) -> None:
        """Return at the first Ctrl-C."""
        await self._drain.wait()

    async def cancelled(self) -> None:
        """Return at the second Ctrl-C."""
        await self._cancel.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a run submits, polls and gives up; all in seconds.

    At most one submission per `submit_interval_s`: the sibling Migration API documents 5 per minute
    (links-api.md 2.3). `poll_interval_s` fixes the interval, else it grows from 5 s to 60 s.
    """

    submit_interval_s: float = SUBMIT_INTERVAL_S
    poll_interval_s: float | None = None
    connect_retry_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything from outside, handed in by the composition root.

    `audience` stands for all who watch, and never fails; `jitter` draws from 0 to 1.
    """

    send: Send
    ledger: "Ledger"
    clock: Clock
    audience: Observer
    prober: Prober | None = None
    jitter: Callable[[], float] = field(default=lambda: 0.5)

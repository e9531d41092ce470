"""What the executor needs from outside, in its own words.

The ledger and the clock are passed as they are; everything else is one of these small protocols.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from runbook.clock import Clock
from runbook.http import ProbeReading, Send
from runbook.ledger.codec import Event, Row


class Recorder(Protocol):
    """The ledger, as far as a run needs it: durable appends, news from other processes, the lease."""

    def append(self, event: Event, *, run: str | None = None, job: str | None = None) -> Row:
        """Write one event durably and return its row."""
        ...

    def rows(self, *, after: int = 0, kinds: tuple[str, ...] = ()) -> Any:
        """Return an iterator over the rows after a sequence number, of some kinds."""
        ...

    def heartbeat(self) -> None:
        """Say that this process still leads."""
        ...


class Prober(Protocol):
    """Look for one link known from the Data Center on the site that should hold it."""

    async def read(self, site: str, issue: str, target: str, destination: str) -> ProbeReading:
        """Return whether `issue` of `site` has a remote link to issue `target` of `destination`."""
        ...


class Observer(Protocol):
    """Somebody who watches a run: a console, a live report, a JSON stream, nobody."""

    def saw(self, row: Row, event: Event) -> None:
        """Take note of one event that is on disk now."""
        ...

    def waits(self, job: str, until: str, why: str) -> None:
        """Take note that a job waits: for its next poll, a limit, or the submission interval."""
        ...

    def alarm(self, text: str) -> None:
        """Show at once what could not be written down."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a run submits, polls and gives up; all in seconds.

    At most one submission per `submit_interval_s`: the sibling Migration API documents 5 per minute
    (links-api.md 2.3). `poll_interval_s` fixes the interval, else it grows from 5 s to 60 s.
    """

    submit_interval_s: float = 12.0
    poll_interval_s: float | None = None
    connect_retry_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything from outside, handed in by the composition root.

    `audience` stands for all who watch, and never fails; `jitter` draws from 0 to 1.
    """

    send: Send
    recorder: Recorder
    clock: Clock
    audience: Observer
    prober: Prober | None = None
    jitter: Callable[[], float] = field(default=lambda: 0.5)

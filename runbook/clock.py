"""Time as an argument: the real clock, and one that jumps over every wait.

Nothing else in `runbook` reads a clock or sleeps. All datetimes are aware and in UTC.
"""

import contextlib
import heapq
import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Importing it costs more than checking a plan does, so each place that waits imports it.
    import asyncio


class Clock(Protocol):
    """The present, and a way to wait."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""

    def monotonic_s(self) -> float:
        """Return seconds that never run backwards, for intervals and rate limits."""

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""

    def busy(self) -> contextlib.AbstractContextManager[None]:
        """Mark a block that waits for the outside (a request): virtual time stands still in it."""

    def answering(self) -> contextlib.AbstractContextManager[None]:
        """Mark a block in which a simulated server sleeps on purpose: virtual time goes on in it."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's present moment in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of real time have passed."""
        import asyncio

        await asyncio.sleep(max(0.0, seconds))

    def busy(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: real time does not stand still."""
        return contextlib.nullcontext()

    answering = busy


class VirtualClock:
    """A clock that jumps to the earliest sleeper as soon as nobody is busy.

    Rehearsals and tests run whole evenings on it. It works with several tasks of one event loop,
    and with real sockets too, as long as requests are made inside `busy()`.
    """

    # After so many turns of the event loop without a request every task is taken to be asleep.
    _SETTLING_TURNS = 25

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._busy = 0
        self._driver: asyncio.Task[None] | None = None
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the virtual present."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Return the virtual seconds since the start."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move the present by hand; sleepers that are due wake at their next turn."""
        self._elapsed_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Return when the virtual present has moved on by `seconds`."""
        import asyncio

        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._order), future))
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        await future

    def busy(self) -> contextlib.AbstractContextManager[None]:
        """Hold virtual time while a request is under way."""
        return self._counted(1)

    def answering(self) -> contextlib.AbstractContextManager[None]:
        """Let virtual time go on although the request that is being answered counts as busy."""
        return self._counted(-1)

    @contextlib.contextmanager
    def _counted(self, step: int) -> Iterator[None]:
        self._busy += step
        try:
            yield
        finally:
            self._busy -= step

    async def _drive(self) -> None:
        import asyncio

        settled = 0
        while self._sleepers:
            # While a request is out a real pause leaves the processor to whoever answers it.
            await asyncio.sleep(0.0002 if self._busy > 0 else 0)
            settled = 0 if self._busy > 0 else settled + 1
            if settled < self._SETTLING_TURNS:
                continue
            settled = 0
            due_s, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._elapsed_s = max(self._elapsed_s, due_s)
                future.set_result(None)


def isoformat_utc(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC with `Z`, seconds or, where there are any, microseconds."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_the_second(moment: datetime) -> str:
    """Return a moment in UTC without its fractions, for messages."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def parse_utc(text: str) -> datetime:
    """Return the moment that `isoformat_utc` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def moment_or_none(text: object) -> datetime | None:
    """Return the moment that a text from outside names, None where it names none."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    # Without an offset it would be read in this machine's own zone.
    return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)

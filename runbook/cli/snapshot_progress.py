"""How a snapshot's progress looks: live bars on a terminal, one line per change elsewhere."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.text import Text

from runbook.cli.console import say
from runbook.clock import Clock
from runbook.operations.root import Root
from runbook.remotelinks.snapshot import SnapshotProgress
from runbook.remotelinks.snapshot_file import Chunk
from runbook.text import plural, span


@dataclass(slots=True)
class _Count:
    """How far a site is; `before` issues were read by an earlier process."""

    total: int
    before: int
    read: int
    begun_s: float

    def rate_per_s(self, now_s: float) -> float:
        return self.read / (now_s - self.begun_s) if now_s > self.begun_s else 0.0


class SnapshotLines(SnapshotProgress):
    """One line on stderr per change: a site counted, a chunk on disk, keys resolved."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[str, _Count] = {}

    def found(self, site: str, total: int, done: int) -> None:
        """Say how many issues are in scope."""
        self._counts[site] = _Count(total, done, 0, self._clock.monotonic_s())
        known = f", {done} read before" if done else ""
        say(f"{_host(site)}: {plural(total, 'issue')} in scope{known}")

    def read(self, site: str) -> None:
        """Count."""
        self._counts[site].read += 1

    def recorded(self, site: str, chunk: Chunk) -> None:
        """Say how far it is, how fast, and how long the rest will take."""
        del chunk
        count = self._counts[site]
        done, rate = count.before + count.read, count.rate_per_s(self._clock.monotonic_s())
        left = f", {span(timedelta(seconds=(count.total - done) / rate))} left" if rate else ""
        say(f"{_host(site)}: {done} of {count.total} issues, {rate:.0f}/s{left}")

    def resolving(self, site: str, keys: int) -> None:
        """Say it."""
        say(f"{_host(site)}: resolving {plural(keys, 'target key')}")


class SnapshotBars(SnapshotProgress):
    """A live bar per site."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def found(self, site: str, total: int, done: int) -> None:
        """Begin a bar."""
        self._tasks[site] = self._bars.add_task(_host(site), total=total, completed=done)

    def read(self, site: str) -> None:
        """Move the bar on."""
        self._bars.advance(self._tasks[site])

    def resolving(self, site: str, keys: int) -> None:
        """Say it above the bars."""
        self._bars.console.print(f"{_host(site)}: resolving {plural(keys, 'target key')}")


@contextlib.contextmanager
def watching(root: Root) -> Iterator[SnapshotProgress]:
    """Yield what shows the progress of a snapshot on stderr."""
    if not sys.stderr.isatty():
        yield SnapshotLines(root.clock)
        return

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _speed_column(),
        TimeLeft(),
        TextColumn("left"),
    )
    console = Console(stderr=True, no_color=root.no_color)
    with Progress(*columns, console=console, refresh_per_second=4) as bars:
        yield SnapshotBars(bars)


def _speed_column() -> Any:

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.0f}/s")

    return Speed()


def _host(site: str) -> str:
    return urlsplit(site).netloc

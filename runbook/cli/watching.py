"""Who watches a run: a live table on a terminal, one line per change elsewhere, JSON, the report.

Observers learn from events that are on disk already; they can never hold a run up or end it.
"""

import contextlib
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path

from rich.console import Console

from runbook.cli.console import say, show_json, unheard_is_fine
from runbook.cli.event_text import clock_time, sentence_of
from runbook.cli.live_table import LiveTable
from runbook.clock import Clock
from runbook.errors import RunbookError
from runbook.execute.ports import Observer
from runbook.ledger.codec import Event, Row
from runbook.ledger.events import RunEnded
from runbook.ledger.store import Ledger
from runbook.operations.root import Root
from runbook.operations.write_report import write_report
from runbook.text import printable

REPORT_EVERY_S = 2.0


class JsonStream:
    """One JSON object per ledger event on stdout; the last one, `run.ended`, holds the counts.

    A reader that goes away (`| head`) silences it; the run goes on.
    """

    def on_event(self, row: Row, event: Event) -> None:
        """Print the row."""
        document = row.as_json()
        if isinstance(event, RunEnded):
            document |= {"state": event.state, "counts": event.counts}
        with unheard_is_fine():
            show_json(document, indent=None)

    def on_wait(self, job: str, until: str, why: str) -> None:
        """Do nothing: waiting is no event."""

    def on_failure(self, text: str) -> None:
        """Say it on stderr."""
        say(f"ALARM {printable(text)}")


class Lines:
    """One line per change on stderr, at the plan's own offset."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._words: dict[str, str] = {}

    def on_event(self, row: Row, event: Event) -> None:
        """Print a line where the event changes what a person knows."""
        text = sentence_of(event)
        key = row.job or ""
        if text and self._words.get(key) != text:
            self._words[key] = text
            say(
                f"{clock_time(row.at, self._zone)}  {f'{row.job}: ' if row.job else ''}{printable(text)}"
            )

    def on_wait(self, job: str, until: str, why: str) -> None:
        """Do nothing: waiting is no change."""

    def on_failure(self, text: str) -> None:
        """Say it loudly."""
        say(f"ALARM {printable(text)}")


class LiveReport:
    """Rewrites the HTML report, at most every two seconds; a failure is said once and ends nothing."""

    def __init__(self, file: Path, ledger: Ledger, clock: Clock) -> None:
        self._file, self._ledger, self._clock = file, ledger, clock
        self._last_s = float("-inf")
        self._broken = False

    def on_event(self, row: Row, event: Event) -> None:
        """Rewrite the report where enough time has passed, and always at the end."""
        ended = isinstance(event, RunEnded)
        if row.run is None or not (
            ended or self._clock.monotonic_s() - self._last_s >= REPORT_EVERY_S
        ):
            return
        self._last_s = self._clock.monotonic_s()
        try:
            write_report(self._file, self._ledger, row.run, led=not ended)
        except (RunbookError, OSError) as problem:
            if not self._broken:
                say(f"the report `{self._file}` cannot be written: {problem}; the run goes on")
            self._broken = True

    def on_wait(self, job: str, until: str, why: str) -> None:
        """Do nothing."""

    def on_failure(self, text: str) -> None:
        """Do nothing: the screen has it."""


@contextlib.contextmanager
def observers_for(
    root: Root, output_format: str, report_file: Path | None, ledger: Ledger, zone: tzinfo
) -> Iterator[tuple[Observer, ...]]:
    """Yield the observers of a run: a stream, lines or a live table, and the report where wanted."""
    found: list[Observer] = []
    with contextlib.ExitStack() as stack:
        if output_format == "json":
            found.append(JsonStream())
        elif root.interactive:
            console = Console(stderr=True, no_color=root.no_color)
            table = LiveTable(root.clock, console, ledger, zone)
            stack.callback(table.close)
            found.append(table)
        else:
            found.append(Lines(zone))
        if report_file is not None:
            found.append(LiveReport(report_file, ledger, root.clock))
        yield tuple(found)

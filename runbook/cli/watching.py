"""Who watches a run: a live table on a terminal, one line per change elsewhere, JSON, the report.

Observers learn from events that are on disk already; they can never hold a run up or end it.
"""

import contextlib
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runbook.cli.console import masked, say, show_json, unheard_is_fine
from runbook.clock import Clock, parse_utc
from runbook.errors import RunbookError
from runbook.execute.ports import Observer
from runbook.ledger.codec import Event, Row
from runbook.ledger.events import (
    JobNotAttempted,
    JobPolled,
    JobResolved,
    JobStalled,
    PlanAmended,
    ProbeRead,
    RoundOpened,
    RunEnded,
    RunResumed,
    RunStarted,
    StopRequested,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
)
from runbook.ledger.store import Ledger
from runbook.operations.reports import write_report
from runbook.operations.root import Root
from runbook.text import added_up, printable, shortened, span
from runbook.view import JobView, after_event, run_of

REPORT_EVERY_S = 2.0


class _SaysAlarms(Observer):
    """An observer of events only, which says a failure on stderr."""

    def on_failure(self, text: str) -> None:
        """Say what could not be written down."""
        say(f"ALARM {printable(text)}")


class JsonStream(_SaysAlarms):
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


class Lines(_SaysAlarms):
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


class LiveReport(Observer):
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
            write_report(self._file, self._ledger, row.run, running=not ended)
        except (RunbookError, OSError) as problem:
            if not self._broken:
                say(f"the report `{self._file}` cannot be written: {problem}; the run goes on")
            self._broken = True


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


# Below this width the last column goes, so that no id is cut.
NARROW_COLUMNS = 100

SYMBOLS = {
    "planned": "·",
    "submitting": "↑",
    "unknown": "?",
    "pending": "…",
    "backup": "…",
    "in_progress": "»",
    "retry": "↻",
    "complete": "✓",
    "error": "✗",
    "refused": "✗",
    "not_attempted": "-",
}


class LiveTable(Observer):
    """One live line per job: state, since when, time left in its window, next poll."""

    def __init__(self, clock: Clock, console: Console, ledger: Ledger, zone: tzinfo) -> None:
        self._clock = clock
        self._console = console
        self._ledger = ledger
        self._zone = zone
        self._jobs: dict[str, JobView] = {}
        self._next: dict[str, tuple[str, str]] = {}
        self._live: Live | None = None

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._live is not None:
            self._live.stop()

    def on_event(self, row: Row, event: Event) -> None:
        """Update the job's line; print what is news above the table."""
        if row.run is not None and isinstance(
            event, RunStarted | RunResumed | PlanAmended | RoundOpened
        ):
            view = run_of(self._ledger.events(), row.run, leased_run=row.run)
            self._jobs = {} if view is None else {job.id: job for job in view.jobs}
            self._begin()
        if row.job is not None and row.job in self._jobs:
            self._jobs[row.job] = after_event(self._jobs[row.job], event, row.moment)
            self._next.pop(row.job, None)
        if isinstance(event, RunResumed | SubmitLost | JobStalled | StopRequested | RunEnded):
            job = f"{row.job} " if row.job else ""
            self._print(f"{clock_time(row.at, self._zone)}  {job}{sentence_of(event)}")

    def on_wait(self, job: str, until: str, why: str) -> None:
        """Show what the job waits for."""
        self._next[job] = (until, why)

    def on_failure(self, text: str) -> None:
        """Print it above the table."""
        self._print(f"ALARM {text}", style="bold red")

    def _begin(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console, refresh_per_second=2, get_renderable=self._table
            )
            self._live.start()

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(masked(printable(text)), markup=False, highlight=False, style=style)

    def _table(self) -> Table:
        narrow = self._console.width < NARROW_COLUMNS
        table = Table(box=None, pad_edge=False, expand=True)
        for name in ("job", "state", "since", "left", "next", *(() if narrow else ("detail",))):
            table.add_column(name, no_wrap=name not in ("job", "detail"), overflow="fold")
        now = self._clock.now()
        for job in self._jobs.values():
            cells = [job.id, *self._cells(job, now)]
            if not narrow:
                cells.append(shortened(masked(job.detail), 60))
            table.add_row(*(Text(cell) for cell in cells))
        return table

    def _cells(self, job: JobView, now: datetime) -> list[str]:
        state = job.state.value
        closes = [pair.closes for pair in job.windows if pair.closes is not None]
        left = [moment - now for moment in closes if moment > now]
        until, why = self._next.get(job.id, ("", ""))
        return [
            f"{SYMBOLS.get(state, '·')} {state.replace('_', ' ')}",
            span(now - job.transitions[-1][0]) if job.transitions else "",
            span(min(left)) if left else ("closed" if closes else "none"),
            f"{why} {span(parse_utc(until) - now)}" if until else why,
        ]


def clock_time(at: str, zone: tzinfo) -> str:
    """Return the time of day of an event at the plan's own offset."""
    return parse_utc(at).astimezone(zone).strftime("%H:%M:%S")


def sentence_of(event: Event) -> str:
    """Return what an event means to the person who watches, empty where it is no news."""
    match event:
        case RunStarted():
            return f"run begins, {len(event.jobs)} jobs"
        case RunResumed():
            return f"run goes on, led by {event.operator}"
        case PlanAmended():
            return "the plan changed, in nothing that was submitted"
        case RoundOpened():
            return f"next round for {', '.join(event.jobs)}: {event.reason}"
        case SubmitIntended():
            return "submitting"
        case SubmitAnswered(meaning="accepted"):
            return f"accepted as {event.uuid}"
        case SubmitAnswered():
            causes = f"; likely: {event.causes[0]}" if event.causes else ""
            return f"{event.meaning.replace('_', ' ')}: {event.detail}{causes}"
        case SubmitLost():
            return f"unknown: {event.reason}"
        case SubmitNotSent():
            return f"not sent, trying again: {event.reason}"
        case JobPolled():
            return event.warning or event.word or ""
        case JobStalled():
            return f"stalled since {event.since}: {event.advice}"
        case JobNotAttempted(why="not_selected"):
            return ""
        case JobNotAttempted():
            return f"not attempted ({event.why}): {event.detail}"
        case JobResolved():
            return f"{event.resolution.replace('_', ' ')}, by the word of {event.by}"
        case ProbeRead():
            return f"probe {event.issue} -> {event.target}: {event.result.replace('_', ' ')} ({event.phase})"
        case StopRequested():
            return f"stop requested by {event.by}: {event.reason}"
        case RunEnded():
            return f"run {event.state}: {added_up(event.counts)}"
        case _:
            return ""

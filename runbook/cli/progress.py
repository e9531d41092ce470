"""Who watches a run: a live table on a terminal, one line per change elsewhere, JSON, the report.

Observers learn from events that are on disk already; they can never hold a run up or end it.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook.cli.console import say, show
from runbook.cli.wiring import Root
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
from runbook.text import added_up, printable, shortened
from runbook.view import JobView, RunView, after_event, job_views, run_of

if TYPE_CHECKING:
    pass

REPORT_EVERY_S = 2.0


class JsonStream:
    """One JSON object per ledger event on stdout; the last one, `run.ended`, holds the counts."""

    def saw(self, row: Row, event: Event) -> None:
        """Print the row."""
        document = row.as_json()
        if isinstance(event, RunEnded):
            document |= {"state": event.state, "counts": event.counts}
        show(json.dumps(document))

    def waits(self, job: str, until: str, why: str) -> None:
        """Do nothing: waiting is no event."""

    def alarm(self, text: str) -> None:
        """Say it on stderr."""
        say(f"ALARM {printable(text)}")


class Lines:
    """One line per change on stderr."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}

    def saw(self, row: Row, event: Event) -> None:
        """Print a line where the event changes what a person knows."""
        text = sentence_of(event)
        key = row.job or ""
        if text and self._words.get(key) != text:
            self._words[key] = text
            say(f"{row.at[11:19]}Z  {f'{row.job}: ' if row.job else ''}{printable(text)}")

    def waits(self, job: str, until: str, why: str) -> None:
        """Do nothing: waiting is no change."""

    def alarm(self, text: str) -> None:
        """Say it loudly."""
        say(f"ALARM {printable(text)}")


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


class LiveTable:
    """One live line per job: state, since when, time left in its window, next poll."""

    def __init__(self, clock: Clock, console: Any) -> None:
        from rich.live import Live

        self._clock = clock
        self._jobs: dict[str, JobView] = {}
        self._next: dict[str, tuple[str, str]] = {}
        self._live = Live(console=console, refresh_per_second=2, get_renderable=self._table)
        self._live.start()

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._live.stop()

    def saw(self, row: Row, event: Event) -> None:
        """Update the job's line; print what is news above the table."""
        if isinstance(event, RunStarted | PlanAmended):
            known = self._jobs
            fresh = job_views(event.jobs, {})
            self._jobs = {key: known.get(key, view) for key, view in fresh.items()}
        if row.job is not None and row.job in self._jobs:
            self._jobs[row.job] = after_event(self._jobs[row.job], event, row.at)
            self._next.pop(row.job, None)
        if isinstance(event, RunResumed | SubmitLost | JobStalled | StopRequested | RunEnded):
            text = sentence_of(event)
            self._live.console.print(
                f"{row.at[11:19]}Z  {row.job or ''} {printable(text)}",
                markup=False,
                highlight=False,
            )

    def knows(self, view: RunView) -> None:
        """Take over what is known of a run that goes on."""
        self._jobs = {job.id: job for job in view.jobs}

    def waits(self, job: str, until: str, why: str) -> None:
        """Show what the job waits for."""
        self._next[job] = (until, why)

    def alarm(self, text: str) -> None:
        """Print it above the table."""
        self._live.console.print(f"ALARM {printable(text)}", markup=False, style="bold red")

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        from runbook.text import span

        table = Table(box=None, pad_edge=False, expand=True)
        for name in ("job", "state", "since", "window left", "next", "detail"):
            table.add_column(name, no_wrap=name != "detail", overflow="fold")
        now = self._clock.now()
        for job in self._jobs.values():
            since = span(now - parse_utc(job.transitions[-1][0])) if job.transitions else ""
            closes = [parse_utc(w["closes"]) for w in job.windows if w.get("closes")]
            left = [moment - now for moment in closes if moment > now]
            until, why = self._next.get(job.id, ("", ""))
            soon = f"{why} {span(parse_utc(until) - now)}" if until else why
            table.add_row(
                Text(job.id),
                Text(_SYMBOLS.get(job.state.value, "·") + " " + job.state.value.replace("_", " ")),
                since,
                span(min(left)) if left else ("closed" if closes else "none"),
                soon,
                Text(shortened(job.detail, 60)),
            )
        return table


_SYMBOLS = {
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


class LiveReport:
    """Rewrites the HTML report, at most every two seconds; a failure is said once and ends nothing."""

    def __init__(self, file: Path, ledger: Ledger, clock: Clock) -> None:
        self._file, self._ledger, self._clock = file, ledger, clock
        self._last_s = float("-inf")
        self._broken = False

    def saw(self, row: Row, event: Event) -> None:
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

    def waits(self, job: str, until: str, why: str) -> None:
        """Do nothing."""

    def alarm(self, text: str) -> None:
        """Do nothing: the screen has it."""


def write_report(file: Path, ledger: Ledger, run: str, *, led: bool = False) -> None:
    """Write the HTML report of a run as the ledger knows it now."""
    from runbook.cli.files import write_atomically
    from runbook.report import build, render

    view = run_of(ledger.events(), run, led=run if led else None)
    if view is not None:
        write_atomically(file, render(build(view)))


@contextlib.contextmanager
def observers_for(
    root: Root, output_format: str, report_file: Path | None, ledger: Ledger
) -> Iterator[tuple[Observer, ...]]:
    """Yield the observers of a run: a stream, lines or a live table, and the report where wanted."""
    found: list[Observer] = []
    table: LiveTable | None = None
    if output_format == "json":
        found.append(JsonStream())
    elif root.interactive:
        from rich.console import Console

        table = LiveTable(root.clock, Console(stderr=True, no_color=root.no_color))
        found.append(table)
    else:
        found.append(Lines())
    if report_file is not None:
        found.append(LiveReport(report_file, ledger, root.clock))
    try:
        yield tuple(found)
    finally:
        if table is not None:
            table.close()

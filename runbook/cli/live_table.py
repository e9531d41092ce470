"""The live table of a run on a terminal: one line per job, redrawn twice a second.

It begins with the run, not before: a question is asked on a quiet screen.
"""

from datetime import datetime, tzinfo

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runbook.cli.console import masked
from runbook.cli.event_text import clock_time, sentence_of
from runbook.clock import Clock, parse_utc
from runbook.ledger.codec import Event, Row
from runbook.ledger.events import (
    JobStalled,
    PlanAmended,
    RoundOpened,
    RunEnded,
    RunResumed,
    RunStarted,
    StopRequested,
    SubmitLost,
)
from runbook.ledger.store import Ledger
from runbook.text import printable, shortened, span
from runbook.view import JobView, after_event, run_of

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


class LiveTable:
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
            view = run_of(self._ledger.events(), row.run, led=row.run)
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

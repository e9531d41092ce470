"""The live table of a run on a terminal."""

import io
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from rich.console import Console

from runbook.cli.watching import LiveTable
from runbook.clock import VirtualClock
from runbook.ledger.events import SubmitLost
from runbook.ledger.store import create_ledger
from runbook.operations.root import process_mask
from runbook.secrets import Account, Mask, Secret
from tests.canary import CANARY
from tests.evening import RUN, START, answered, intended, lost, polled, run_ended, run_started

ZONE = timezone(timedelta(hours=1))


def drawn(tmp_path: Path, width: int) -> str:
    """Play a small evening into a table and return everything that came to the screen."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, no_color=True)
    clock = VirtualClock(START.astimezone(UTC))
    with create_ledger(tmp_path / "x.ledger", clock=clock, mask=Mask()) as ledger:
        table = LiveTable(clock, console, ledger, ZONE)
        events = [
            (None, run_started()),
            ("one", intended()),
            ("one", answered()),
            ("one", polled("in_progress")),
            ("two", intended()),
            ("two", lost()),
            (None, run_ended("needs_person", 7)),
        ]
        for job, event in events:
            row = ledger.append(event, run=RUN, job=job)
            table.on_event(row, event)
        table.on_wait("one", "2026-11-22T19:01:00Z", "for its status")
        table.close()
    return screen.getvalue()


@pytest.mark.parametrize("width", [60, 80, 160])
def test_every_job_has_a_line_with_its_state(tmp_path: Path, width: int) -> None:
    shown = drawn(tmp_path, width)
    for words in ("one", "two", "three", "» in progress", "? unknown", "· planned"):
        assert words in shown


def test_no_credential_comes_to_the_screen_not_even_its_beginning(tmp_path: Path) -> None:
    """In the table, where words are cut, above it, and in an alarm."""
    process_mask().add(Account("default", "j@x.example", Secret(CANARY)))
    screen = io.StringIO()
    console = Console(file=screen, width=300, force_terminal=True, no_color=True)
    clock = VirtualClock(START)
    with create_ledger(tmp_path / "x.ledger", clock=clock, mask=process_mask()) as ledger:
        table = LiveTable(clock, console, ledger, ZONE)
        started = run_started()
        table.on_event(ledger.append(started, run=RUN), started)
        for cut in range(30, 60, 4):
            event = SubmitLost(reason=f"{'x' * cut} {CANARY}")
            table.on_event(ledger.append(event, run=RUN, job="two"), event)
        table.on_failure(f"the server said {CANARY}")
        table.close()
    assert "***" in screen.getvalue()
    assert CANARY[:4] not in screen.getvalue()


def test_nothing_is_drawn_before_the_run_begins(tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True)
    clock = VirtualClock(START)
    with create_ledger(tmp_path / "x.ledger", clock=clock, mask=Mask()) as ledger:
        LiveTable(clock, console, ledger, ZONE).close()
    assert screen.getvalue() == ""


def test_what_is_news_stays_on_the_screen_at_the_plans_own_time(tmp_path: Path) -> None:
    shown = drawn(tmp_path, 160)
    assert "20:00:00  two unknown: " in shown

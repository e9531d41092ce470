"""A plan is carried out and rehearsed through the operations alone: no terminal, no click."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta, tzinfo
from pathlib import Path

import httpx
import pytest

from runbook.clock import VirtualClock
from runbook.errors import ExitCode, UsageError
from runbook.execute.ports import Observer
from runbook.ledger.codec import Event, Row
from runbook.ledger.events import RunEnded
from runbook.ledger.store import Ledger
from runbook.operations.rehearse import RehearsalOptions, RehearsalScreen, rehearse_in_file
from runbook.operations.root import Root
from runbook.operations.run import RunOptions, RunResult, RunScreen, RunSummary, run_in_ledger
from runbook.plan import read_plan
from runbook.simulator.app import make_app
from runbook.simulator.populate import world_of
from tests.flows.evening import CUTOVER, EMAIL, TOKEN, plan_text


class Kept:
    """An observer that keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, row: Row, event: Event) -> None:
        self.events.append(event)

    def on_wait(self, job: str, until: str, why: str) -> None: ...

    def on_failure(self, text: str) -> None:
        raise AssertionError(text)


def screen_of(observer: Observer, confirm: Callable[[RunSummary], None]) -> RunScreen:
    @contextlib.contextmanager
    def observers(ledger: Ledger, zone: tzinfo) -> Iterator[tuple[Observer, ...]]:
        assert ledger.path.exists()
        assert zone.utcoffset(None) == timedelta(hours=1)
        yield (observer,)

    return RunScreen(confirm=confirm, observers=observers)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(plan_text(("eng", "ops")), encoding="utf-8")
    return path


@pytest.fixture
def root(plan: Path) -> Root:
    clock = VirtualClock(CUTOVER + timedelta(minutes=5))
    world = world_of(read_plan(plan), clock=clock)
    return Root(
        environ={"RUNBOOK_EMAIL": EMAIL, "RUNBOOK_API_TOKEN": TOKEN},
        clock=clock,
        interactive=False,
        transport=lambda: httpx.ASGITransport(app=make_app(world)),
    )


def test_a_plan_is_carried_out_once_and_a_second_call_sends_nothing(root: Root, plan: Path) -> None:
    kept, summaries = Kept(), list[RunSummary]()
    screen = screen_of(kept, summaries.append)
    first = run_in_ledger(root, RunOptions(plan=plan), screen)
    assert first.ending.exit_code is ExitCode.DONE
    assert {job.id: job.state.value for job in first.view.jobs} == {
        "eng-to-ops": "complete",
        "ops-to-eng": "complete",
    }
    assert [list(summary.sending.todo) for summary in summaries] == [["eng-to-ops", "ops-to-eng"]]
    assert isinstance(kept.events[-1], RunEnded)
    again = run_in_ledger(root, RunOptions(plan=plan), screen)
    assert (again.view.id, again.ending.exit_code) == (first.view.id, ExitCode.DONE)
    assert len(summaries) == 1, "nobody is asked where nothing is sent"


def test_a_no_of_the_person_sends_nothing(root: Root, plan: Path) -> None:
    def say_no(_: RunSummary) -> None:
        raise UsageError("no")

    kept = Kept()
    with pytest.raises(UsageError):
        run_in_ledger(root, RunOptions(plan=plan), screen_of(kept, say_no))
    assert kept.events == []


def test_an_evening_is_rehearsed_with_what_it_says_as_values(root: Root, plan: Path) -> None:
    said: list[str] = []
    results: list[RunResult] = []
    screen = RehearsalScreen(
        say=said.append,
        run=screen_of(Kept(), lambda _: None),
        closing=results.append,
        outcomes=lambda *_: None,
    )
    assert rehearse_in_file(root, RehearsalOptions(plan=plan), screen) is ExitCode.DONE
    assert said[0].startswith("REHEARSAL of `contoso-split`")
    assert [result.view.started.rehearsal for result in results] == [True]
    assert {job.state.value for job in results[0].view.jobs} == {"complete"}


def test_the_operations_load_no_command_line() -> None:
    check = (
        "import sys, runbook.operations.run, runbook.operations.rehearse; "
        "print([name for name in sys.modules if name.startswith('runbook.cli')])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""`runbook runs`: all runs of the ledger."""

import json
from pathlib import Path

import pytest

from tests.cli.ledgers import call, write_ledger
from tests.evening import answered, intended, polled, run_started

DONE = (("one", intended()), ("one", answered()), ("one", polled("complete")))


@pytest.fixture
def two_runs(ledger_path: Path) -> Path:
    write_ledger(ledger_path, (run_started(rehearsal=True), *DONE), run="run-a")
    return write_ledger(ledger_path, (run_started(),), run="run-b")


def test_every_run_is_listed_oldest_first(
    two_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, with what is known in one word, and a rehearsal marked as one."""
    assert call("runs", "--ledger", str(two_runs)) == 0
    shown = capsys.readouterr()
    head, first, second = shown.out.splitlines()
    assert head.split()[:2] == ["run", "plan"]
    assert first.startswith("run-a")
    assert "REHEARSAL" in first
    assert second.startswith("run-b")
    assert "3 = 2 planned + 1 complete" in first
    assert "2 runs in" in shown.err


def test_the_json_lists_runs_with_their_counts(
    two_runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each as in `status`, and its counts add up."""
    assert call("runs", "--format", "json", "--ledger", str(two_runs)) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    assert [run["id"] for run in document["runs"]] == ["run-a", "run-b"]
    assert all(sum(run["counts"].values()) == 3 for run in document["runs"])


def test_a_ledger_without_runs_is_an_empty_list(
    ledger_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is wrong with it."""
    write_ledger(ledger_path, ())
    assert call("runs", "--format", "json", "--ledger", str(ledger_path)) == 0
    assert json.loads(capsys.readouterr().out) == {"format": 1, "runs": []}
    assert call("runs", "--ledger", str(ledger_path)) == 0
    assert capsys.readouterr().out == ""

"""`runbook status`: every job listed, counts that add up, the exact words for a person."""

import json
import os
import platform
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.cli.status import window_left
from runbook.clock import VirtualClock, isoformat_utc
from runbook.errors import UsageError
from runbook.ledger.events import ProbeRead, RunResumed, StopRequested
from runbook.ledger.store import LeaseOwner, open_ledger
from runbook.operations.find_run import find_run
from runbook.secrets import Mask
from runbook.view import runs_of
from tests.cli.ledgers import call, write_ledger
from tests.evening import (
    RUN,
    START,
    UUID,
    answered,
    intended,
    lost,
    polled,
    recorded,
    run_ended,
    run_started,
)

DONE = (("one", intended()), ("one", answered()), ("one", polled("complete")))
UNKNOWN = (("two", intended()), ("two", lost()))


@pytest.fixture
def ledger(ledger_path: Path) -> Path:
    events = (run_started(), *DONE, *UNKNOWN, run_ended("needs_person", 7))
    return write_ledger(ledger_path, events)


def test_the_json_is_the_documented_one(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly the keys of the design, every job, counts that add up."""
    assert call("status", "--format", "json", "--ledger", str(ledger)) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["format", "run", "counts", "jobs"]
    assert document["format"] == 1
    assert set(document["run"]) == {
        "id",
        "plan",
        "digest",
        "jobs_digest",
        "state",
        "verification",
        "started_at",
        "ended_at",
        "operator",
    }
    assert document["run"]["state"] == "needs_person"
    assert {tuple(job) for job in document["jobs"]} == {
        (
            "id",
            "state",
            "uuid",
            "site",
            "siteId",
            "submitted_at",
            "ended_at",
            "submissions",
            "last_status",
            "stalled_since",
            "detail",
        )
    }
    assert sum(document["counts"].values()) == len(document["jobs"]) == 3
    first, second, third = document["jobs"]
    assert (first["state"], first["uuid"], first["siteId"]) == ("complete", UUID, "a")
    assert (second["state"], second["submissions"]) == ("unknown", 1)
    assert (third["state"], third["submitted_at"]) == ("planned", None)


def test_the_text_names_the_exact_command_for_an_unknown_job(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The three words a person can speak, ready to be copied."""
    assert call("status", "--ledger", str(ledger)) == 0
    shown = capsys.readouterr()
    for word in ("--send-again", "--accepted UUID", "--accepted-no-id"):
        assert f"runbook resolve {RUN} two {word}" in shown.out
    assert "jobs: 3 = 1 planned + 1 unknown + 1 complete" in shown.out
    assert "needs a person" in shown.out
    assert "nobody has looked yet whether the links arrived" in shown.out
    assert "next: " in shown.err
    assert "\x1b" not in shown.out + shown.err


def test_times_are_in_the_offset_of_the_plan(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan was written at +01:00."""
    call("status", "--ledger", str(ledger))
    assert "2026-11-22 20:00:01 +01:00" in capsys.readouterr().out


@pytest.mark.parametrize("named", ["latest", RUN, RUN[:5], RUN[:-1]])
def test_a_run_is_found_by_id_prefix_or_latest(
    ledger: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    """Whatever is unique will do."""
    assert call("status", named, "--format", "json", RUNBOOK_LEDGER=str(ledger)) == 0
    assert json.loads(capsys.readouterr().out)["run"]["id"] == RUN


BAD_NAMES = {
    "no such run": ("zzz", "has no run `zzz`"),
    "empty": ("", "has no run ``"),
    "ambiguous": ("run-", "is the beginning of 2 runs: `run-a` (contoso-split), `run-b`"),
}


@pytest.mark.parametrize("case", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_a_name_that_means_no_single_run_is_refused(case: tuple[str, str]) -> None:
    """The candidates are named."""
    views = runs_of([*recorded(run_started(), run="run-a"), *recorded(run_started(), run="run-b")])
    with pytest.raises(UsageError) as caught:
        find_run(views, case[0])
    assert case[1] in str(caught.value)


def test_an_id_that_is_the_beginning_of_another_is_still_found() -> None:
    """An exact id wins over prefixes."""
    views = runs_of([*recorded(run_started(), run="run"), *recorded(run_started(), run="run-2")])
    assert find_run(views, "run").id == "run"


def test_a_ledger_without_runs(ledger_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for the latest of nothing is a mistake in the command."""
    write_ledger(ledger_path, ())
    assert call("status", "--ledger", str(ledger_path)) == 2
    assert "holds no run yet" in capsys.readouterr().err


def test_no_ledger_is_exit_9(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And none is made by looking."""
    path = tmp_path / "absent.ledger"
    for command in (["status"], ["runs"], ["ledger", "verify"], ["ledger", "export"]):
        assert call(*command, "--ledger", str(path)) == 9
        assert "no ledger at" in capsys.readouterr().err
    assert not path.exists()


def test_no_folder_is_exit_2(tmp_path: Path) -> None:
    """A ledger path whose folder is not there is a mistake in the command."""
    for command in (["status"], ["runs"], ["ledger", "verify"], ["ledger", "export"]):
        assert call(*command, "--ledger", str(tmp_path / "no" / "x.ledger")) == 2


def test_reading_commands_leave_the_ledger_byte_for_byte(ledger: Path) -> None:
    """Nothing is ever written by looking."""
    before = ledger.read_bytes()
    for command in (["status"], ["runs"], ["ledger", "verify"], ["ledger", "export"]):
        assert call(*command, "--ledger", str(ledger)) == 0
    assert ledger.read_bytes() == before
    assert [entry.name for entry in ledger.parent.iterdir()] == [ledger.name]


def lead(ledger: Path, clock: VirtualClock, machine: str, events: tuple[Any, ...] = ()) -> None:
    with open_ledger(ledger, clock=clock, mask=Mask()) as opened:
        opened.acquire_lease(LeaseOwner(token="x", operator="K", pid=os.getpid(), machine=machine))
        for event in events:
            opened.append(event, run=RUN)
        opened._lease = None


RESUMED = RunResumed(
    operator="K", machine="m", tool_version="1", findings=[], options={}, site_ids={}
)
LEADERS = {
    "a living process here that resumed it": (platform.node(), (RESUMED,), 0, "running"),
    "a process elsewhere that resumed it": ("elsewhere", (RESUMED,), 59, "running"),
    "a process elsewhere, silent for a minute": ("elsewhere", (RESUMED,), 60, "needs_person"),
    "a process that leads for another purpose": (platform.node(), (), 0, "needs_person"),
    "a process that ended the run": (
        platform.node(),
        (RESUMED, run_ended("needs_person", 7)),
        0,
        "needs_person",
    ),
}


@pytest.mark.parametrize("case", LEADERS.values(), ids=LEADERS.keys())
def test_a_run_is_running_while_its_process_lives(
    ledger: Path, capsys: pytest.CaptureFixture[str], case: tuple[str, tuple[Any, ...], float, str]
) -> None:
    """The lease and what was done under it tell."""
    machine, events, silent_s, expected = case
    clock = VirtualClock(START + timedelta(minutes=5))
    lead(ledger, clock, machine, events)
    clock.advance(silent_s)
    assert call("status", "--format", "json", "--ledger", str(ledger), clock=clock) == 0
    assert json.loads(capsys.readouterr().out)["run"]["state"] == expected


def window(opens: float, safe: float, closes: float) -> dict[str, str]:
    hours = {"opens": opens, "safe_closes": safe, "closes": closes}
    moments = {key: isoformat_utc(START + timedelta(hours=h)) for key, h in hours.items()}
    return {"from": "w1", "to": "w1", **moments}


WINDOWS: dict[str, tuple[list[dict[str, str]], str]] = {
    "open": ([window(-1, 76, 80)], "safe for 3 d 4 h"),
    "late": ([window(-9, -1, 5)], "late, at most 5 h"),
    "closed": ([window(-9, -5, -1)], "closed"),
    "not yet": ([window(2, 5, 9)], "opens in 2 h"),
    "never": ([window(5, 1, 2)], "never open"),
    "the next end of several": (
        [window(-1, 5, 9), window(-1, 2, 9)],
        "safe for 2 h (2 of 2 pairs)",
    ),
    "one of two": ([window(-9, -5, -1), window(-1, 2, 9)], "safe for 2 h (1 of 2 pairs)"),
    "no date": (
        [{"from": "a", "to": "b", "opens": None, "safe_closes": None, "closes": None}],
        "not yet",
    ),
    "no pair": ([], "unknown"),
}


@pytest.mark.parametrize("case", WINDOWS.values(), ids=WINDOWS.keys())
def test_what_is_left_of_a_window(case: tuple[list[dict[str, str]], str]) -> None:
    """In words, with the time left."""
    started = run_started()
    (found,) = runs_of(recorded(run_started(jobs=[{**started.jobs[0], "windows": case[0]}])))
    assert window_left(found.jobs[0], START) == case[1]


def test_a_known_link_that_did_not_arrive_needs_a_person(
    ledger_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the suspects in order and the exact commands."""
    probe = ProbeRead(
        phase="after", issue="ENG-1", target="OPS-7", result="not_arrived", detail="", exchanges=[]
    )
    write_ledger(ledger_path, (run_started(), *DONE, ("one", probe)))
    assert call("status", "--ledger", str(ledger_path)) == 0
    out = capsys.readouterr().out
    assert "a known link did not arrive (ENG-1 -> OPS-7)" in out
    assert f"runbook resolve {RUN} one --accepted-no-id" in out


def test_hostile_words_reach_the_terminal_without_controls(
    ledger_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server's words, a reason, an operator: none may move the cursor or add a line."""
    evil = "\x1b[2J\r\nfake: all complete\u202e\x07\x9b31m"
    events = (
        run_started(operator=evil, machine=evil, plan_name=evil, plan_file=evil),
        ("one", intended()),
        ("one", answered("refused", detail=evil)),
        StopRequested(reason=evil, by=evil),
    )
    write_ledger(ledger_path, events)
    for command in ("status", "runs"):
        assert call(command, "--ledger", str(ledger_path)) == 0
        shown = capsys.readouterr()
        for text in (shown.out, shown.err):
            assert not set(text) & set("\x1b\r\x07\x9b\u202e")
            assert not any(line.startswith("fake") for line in text.splitlines())

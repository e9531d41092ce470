"""`runbook check`: the documented code at the right line, and what is left to do."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook.checks.codes import CODES
from runbook.clock import VirtualClock
from tests.cli.ledgers import call
from tests.plan.plans import PLAN

ROOT = Path(__file__).resolve().parents[2]
WRONG = sorted((ROOT / "tests" / "data" / "plans").glob("RB*.yaml"))
SUBMITTER = {"RUNBOOK_EMAIL": "admin@contoso.example"}
NOW = datetime(2031, 5, 1, tzinfo=UTC)


def check_json(capsys, *argv, **environ):
    """Return exit code and the document of `check --format json`."""
    code = call("check", *map(str, argv), "--format", "json", clock=VirtualClock(NOW), **environ)
    return code, json.loads(capsys.readouterr().out)


def seen(plan):
    """Return code and line of every finding that counts, less the note that nobody asked."""
    return [
        (one["code"], one["line"])
        for one in plan["findings"]
        if one["code"] != "RB690" and not one["waived"]
    ]


def test_there_is_a_plan_for_every_code_that_a_file_alone_can_show():
    assert [path.stem for path in WRONG] == [code for code in CODES if code < "RB6"]


@pytest.mark.parametrize("path", WRONG, ids=[path.stem for path in WRONG])
def test_a_wrong_plan_gives_exactly_its_code_at_the_marked_line(capsys, path):
    marked = [
        (path.stem, number)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if f"<- {path.stem}" in line
    ]
    code, document = check_json(capsys, path, **SUBMITTER)
    (plan,) = document["plans"]
    assert seen(plan) == marked
    assert len(marked) == 1
    severity = CODES[path.stem][0].value
    assert next(o for o in plan["findings"] if o["code"] == path.stem)["severity"] == severity
    assert code == (3 if severity == "error" else 0)
    assert plan["may_run"] is (severity != "error")


@pytest.mark.parametrize("path", WRONG, ids=[path.stem for path in WRONG])
def test_the_text_shows_the_line_a_caret_and_what_to_do(capsys, path):
    call("check", str(path), clock=VirtualClock(NOW), **SUBMITTER)
    out = capsys.readouterr().out
    block = out[out.index(f"[{path.stem}]") :].split("\n\n")[0].splitlines()
    line, column = map(int, re.search(rf"{path.stem}\.yaml:(\d+):(\d+)$", block[1]).groups())
    assert block[3].startswith(f"{line} | ")
    assert block[4].index("^") == len(f"{line} | ") + column - 1
    assert "= hint: " in block[5]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "plans").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_example_passes_for_ever_even_strictly(capsys, path):
    code, document = check_json(capsys, path, "--strict")
    (plan,) = document["plans"]
    assert (code, seen(plan), plan["may_run"]) == (0, [], True)
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=")


def test_the_json_has_the_documented_shape(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN + "waive:\n  - {code: RB690, reason: later, by: me}\n")
    code, document = check_json(capsys, path)
    assert code == 0
    assert list(document) == ["format", "plans"]
    (plan,) = document["plans"]
    assert list(plan) == ["file", "name", "digest", "instances", "may_run", "counts", "findings"]
    assert (document["format"], plan["file"], plan["name"]) == (1, str(path), "contoso-split")
    assert plan["instances"] == 2
    assert re.fullmatch("[0-9a-f]{64}", plan["digest"])
    assert plan["counts"] == {"error": 0, "warning": 0, "note": 0, "waived": 1}
    (one,) = plan["findings"]
    assert one["waived"] == {"by": "me", "reason": "later"}
    assert set(one) == {
        *("code", "severity", "message", "hint", "instance"),
        *("path", "file", "line", "column", "waived"),
    }


def test_several_plans_are_each_their_own(capsys, tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text(PLAN)
    missing = tmp_path / "missing.yaml"
    code, document = check_json(capsys, good, missing, good)
    assert code == 3
    assert [plan["may_run"] for plan in document["plans"]] == [True, False, True]
    (finding,) = document["plans"][1]["findings"]
    assert (finding["code"], document["plans"][1]["digest"]) == ("RB100", None)


def test_at_overrides_the_cutover(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    _, document = check_json(capsys, path, "--at", "2026-12-24T18:00:00+01:00")
    assert [code for code, _ in seen(document["plans"][0])] == ["RB202", "RB202"]


@pytest.mark.parametrize("at", ["2026-12-24T18:00:00", "soon", "1999-01-01T00:00:00Z", ""])
def test_at_needs_an_offset(capsys, tmp_path, at):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    assert call("check", str(path), "--at", at) == 2
    assert "hint:" in capsys.readouterr().err


def test_without_cutover_the_present_counts(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("cutover: 2026-11-20T20:00:00+01:00\n", ""))
    _, document = check_json(capsys, path)
    assert [code for code, _ in seen(document["plans"][0])] == ["RB202", "RB202"]


def test_strict_lets_warnings_fail(capsys):
    path = str(ROOT / "tests" / "data" / "plans" / "RB501.yaml")
    assert call("check", path) == 0
    assert call("check", path, "--strict") == 3


def test_a_waived_error_stays_visible_and_may_run(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    text = PLAN.replace("authorized: true, by: J. Doe, at: 2026-11-19T09:15:00+01:00", "by: J. Doe")
    path.write_text(
        text + "waive: [{code: RB301, instance: eng-to-ops, reason: by phone, by: K}]\n"
    )
    assert call("check", str(path)) == 0
    out = capsys.readouterr().out
    assert "waived error[RB301]" in out
    assert "= waived by K: by phone" in out
    assert "0 errors, 0 warnings, 1 note, 1 waived: may run" in out


def test_the_end_says_what_is_left_and_how_long(capsys):
    assert call("check", str(ROOT / "plans" / "contoso-split.yaml")) == 0
    out = capsys.readouterr().out
    assert "left to do: nothing in this plan" in out
    assert "rounds: 1 serves every pair" in out
    assert "next window closes: 2026-11-27 18:00 +01:00, 4 d 22 h after the planned moment" in out


def test_what_is_left_is_grouped_by_sign_in(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("authorized: true", "authorized: false"))
    assert call("check", str(path)) == 3
    out = capsys.readouterr().out
    assert "authorize 2 app links" in out
    assert "signed in at https://contoso-eng.atlassian.net: eng-to-ops" in out


def test_unreadable_plans_are_shown_with_their_line(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"format: 1\nname: M\xfcller\n")
    assert call("check", str(path)) == 3
    out = capsys.readouterr().out
    assert f"{path}:2:8" in out
    assert "Latin-1" in out
    assert "Traceback" not in out


BINARY = {
    "a program": b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00\xd0\xff",
    "an archive": b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x8d\x35\x76]\xa8a hello",
    "noise": bytes(range(256)).replace(b"\n", b"") * 4,
    "UTF-16": "format: 1\nname: contoso\n".encode("utf-16"),
    "a database": b"SQLite format 3\x00\x10\x00\x01\x01\x00\xdf\x20",
}


@pytest.mark.parametrize("content", BINARY.values(), ids=BINARY.keys())
def test_a_binary_file_is_not_quoted(capsys, tmp_path, content):
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    assert call("check", str(path)) == 3
    out = capsys.readouterr().out
    assert "error[RB100]" in out
    assert f"{path}:1:" in out
    assert " | " not in out
    assert "^" not in out
    assert "\ufffd" not in out


def test_a_text_with_an_odd_byte_is_quoted(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"format: 1\nname: M\xfcller \x1b[2J\n")
    assert call("check", str(path)) == 3
    assert "2 | name: M\ufffdller [2J" in capsys.readouterr().out


LATE_WAVE = (
    "      - {started: 2026-11-13T18:00:00Z, finished: 2026-11-14T02:00:00Z}\n"
    "      - {name: late, finished: 2026-11-21T10:00:00+01:00}\n"
)
BEFORE_ROUND_1 = {
    "some pairs wait": (
        (),
        "the planned moment lies before round 1: some pairs wait for it, see RB206",
    ),
    "every pair waits": (
        ("--at", "2026-11-13T20:00:00+01:00"),
        "the planned moment lies before round 1: no pair is open then, see RB203",
    ),
    "it lies in round 1": (("--at", "2026-11-22T20:00:00+01:00"), ""),
}


@pytest.mark.parametrize(("more", "words"), BEFORE_ROUND_1.values(), ids=BEFORE_ROUND_1.keys())
def test_a_planned_moment_before_the_first_round_is_said(capsys, tmp_path, more, words):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace(LATE_WAVE.splitlines(keepends=True)[0], LATE_WAVE, 1))
    call("check", str(path), *more)
    out = capsys.readouterr().out
    assert "rounds: 1 serves every pair" in out
    assert words in out
    assert ("lies before" in out) == bool(words)


def test_without_a_planned_moment_the_present_lies_before_the_first_round(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    text = PLAN.replace("cutover: 2026-11-20T20:00:00+01:00\n", "")
    path.write_text(text)
    clock = VirtualClock(datetime(2026, 11, 1, tzinfo=UTC))
    call("check", str(path), clock=clock)
    assert "the present lies before round 1" in capsys.readouterr().out


def test_a_folder_is_a_wrong_call(capsys, tmp_path):
    assert call("check", str(tmp_path)) == 2
    assert "is a folder" in capsys.readouterr().err


def test_hostile_text_cannot_move_the_cursor(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(
        PLAN.replace("name: contoso-split", 'name: "\\e[31m\\u202Ex"'), encoding="utf-8"
    )
    assert call("check", str(path)) == 3
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_word_of_a_megabyte_is_shown_in_part(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("name: contoso-split", "name: " + "X" * 1_000_000))
    assert call("check", str(path)) == 3
    assert len(capsys.readouterr().out) < 5_000


def test_evidence_is_looked_for_beside_the_plan(capsys, tmp_path, monkeypatch):
    (tmp_path / "plan").mkdir()
    shutil.copy(ROOT / "tests" / "data" / "plans" / "RB304.yaml", tmp_path / "plan")
    (tmp_path / "plan" / "evidence").mkdir()
    (tmp_path / "plan" / "evidence" / "not-there.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    _, document = check_json(capsys, Path("plan") / "RB304.yaml")
    assert seen(document["plans"][0]) == []


def test_checking_writes_no_ledger(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("migratedFrom:", "createBackup: true\n    migratedFrom:", 1))
    assert call("check", str(path)) == 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_ledger_that_is_none_is_said_so(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("migratedFrom:", "createBackup: true\n    migratedFrom:", 1))
    (tmp_path / "runbook.ledger").write_text("not a ledger")
    assert call("check", str(path)) == 9


def test_online_without_a_credential_is_a_note_with_the_reason(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    code, document = check_json(capsys, path, "--online")
    (note,) = document["plans"][0]["findings"]
    assert (code, note["code"], note["severity"]) == (0, "RB690", "note")
    assert "RUNBOOK_EMAIL" in note["message"]

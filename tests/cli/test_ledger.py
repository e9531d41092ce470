"""`runbook ledger`: the chain checked row by row, and all events as NDJSON."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from runbook.ledger.codec import FIRST_HASH, chain_hash
from tests.cli.ledgers import call, write_ledger
from tests.evening import RUN, answered, intended, lost, run_started

EVENTS = (
    run_started(),
    ("one", intended()),
    ("one", answered(detail="grün → \x1b[1m")),
    ("two", lost()),
)


@pytest.fixture
def ledger(ledger_path: Path) -> Path:
    return write_ledger(ledger_path, EVENTS)


def alter(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement)
        for _, sql in triggers:
            db.execute(sql)
    db.close()


def test_a_whole_ledger_verifies(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0, with the number of rows and the head to compare elsewhere."""
    assert call("ledger", "verify", "--ledger", str(ledger)) == 0
    shown = capsys.readouterr()
    assert "rows: 4\nhead: " in shown.out
    assert "the chain is whole" in shown.err


def test_an_altered_ledger_is_exit_9_and_every_row_is_named(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both damages, not only the first."""
    alter(ledger, "UPDATE event SET payload = '{}' WHERE seq IN (2, 4)")
    assert call("ledger", "verify", "--ledger", str(ledger)) == 9
    shown = capsys.readouterr()
    assert "row 2: row 2 (submit.intended) was changed" in shown.out
    assert "row 4: row 4 (submit.lost) was changed" in shown.out
    assert "take the last good copy" in shown.err


def test_the_result_as_json(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For other programs, also of a damaged ledger."""
    assert call("ledger", "verify", "--format", "json", "--ledger", str(ledger)) == 0
    whole = json.loads(capsys.readouterr().out)
    assert (whole["format"], whole["whole"], whole["rows"], whole["damages"]) == (1, True, 4, [])
    alter(ledger, "DELETE FROM event WHERE seq = 2")
    assert call("ledger", "verify", "--format", "json", "--ledger", str(ledger)) == 9
    damaged = json.loads(capsys.readouterr().out)
    assert damaged["damages"] == [{"seq": 3, "problem": "row 2 is missing, row 3 follows"}]


def test_other_commands_refuse_an_altered_ledger(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is shown from a ledger that cannot be trusted; the way to the rows is named."""
    alter(ledger, "UPDATE event SET run = 'x' WHERE seq = 2")
    for command in (["status"], ["runs"], ["ledger", "export"]):
        assert call(*command, "--ledger", str(ledger)) == 9
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "`runbook ledger verify` names every row" in shown.err


def test_the_export_holds_one_object_per_row(
    ledger: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """In order, in UTF-8, with everything that the hash covers."""
    assert call("ledger", "export", "--ledger", str(ledger)) == 0
    lines = capfdbinary.readouterr().out.decode("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["kind"] == "run.started"
    assert {row["run"] for row in rows} == {RUN}
    assert rows[2]["payload"]["detail"] == "grün → \x1b[1m"
    assert all(row["format"] == 1 for row in rows)


def test_an_auditor_can_recompute_the_chain_from_the_export(
    ledger: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Payload in canonical JSON, previous hash first, each field with its length."""
    call("ledger", "export", "--ledger", str(ledger))
    previous = FIRST_HASH
    for line in capfdbinary.readouterr().out.decode("utf-8").splitlines():
        row = json.loads(line)
        payload = json.dumps(
            row["payload"], sort_keys=True, ensure_ascii=False, separators=(",", ":")
        )
        fields = {key: row[key] for key in ("seq", "at", "kind", "run", "job")}
        previous = chain_hash(previous, payload=payload, **fields)
        assert previous == row["hash"]

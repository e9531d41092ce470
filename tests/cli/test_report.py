"""`runbook report`: one run of the ledger as a file, or as JSON."""

import contextlib
import hashlib
import json
import os
from pathlib import Path

import pytest

from runbook.clock import VirtualClock
from runbook.ledger.store import create_ledger
from runbook.secrets import Mask
from tests.cli.ledgers import call
from tests.report import evenings

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of an evening with an unknown outcome."""
    path = tmp_path / "runbook.ledger"
    clock = VirtualClock(evenings.START)
    with create_ledger(path, clock=clock, mask=Mask()) as kept:
        for row in evenings.mixed().rows:
            clock.advance(1)
            kept.append(row.event, run=row.run, job=row.job)
    return path


def test_a_report_is_written_and_said_on_stderr(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is whole, stdout is empty, and the run is named."""
    file = tmp_path / "report.html"
    assert call("report", "latest", "-o", str(file), "--ledger", str(ledger)) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"run `{evenings.RUN}`, needs_person" in said.err
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.endswith("</html>")


def test_the_same_ledger_gives_the_same_file_and_stays_as_it_is(
    ledger: Path, tmp_path: Path
) -> None:
    """A report changes nothing, and twice is once."""
    before = hashlib.sha256(ledger.read_bytes()).hexdigest()
    files = [tmp_path / name for name in ("one.html", "two.html")]
    for file in files:
        assert call("report", evenings.RUN[:12], "-o", str(file), "--ledger", str(ledger)) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert hashlib.sha256(ledger.read_bytes()).hexdigest() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no modes")
def test_a_report_is_the_owners_alone(ledger: Path, tmp_path: Path) -> None:
    """It holds titles and raw answers."""
    for form in ("html", "json"):
        file = tmp_path / f"report.{form}"
        argv = ("latest", "-o", str(file), "--format", form, "--ledger", str(ledger))
        assert call("report", *argv) == 0
        assert file.stat().st_mode & 0o777 == 0o600


def test_json_goes_to_stdout_with_a_dash(ledger: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Data can be piped."""
    assert call("report", "latest", "-o", "-", "--format", "json", "--ledger", str(ledger)) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["format"] == 1
    assert sum(document["counts"].values()) == len(document["jobs"]) == 6


def test_language_and_logo_are_taken(ledger: Path, tmp_path: Path) -> None:
    """A German report with a consultancy's picture."""
    logo, file = tmp_path / "logo.png", tmp_path / "bericht.html"
    logo.write_bytes(PNG)
    asked = ("report", "latest", "-o", str(file), "--lang", "de", "--logo", str(logo))
    assert call(*asked, "--ledger", str(ledger)) == 0
    text = file.read_text(encoding="utf-8")
    assert '<html lang="de">' in text
    assert 'src="data:image/png;base64,' in text
    assert "img-src data:" in text


REFUSED = {
    "a run that is not there": (("report", "nope", "-o", "x.html"), 2, "no run `nope`"),
    "a folder that is not there": (("report", "latest", "-o", "no/x.html"), 2, "is not there"),
    "a folder as the file": (("report", "latest", "-o", "."), 2, "is a folder"),
    "no file named": (("report", "latest"), 2, "Missing option"),
    "a logo that is not there": (("report", "latest", "-o", "x", "--logo", "l.png"), 2, "cannot read the logo"),
    "a logo that is no picture": (("report", "latest", "-o", "x", "--logo", "plan.txt"), 2, "neither PNG"),
    "a logo for JSON": (("report", "latest", "-o", "x", "--format", "json", "--logo", "plan.txt"), 2, "JSON has no logo"),
    "a language that is none": (("report", "latest", "-o", "x", "--lang", "fr"), 2, "'fr'"),
    "a ledger that is not there": (("report", "latest", "-o", "x", "--ledger", "none.ledger"), 9, "no ledger at"),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "code", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_said(
    argv: tuple[str, ...], code: int, words: str, ledger: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One clear error, the documented code, no file left behind."""
    monkeypatch.chdir(tmp_path)
    Path("plan.txt").write_text("format: 1")
    there = set(tmp_path.iterdir())
    assert call(*argv) == code
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert set(tmp_path.iterdir()) == there
    assert ledger.exists()


def test_the_script_in_the_report_recomputes_the_chain(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the report tells an auditor to run ends with the head that the report names."""
    import subprocess
    import sys

    from runbook.report.templates import source

    assert call("report", "latest", "-o", str(tmp_path / "r.html"), "--ledger", str(ledger)) == 0
    script = tmp_path / "chain.py"
    script.write_text(source("check_ledger.py.txt"))
    argv = [sys.executable, str(script), str(ledger)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    last = done.stdout.splitlines()[-1].split()[-1]
    assert f"<code>{last}</code>" in (tmp_path / "r.html").read_text(encoding="utf-8")
    import sqlite3

    with contextlib.closing(sqlite3.connect(ledger)) as db, db:
        db.execute("DROP TRIGGER event_is_final")
        db.execute("UPDATE event SET payload = replace(payload, 'J. Doe', 'J. Roe') WHERE seq = 2")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "row 2 is not as it was written" in done.stderr
    db.close()

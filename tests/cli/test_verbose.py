"""`--verbose`: what the package does, line by line on stderr, and never a credential."""

import logging
import re
from pathlib import Path

import pytest

from runbook.cli.verbose import hide_log, show_log
from runbook.simulator.faults import FaultKind
from tests.canary import CANARY, leaks
from tests.flows.evening import Evening, plan_text, url_of

ENG = url_of("eng")
SAID = {
    "each request with its host, path, answer and connection": (
        "runbook.atlassian.transport: POST contoso-eng.atlassian.net"
        "/rest/api/3/issue/ENG-1/remotelink: 0 ms, 201, fresh connection"
    ),
    "each wait with its reason": "issue/{issue}/remotelink again in 30.2 s: answer 429 (1 of 20)",
    "the ledger": "runbook.ledger.store: ledger ",
}


@pytest.fixture
def evening(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evening:
    text = plan_text(("eng", "ops"))
    made = Evening(tmp_path, capsys, text=text, settings={"own_links": 1.0})
    (tmp_path / "link.json").write_text('{"object": {"url": "https://x.example", "title": "X"}}')
    return made


def spoken(evening: Evening, *flags: str) -> str:
    """Return what a write says on stderr, after a 429 of the site."""
    where = {"path": "*/remotelink", "method": "POST"}
    evening.fault(FaultKind.RETRY_AFTER_SECONDS, where)
    file = str(evening.folder / "link.json")
    words = ("links", "set", ENG, "ENG-1", "--file", file, "--ledger", str(evening.ledger))
    result = evening.command(*flags, *words, "--yes")
    assert result.code == 0, result.err
    return result.err


@pytest.mark.parametrize("line", SAID.values(), ids=SAID.keys())
def test_verbose_says(line: str, evening: Evening) -> None:
    assert line in spoken(evening, "--verbose")


def test_verbose_says_who_leads_the_ledger(evening: Evening) -> None:
    said = evening.command("--verbose", "run", str(evening.plan), "--yes").err
    assert f"lease of {evening.ledger} taken by admin@contoso.example" in said
    assert f"lease of {evening.ledger} given back" in said


def test_verbose_says_why_a_job_of_a_run_waits(evening: Evening) -> None:
    said = evening.command("--verbose", "run", str(evening.plan), "--yes").err
    assert re.search(r"runbook\.execute\.session: job \S+ waits [\d.]+ s for its status", said)


def test_without_verbose_nothing_of_it_is_said(evening: Evening) -> None:
    """Also in a process that was verbose before."""
    loud = spoken(evening, "--verbose")
    quiet = spoken(evening)
    assert "runbook.atlassian" in loud
    assert "runbook.atlassian" not in quiet
    assert not logging.getLogger("runbook").handlers


def test_no_credential_is_said_in_whatever_form(
    evening: Evening, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even where a message holds it, and nothing that a terminal obeys."""
    said = spoken(evening, "--verbose")
    show_log()
    try:
        logging.getLogger("runbook.x").warning("sent %s to \x1b[31m%r", CANARY, CANARY)
        logging.getLogger("httpcore.http11").warning("these are headers")
    finally:
        hide_log()
    written = capsys.readouterr().err
    assert "runbook.x: sent *** to [31m'***'" in written
    assert "these are headers" not in written
    assert not leaks((said + written).encode())

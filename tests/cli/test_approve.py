"""`approve` binds a person and evidence to exactly what will be sent."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.operations.root import Root
from runbook.view import approvals_for

PLAN = """\
format: 1
name: split
sites:
  - url: https://a.atlassian.net
  - url: https://b.atlassian.net
instances:
  - productURL: https://a.atlassian.net
    destinationURL: https://b.atlassian.net
    migratedFrom: https://jira.contoso.example
"""


def root() -> Root:
    clock = VirtualClock(datetime(2026, 11, 20, 10, tzinfo=UTC))
    return Root(environ={"RUNBOOK_OPERATOR": "keyboard"}, clock=clock, interactive=False)


def approve(*argv: str) -> int:
    return main(["approve", *argv], root=root())


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def kept(plan) -> list:
    with root().open_ledger(plan.parent / "runbook.ledger") as ledger:
        return list(ledger.events())


def test_the_approval_is_in_the_ledger_with_person_digest_and_evidence(plan, capsys):
    (plan.parent / "signed.pdf").write_bytes(b"%PDF signed")
    assert approve(str(plan), "--by", "Jane Roe", "--evidence", "signed.pdf") == 0
    said = capsys.readouterr()
    (seen,) = kept(plan)
    assert (seen.kind, seen.run, seen.job) == ("approval.given", None, None)
    assert (seen.event.by, seen.event.operator) == ("Jane Roe", "keyboard")
    sha256 = hashlib.sha256(b"%PDF signed").hexdigest()
    assert seen.event.evidence == {"path": "signed.pdf", "sha256": sha256, "bytes": 11}
    assert said.out.strip() == seen.event.jobs_digest
    assert "the 1 job of `split`" in said.err


def test_only_a_changed_request_needs_a_new_approval(plan, capsys):
    approve(str(plan), "--by", "Jane Roe")
    digest = capsys.readouterr().out.strip()
    plan.write_text(
        PLAN + "    appLink: {authorized: true, by: X, at: 2026-11-20T09:15:00+01:00}\n"
    )
    approve(str(plan), "--by", "Second Person")
    assert capsys.readouterr().out.strip() == digest
    plan.write_text(PLAN + "    createBackup: true\n")
    approve(str(plan), "--by", "Third Person", "--format", "json")
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    assert document["plan"]["jobs_digest"] != digest
    assert [one.by for _, one in approvals_for(kept(plan), digest)] == ["Jane Roe", "Second Person"]


BAD = {
    "a plan with a structural error": (3, PLAN + "    surprise: 1\n", ["--by", "J"]),
    "nobody": (2, PLAN, ["--by", "  "]),
    "no --by": (2, PLAN, []),
    "evidence that is not there": (2, PLAN, ["--by", "J", "--evidence", "absent.pdf"]),
    "evidence outside the plan's folder": (2, PLAN, ["--by", "J", "--evidence", __file__]),
    "a ledger in no folder": (2, PLAN, ["--by", "J", "--ledger", "no/where/x.ledger"]),
}


@pytest.mark.parametrize(("code", "text", "argv"), BAD.values(), ids=BAD)
def test_what_is_refused_leaves_no_ledger(code, text, argv, plan, capsys):
    plan.write_text(text)
    assert approve(str(plan), *argv) == code
    assert not (plan.parent / "runbook.ledger").exists()
    assert capsys.readouterr().out == ""


def test_evidence_that_is_not_there_is_asked_for_as_an_approvals(plan, capsys):
    assert approve(str(plan), "--by", "J", "--evidence", "nope.pdf") == 2
    said = capsys.readouterr().err
    assert "no evidence file `nope.pdf`" in said
    assert "such as the signed sheet or the mail that approves" in said
    assert "screenshot" not in said

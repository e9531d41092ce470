"""`calendar` writes the deadlines of a plan to a file or to stdout."""

from datetime import UTC, datetime

import pytest

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.operations.root import Root

PLAN = """\
format: 1
name: split
{cutover}sites:
  - {{url: https://a.atlassian.net, migrations: [{{finished: 2026-11-14T02:30:00+01:00}}]}}
  - {{url: https://b.atlassian.net, migrations: [{{finished: 2026-11-15T23:10:00+01:00}}]}}
instances:
  - productURL: https://a.atlassian.net
    destinationURL: https://b.atlassian.net
    migratedFrom: https://jira.contoso.example
"""


def call(*argv: str) -> int:
    clock = VirtualClock(datetime(2026, 11, 20, tzinfo=UTC))
    return main(["calendar", *argv], root=Root(environ={}, clock=clock, interactive=False))


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.format(cutover="cutover: 2026-11-22T20:00:00+01:00\n"))
    return path


def test_the_file_and_stdout_hold_the_same_bytes(plan, tmp_path, capfdbinary):
    target = tmp_path / "deadlines.ics"
    assert call(str(plan), "-o", str(target)) == 0
    assert b"written to" in capfdbinary.readouterr().err
    assert call(str(plan), "-o", "-") == 0
    assert capfdbinary.readouterr().out == target.read_bytes()
    assert target.read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")


def test_a_plan_without_a_cutover_is_told_what_is_missing(plan, capsys):
    plan.write_text(PLAN.format(cutover=""))
    assert call(str(plan), "-o", "-") == 0
    assert "no `cutover`" in capsys.readouterr().err


def test_bad_input_gets_its_exit_code_and_a_hint(plan, tmp_path, capsys):
    assert call(str(tmp_path / "absent.yaml"), "-o", "-") == 3
    assert call(str(plan), "-o", str(tmp_path / "no" / "folder.ics")) == 2
    assert call(str(plan), "-o", str(tmp_path)) == 2
    assert capsys.readouterr().err.count("hint:") == 3

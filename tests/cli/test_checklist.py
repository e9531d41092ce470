"""`checklist` lists, prints, asks and records who authorized which direction, and when."""

import hashlib
import io
import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.operations.root import Root
from runbook.plan import read_plan

PLAN = """\
# the split of contoso
format: 1
name: split
sites:
  - {url: https://a.atlassian.net, account: admin}
  - {url: https://b.atlassian.net}
  - {url: https://c.atlassian.net}
instances:
  - productURL: https://a.atlassian.net   # the largest site
    destinationURL: https://b.atlassian.net
    migratedFrom: https://jira.contoso.example
    probe: [{issue: ENG-1, target: OPS-1}]
    appLink:
      authorized: true
      by: A. Early
      at: 2026-11-18T08:00:00+01:00
  - {id: short, productURL: https://a.atlassian.net, destinationURL: https://c.atlassian.net, migratedFrom: https://jira.contoso.example}
  - productURL: https://b.atlassian.net
    destinationURL: https://a.atlassian.net
    migratedFrom: https://jira.contoso.example
    appLink: {authorized: true}   # who was it?
  - id: local
    productURL: https://b.atlassian.net
    destinationURL: https://b.atlassian.net
    migratedFrom: https://jira.contoso.example
    recreateAsRemote: false
"""
AT = "2026-11-20T09:15:00+01:00"


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def call(plan, *argv: str, answers: str | None = None, **environ: str) -> int:
    clock = VirtualClock(datetime(2026, 11, 20, 10, tzinfo=UTC))
    root = Root(environ=environ, clock=clock, interactive=answers is not None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(answers or ""))
        return main(["checklist", str(plan), *argv], root=root)


def test_without_a_terminal_the_directions_are_listed_by_site_and_account(plan, capsys):
    assert call(plan) == 0
    said = capsys.readouterr().out
    assert "split: 3 directions, 1 done, 1 incomplete, 1 open" in said
    assert "https://a.atlassian.net, signed in with account `admin`" in said
    assert "https://a.atlassian.net/browse/ENG-1" in said
    assert "authorized but without `by` and `at`" in said
    assert "local" not in said
    assert plan.read_text() == PLAN


def test_the_json_names_every_direction_and_its_state(plan, capsys):
    assert call(plan, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    assert document["counts"] == {"done": 1, "incomplete": 1, "open": 1}
    listed = [
        (g["account"], d["ids"], d["state"]) for g in document["groups"] for d in g["directions"]
    ]
    assert listed == [
        ("admin", ["a-to-b"], "done"),
        ("admin", ["short"], "open"),
        ("default", ["b-to-a"], "incomplete"),
    ]


def test_set_records_and_keeps_comments_and_layout(plan, capsys):
    (plan.parent / "shot.png").write_bytes(b"png")
    argv = [
        "--set",
        "short",
        "--by",
        "J. Doe",
        "--at",
        AT,
        "--as",
        "x@y.example",
        "--evidence",
        "shot.png",
    ]
    assert call(plan, *argv) == 0
    link = read_plan(plan).instance("short").app_link
    assert (link.authorized, link.by, link.as_account, link.evidence) == (
        True,
        "J. Doe",
        "x@y.example",
        "shot.png",
    )
    assert link.at == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    before, after = PLAN.splitlines(), plan.read_text().splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [
        "  - {id: short, productURL: https://a.atlassian.net, destinationURL: https://c.atlassian.net, migratedFrom: https://jira.contoso.example, appLink: {authorized: true, as: x@y.example, by: J. Doe, at: 2026-11-20T09:15:00+01:00, evidence: shot.png}}"
    ]
    assert f"SHA-256 {hashlib.sha256(b'png').hexdigest()}" in capsys.readouterr().err


def test_set_takes_several_jobs_and_now(plan):
    assert call(plan, "--set", "short", "--set", "b-to-a", "--by", "J. Doe", "--at", "now") == 0
    read = read_plan(plan)
    assert {read.instance(job).app_link.at for job in ("short", "b-to-a")} == {
        datetime(2026, 11, 20, 10, tzinfo=UTC)
    }


def test_set_says_what_of_an_older_attestation_stays(plan, capsys):
    call(plan, "--set", "short", "--by", "J", "--at", AT, "--as", "old@y.example")
    call(plan, "--set", "short", "--by", "K", "--at", AT)
    assert "`as` was not given and stays as it was" in capsys.readouterr().err
    assert read_plan(plan).instance("short").app_link.as_account == "old@y.example"


REFUSED = {
    "an unknown job": ["--set", "shrot", "--by", "J", "--at", AT],
    "no --by": ["--set", "short", "--at", AT],
    "no --at": ["--set", "short", "--by", "J"],
    "an empty name": ["--set", "short", "--by", "  \x1b ", "--at", AT],
    "a moment without offset": ["--set", "short", "--by", "J", "--at", "2026-11-20 09:15"],
    "a moment that is none": ["--set", "short", "--by", "J", "--at", "yesterday"],
    "evidence that is not there": [
        "--set",
        "short",
        "--by",
        "J",
        "--at",
        AT,
        "--evidence",
        "no.png",
    ],
    "evidence outside the folder": [
        "--set",
        "short",
        "--by",
        "J",
        "--at",
        AT,
        "--evidence",
        __file__,
    ],
    "one good and one unknown job": ["--set", "short", "--set", "nope", "--by", "J", "--at", AT],
    "--at without --set": ["--at", AT],
    "--by without --set and without a terminal": ["--by", "J"],
}


@pytest.mark.parametrize("argv", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_the_file_untouched(argv, plan, capsys):
    assert call(plan, *argv) == 2
    assert plan.read_text() == PLAN
    assert "error" in capsys.readouterr().err.lower()


def test_an_unknown_job_gets_a_suggestion(plan, capsys):
    call(plan, "--set", "shrot", "--by", "J", "--at", AT)
    assert "did you mean `short`?" in capsys.readouterr().err


def test_a_plan_with_structural_errors_is_not_written_to(plan):
    broken = PLAN + "surprise: 1\n"
    plan.write_text(broken)
    assert call(plan, "--set", "short", "--by", "J", "--at", AT) == 3
    assert plan.read_text() == broken


def test_the_walk_asks_only_what_is_not_done_and_offers_answers_again(plan, capsys):
    (plan.parent / "shot.png").write_bytes(b"png")
    answers = f"y\nJ. Doe\n\n{AT}\nshot.png\ny\n\nother@x.example\nnow\n\n"
    assert call(plan, answers=answers, RUNBOOK_ADMIN_EMAIL="admin@x.example") == 0
    read = read_plan(plan)
    first, second = read.instance("short").app_link, read.instance("b-to-a").app_link
    assert (first.by, first.as_account, first.evidence) == ("J. Doe", "admin@x.example", "shot.png")
    assert (second.by, second.as_account, second.evidence) == ("J. Doe", "other@x.example", None)
    assert "split: 3 directions, 3 done" in capsys.readouterr().err


def test_the_walk_can_be_left_and_goes_on_where_it_stood(plan, capsys):
    assert call(plan, answers=f"y\nJ. Doe\n\n{AT}\n\nq\n") == 0
    assert "the same command goes on" in capsys.readouterr().err
    assert call(plan, answers="s\n") == 0
    said = capsys.readouterr().err
    assert "to c.atlassian.net" not in said
    assert "to a.atlassian.net (b-to-a): incomplete" in said


def test_leaving_by_interrupt_keeps_what_was_answered(plan):
    assert call(plan, answers=f"y\nJ. Doe\n\n{AT}\n\n") == 130
    assert read_plan(plan).instance("short").app_link.by == "J. Doe"


WRONG_ANSWERS = {
    "no person": (" \nJ. Doe\n\n{at}\n\n", "`who attests it` is empty"),
    "a person without a letter": ("42\nJ. Doe\n\n{at}\n\n", "`42` is no name of a person"),
    "no moment": ("J. Doe\n\nyesterday\n{at}\n\n", "'yesterday' is no moment with an offset"),
    "no offset": ("J. Doe\n\n2026-11-20 09:15\n{at}\n\n", "is no moment with an offset"),
    "no such evidence": ("J. Doe\n\n{at}\nabsent.png\n\n", "no evidence file `absent.png`"),
}


@pytest.mark.parametrize(("typed", "words"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
def test_a_wrong_answer_is_asked_again_where_it_was_typed(typed, words, plan, capsys):
    assert call(plan, answers=f"y\n{typed.format(at=AT)}q\n") == 0
    said = capsys.readouterr().err
    assert words in said
    assert said.count("signed in as") == 1
    link = read_plan(plan).instance("short").app_link
    assert (link.by, link.at.isoformat()) == ("J. Doe", "2026-11-20T08:15:00+00:00")


def test_an_account_that_is_no_email_is_kept_with_a_hint(plan, capsys):
    assert call(plan, answers=f"y\nJ. Doe\nthe admin\n{AT}\n\nq\n") == 0
    assert (
        "`the admin` looks like no e-mail address; it is kept as typed" in capsys.readouterr().err
    )
    assert read_plan(plan).instance("short").app_link.as_account == "the admin"


def test_a_wrong_key_explains_the_keys(plan, capsys):
    assert call(plan, answers="j\nq\n") == 0
    said = capsys.readouterr().err
    assert "`y`: it is authorized, record it" in said
    assert "`s`: leave it open and go to the next" in said
    assert "`q`: leave" in said
    assert call(plan, answers="Quit\n") == 0
    assert call(plan, answers=f"YES\nJ. Doe\n\n{AT}\n\nskip\n") == 0
    assert read_plan(plan).instance("short").app_link.by == "J. Doe"


def test_who_and_as_whom_are_offered_again_within_a_site_also_in_the_next_session(plan):
    plan.write_text(PLAN.replace("by: A. Early", "by: A. Early\n      as: a.early@x.example"))
    assert call(plan, answers=f"y\n\n\n{AT}\n\nq\n", RUNBOOK_ADMIN_EMAIL="token@x.example") == 0
    link = read_plan(plan).instance("short").app_link
    assert (link.by, link.as_account) == ("A. Early", "a.early@x.example")


def test_as_whom_is_not_carried_to_another_site(plan):
    answers = f"y\nJ. Doe\nadmin@x.example\n{AT}\n\ny\n\n\n{AT}\n\n"
    assert call(plan, answers=answers) == 0
    link = read_plan(plan).instance("b-to-a").app_link
    assert (link.by, link.as_account) == ("J. Doe", None)


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_sheet_has_no_script_loads_nothing_and_escapes_everything(plan, tmp_path):
    hostile = "<script>alert(1)</script>`{{ 7*7 }}"
    plan.write_text(
        PLAN.replace("name: split", f"name: split\ncustomer: '{hostile}'\nchange: '\"onload=x'")
    )
    target = tmp_path / "sheet.html"
    assert call(plan, "--format", "html", "-o", str(target)) == 0
    html = target.read_text(encoding="utf-8")
    seen = Seen()
    seen.feed(html)
    names = {tag for tag, _ in seen.tags}
    assert not names & {"script", "img", "link", "iframe", "object"}
    assert not any(name in attrs for _, attrs in seen.tags for name in ("src", "href", "onload"))
    assert "default-src 'none'" in next(a["content"] for _, a in seen.tags if "http-equiv" in a)
    assert "&lt;script&gt;" in html
    assert "{{ 7*7 }}" in html
    call(plan, "--format", "html", "-o", str(tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_bytes() == target.read_bytes()

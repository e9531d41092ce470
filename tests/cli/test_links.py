"""`links`: the six operations by hand, with every write in the ledger."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from runbook.operations.issue_links import site_url
from runbook.simulator.faults import FaultKind
from tests.flows.evening import Evening, Result, plan_text, url_of

ENG = url_of("eng")
LINK: dict[str, Any] = {
    "globalId": "appId=55f8&issueId=7:/+ü",
    "application": {"type": "com.atlassian.jira", "name": "Ops"},
    "relationship": "blocks",
    "object": {"url": f"{url_of('ops')}/browse/OPS-1", "title": "OPS-1", "summary": "S"},
}


class Desk(Evening):
    """One issue and a file with one link."""

    @property
    def link(self) -> Path:
        return self.folder / "link.json"

    def put(self, value: Any) -> None:
        self.link.write_text(value if isinstance(value, str) else json.dumps(value))

    def links(self, verb: str, *more: str, interactive: bool = False) -> Result:
        words = ["links", verb, ENG, "ENG-1", *more]
        if verb in ("set", "delete"):
            words += ["--ledger", str(self.ledger)]
        return self.command(*words, interactive=interactive)

    def set(self, *more: str, interactive: bool = False) -> Result:
        return self.links("set", "--file", str(self.link), *more, interactive=interactive)

    def there(self) -> list[dict[str, Any]]:
        return [link.record for link in self.world.issue("ENG-1").links.values()]

    def written(self) -> list[tuple[str, str]]:
        payloads = [event["payload"] for event in self.events()]
        return [(one.get("action", "ended"), one.get("result", "")) for one in payloads]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    text = plan_text(("eng", "ops"))
    made = Desk(tmp_path, capsys, text=text, settings={"own_links": 0.0})
    made.put(LINK)
    return made


def test_a_link_is_made_shown_changed_and_removed(desk: Desk) -> None:
    made = desk.set("--yes")
    assert (made.code, len(desk.there())) == (0, 1)
    assert "+  globalId" in made.out
    link_id = str(next(iter(desk.world.issue("ENG-1").links)))

    listed = desk.links("list")
    assert "OPS-1" in listed.out
    assert desk.links("list", "--format", "json").json()[0]["globalId"] == LINK["globalId"]
    got = desk.links("get", "--global-id", LINK["globalId"], "--format", "json").json()
    assert got == desk.links("get", "--id", link_id, "--format", "json").json()
    assert got["object"]["summary"] == "S"
    assert "com.atlassian.jira" in desk.links("get", "--id", link_id).out

    desk.put(got | {"relationship": "is blocked by"})
    changed = desk.set("--id", link_id, "--yes")
    assert "~  relationship  blocks -> is blocked by" in changed.out
    assert desk.there()[0]["relationship"] == "is blocked by"

    gone = desk.links("delete", "--global-id", LINK["globalId"], "--yes")
    assert gone.code == 0
    assert desk.there() == []
    assert desk.written() == [
        ("create", ""),
        ("ended", "done"),
        ("update", ""),
        ("ended", "done"),
        ("delete", ""),
        ("ended", "done"),
    ]
    assert all(event["run"] is None for event in desk.events())


WRITES: dict[str, tuple[str, Callable[[Desk, str], Result]]] = {
    "a link is created": ("POST", lambda desk, _: desk.set("--yes")),
    "a link is replaced by its id": ("PUT", lambda desk, known: desk.set("--id", known, "--yes")),
    "a link is removed by its id": (
        "DELETE",
        lambda desk, known: desk.links("delete", "--id", known, "--yes"),
    ),
    "a link is removed by its globalId": (
        "DELETE",
        lambda desk, _: desk.links("delete", "--global-id", LINK["globalId"], "--yes"),
    ),
    "a link of the same globalId is written over": ("POST", lambda desk, _: desk.set("--yes")),
}


@pytest.mark.parametrize("what", WRITES)
def test_the_intent_of_every_write_is_on_disk_before_its_request(what: str, desk: Desk) -> None:
    """The ledger is read by another connection at the very moment of the request."""
    method, write = WRITES[what]
    if what != "a link is created":
        desk.set("--yes")
        desk.put(LINK | {"relationship": "is blocked by"})
    sent = desk.watch.announced
    sent.clear()
    known = str(next(iter(desk.world.issue("ENG-1").links), ""))
    done = write(desk, known)
    assert done.code == 0, done.err
    assert [line.partition(" ")[0] for line in sent] == [method]
    assert desk.written()[-1] == ("ended", "done")


def test_a_field_left_out_is_shown_as_lost(desk: Desk) -> None:
    desk.set("--yes")
    desk.put({**LINK, "object": {"url": LINK["object"]["url"], "title": "OPS-1"}})
    shown = desk.set("--dry-run")
    assert "-  object.summary  S" in shown.out
    assert desk.there()[0]["object"]["summary"] == "S"


def test_an_equal_link_is_not_written(desk: Desk) -> None:
    desk.set("--yes")
    again = desk.set("--yes")
    assert again.code == 0
    assert "equal already" in again.err
    assert len(desk.written()) == 2


def test_a_dry_run_writes_nothing_and_leaves_no_ledger(desk: Desk) -> None:
    shown = desk.set("--dry-run")
    assert shown.code == 0
    assert "was not sent" in shown.err
    assert desk.there() == []
    assert not desk.ledger.exists()


def test_nobody_to_ask_means_nothing_is_written(desk: Desk) -> None:
    assert desk.set().code == 2
    assert desk.there() == []
    desk.set("--yes")
    assert desk.links("delete", "--global-id", LINK["globalId"]).code == 2
    assert len(desk.there()) == 1


def test_a_person_is_asked_and_may_say_no(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _: "n")
    assert desk.set(interactive=True).code == 130
    assert desk.there() == []
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _: "y")
    assert desk.set(interactive=True).code == 0
    assert len(desk.there()) == 1


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.set("--yes")
    other = LINK | {"relationship": "somebody's own"}

    def answer(_: str) -> str:
        desk.world.write_link(desk.world.issue("ENG-1"), other, desk.world.account("x@x.example"))
        return "y"

    monkeypatch.setattr(click.termui, "visible_prompt_func", answer)
    desk.put(LINK | {"relationship": "mine"})
    done = desk.set(interactive=True)
    assert done.code == 5
    assert "changed by somebody else" in done.err
    assert desk.there()[0]["relationship"] == "somebody's own"


def test_an_answer_that_is_lost_leaves_the_outcome_unknown(desk: Desk) -> None:
    desk.fault(FaultKind.ANSWER_LOST, {"method": "POST", "path": "*/remotelink"})
    done = desk.set("--yes")
    assert done.code == 7
    assert "cannot be known" in done.err
    assert len(desk.there()) == 1
    assert desk.written() == [("create", ""), ("ended", "unknown")]


OUTCOMES = {
    "refused": ({"kind": FaultKind.STATUS, "status": 403}, 5, "refused"),
    "too many links": ({"kind": FaultKind.STATUS, "status": 413}, 5, "refused"),
    "an error of the server": ({"kind": FaultKind.STATUS, "status": 500}, 7, "unknown"),
}


@pytest.mark.parametrize("case", OUTCOMES.values(), ids=OUTCOMES.keys())
def test_every_outcome_has_its_exit_code_and_its_event(
    case: tuple[dict[str, Any], int, str], desk: Desk
) -> None:
    fault, code, result = case
    desk.fault(where={"method": "POST", "path": "*/remotelink"}, **fault)
    assert desk.set("--yes").code == code
    assert desk.written()[-1] == ("ended", result)


def test_a_credential_that_is_refused_ends_with_4(desk: Desk) -> None:
    desk.world.settings.accept_any = False
    desk.world.settings.bad_credential = "401"
    done = desk.links("list")
    assert done.code == 4
    assert "refuses the credential" in done.err


def test_an_account_of_its_own_is_needed_by_name(desk: Desk) -> None:
    done = desk.links("list", "--account", "contoso-ops")
    assert done.code == 4
    assert "RUNBOOK_CONTOSO_OPS_EMAIL" in done.err


def test_an_issue_without_links_and_one_that_is_not_there(desk: Desk) -> None:
    empty = desk.links("list")
    assert (empty.code, empty.out) == (0, "")
    assert "no remote links" in empty.err
    assert desk.links("list", "--format", "json").json() == []
    assert desk.command("links", "list", ENG, "ENG-9999").code == 5
    assert desk.links("get", "--id", "77").code == 5
    assert desk.links("get", "--global-id", "absent").code == 5
    assert desk.links("delete", "--global-id", "absent", "--yes").code == 5


def test_text_from_outside_cannot_move_the_cursor(desk: Desk) -> None:
    evil = "\x1b[31mred\u202e\nsecond line"
    desk.put({**LINK, "object": {"url": "https://x.example", "title": evil}})
    shown = desk.set("--yes").out + desk.links("list").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown


BAD_FILES: dict[str, Any] = {
    "no JSON": ("{", "no JSON"),
    "a list": ([LINK], "a list"),
    "a text": ('"x"', "no JSON object"),
    "no object": ({"globalId": "x"}, "no `object`"),
    "no url": ({"object": {"title": "x"}}, "object.url"),
    "an empty title": ({"object": {"url": "x", "title": " "}}, "object.title"),
    "a globalId that is too long": (LINK | {"globalId": "x" * 256}, "256 characters"),
    "a globalId that is a number": (LINK | {"globalId": 7}, "no text"),
    "no bottom": ("[" * 100_000, "no JSON"),
}


@pytest.mark.parametrize("case", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_file_that_is_no_link_is_refused_before_anything_is_asked(
    case: tuple[Any, str], desk: Desk
) -> None:
    value, words = case
    desk.put(value)
    done = desk.set("--yes")
    assert done.code == 2
    assert words in done.err
    assert not desk.world.log


@pytest.mark.parametrize(
    "words",
    [
        ("links", "list", "http://contoso-eng.atlassian.net", "ENG-1"),
        ("links", "list", "contoso-eng", "ENG-1"),
        ("links", "list", f"{ENG}/browse/ENG-1", "ENG-1"),
        ("links", "list", "https://me:secret@contoso-eng.atlassian.net", "ENG-1"),
        ("links", "list", ENG, " "),
        ("links", "get", ENG, "ENG-1"),
        ("links", "get", ENG, "ENG-1", "--id", "1", "--global-id", "x"),
        ("links", "delete", ENG, "ENG-1", "--yes"),
        ("links", "delete", ENG, "ENG-1", "--global-id", "", "--yes"),
        ("links", "set", ENG, "ENG-1", "--file", "absent.json", "--yes"),
        ("links", "list", ENG, "ENG-1", "--endpoint", "http://192.0.2.1"),
    ],
)
def test_a_command_that_cannot_work_is_a_matter_of_usage(
    words: tuple[str, ...], desk: Desk
) -> None:
    done = desk.command(*words)
    assert done.code == 2
    assert done.err
    assert "secret" not in done.err


STRANGERS = {
    "another host": "https://contoso-eng.example",
    "a host that ends alike": "https://contoso-eng.evil-atlassian.net",
    "Atlassian's name in front": "https://contoso-eng.atlassian.net.example",
    "the suffix alone": "https://atlassian.net",
    "a dot alone": "https://.atlassian.net",
    "a dot at the end": "https://contoso-eng.atlassian.net.example.",
    "a backslash in front": "https://evil.example\\.atlassian.net",
    "an escaped slash in front": "https://evil.example%2f.atlassian.net",
    "another port": "https://contoso-eng.atlassian.net:8443",
}


@pytest.mark.parametrize("site", STRANGERS.values(), ids=STRANGERS.keys())
def test_no_credential_goes_to_a_host_that_is_no_cloud_site(site: str, desk: Desk) -> None:
    done = desk.command("links", "list", site, "ENG-1")
    assert done.code == 2
    assert "is no Jira Cloud site" in done.err
    assert "`.atlassian.net` or `.jira.com`" in done.err
    assert not desk.world.log


@pytest.mark.parametrize("site", ["https://X.Atlassian.NET", "https://x.jira.com/"])
def test_a_cloud_site_is_taken_in_any_case(site: str) -> None:
    assert site_url(site, stand_in=False) == site.lower().rstrip("/")


def test_a_stand_in_may_have_any_host() -> None:
    assert site_url("https://jira.example", stand_in=True) == "https://jira.example"


def test_every_write_names_the_ledger_that_holds_it(desk: Desk) -> None:
    said = f", recorded in `{desk.ledger}`"
    assert said in desk.set("--yes").err
    link_id = str(next(iter(desk.world.issue("ENG-1").links)))
    desk.put({**LINK, "relationship": "clones"})
    assert said in desk.set("--yes").err
    assert said in desk.links("delete", "--id", link_id, "--yes").err

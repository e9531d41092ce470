"""The six operations on remote links: whole records, one globalId per issue, Jira's refusals."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from runbook.clock import VirtualClock
from runbook.simulator.world import World
from tests.simulator.worlds import EMAIL, ENG, GATEWAY, TOKEN, Ask, ReadReply, move_issue

LINKS = f"{ENG}/rest/api/3/issue/ENG-1/remotelink"
GLOBAL_ID = "appId=0ec1dce3&issueId=20000"
WHOLE: dict[str, Any] = {
    "globalId": GLOBAL_ID,
    "application": {"type": "com.atlassian.jira", "name": "contoso-ops"},
    "relationship": "blocks",
    "object": {
        "url": "https://contoso-ops.atlassian.net/browse/OPS-1",
        "title": "OPS-1",
        "summary": "What it is about",
        "icon": {"url16x16": "https://example.com/i.png", "title": "Issue"},
        "status": {"resolved": True, "icon": {"link": "https://example.com"}},
    },
}


def by_global_id(global_id: str = GLOBAL_ID) -> str:
    return f"{LINKS}?globalId={quote(global_id, safe='')}"


def made(ask: Ask, record: dict[str, Any] | None = None) -> str:
    """Make a link and return its address."""
    reply = ask("POST", LINKS, WHOLE if record is None else record)
    assert reply.status == 201, reply.body
    return f"{LINKS}/{reply.json()['id']}"


def test_a_new_link_is_201_with_its_id_and_address(ask: Ask) -> None:
    reply = ask("POST", LINKS, WHOLE)
    number = reply.json()["id"]
    assert reply.status == 201
    assert reply.json()["self"] == f"{ENG}/rest/api/issue/ENG-1/remotelink/{number}"


def test_a_link_is_read_back_whole(ask: Ask) -> None:
    address = made(ask)
    record = ask("GET", address).json()
    assert {name: record[name] for name in WHOLE} == WHOLE
    assert ask("GET", LINKS).json() == [record]


def test_with_a_global_id_one_object_is_read_not_a_list(ask: Ask) -> None:
    address = made(ask)
    assert ask("GET", by_global_id()).json() == ask("GET", address).json()
    assert ask("GET", by_global_id("another")).status == 404


def test_the_same_global_id_on_the_same_issue_updates(ask: Ask) -> None:
    address = made(ask)
    reply = ask("POST", LINKS, WHOLE | {"relationship": "clones"})
    assert reply.status == 200
    assert f"{LINKS}/{reply.json()['id']}" == address
    assert ask("GET", address).json()["relationship"] == "clones"


def test_the_same_global_id_on_another_issue_is_another_link(ask: Ask) -> None:
    made(ask)
    assert ask("POST", LINKS.replace("ENG-1", "ENG-2"), WHOLE).status == 201


def test_without_a_global_id_every_post_creates(ask: Ask) -> None:
    record = {"object": WHOLE["object"]}
    assert [ask("POST", LINKS, record).status for _ in range(2)] == [201, 201]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_fields_left_out_of_a_write_are_gone(ask: Ask, method: str) -> None:
    address = made(ask)
    least = {"object": {"url": "https://example.com", "title": "T"}}
    if method == "POST":
        assert ask("POST", LINKS, least | {"globalId": GLOBAL_ID}).status == 200
        least |= {"globalId": GLOBAL_ID}
    else:
        reply = ask("PUT", address, least)
        assert (reply.status, reply.body) == (204, b"")
    record = ask("GET", address).json()
    assert {name: record[name] for name in record if name not in ("id", "self")} == least


def test_deleting_by_id_is_204_then_404(ask: Ask) -> None:
    address = made(ask)
    assert [ask("DELETE", address).status for _ in range(2)] == [204, 404]
    assert ask("GET", LINKS).json() == []


def test_deleting_by_global_id_is_204_then_404(ask: Ask) -> None:
    made(ask)
    assert [ask("DELETE", by_global_id()).status for _ in range(2)] == [204, 404]


def test_deleting_without_a_global_id_is_400(ask: Ask) -> None:
    assert ask("DELETE", LINKS).status == 400


def test_every_write_is_in_the_history_even_one_that_changes_nothing(
    world: World, ask: Ask
) -> None:
    address = made(ask)
    ask("POST", LINKS, WHOLE)
    ask("DELETE", address)
    before_after = [(entry.before[0], entry.after[0]) for entry in world.issue("ENG-1").history]
    number = address.rsplit("/", 1)[1]
    assert before_after == [(None, number), (number, number), (number, None)]
    assert world.issue("ENG-1").history[0].author.email == EMAIL


def with_object(**changes: Any) -> dict[str, Any]:
    return {"object": WHOLE["object"] | changes}


BAD_RECORDS: dict[str, tuple[Any, str]] = {
    "without an object": ({"globalId": "x"}, "object"),
    "with a text for an object": ({"object": "x"}, "object"),
    "wrapped twice": ({"object": {"object": WHOLE["object"]}}, "title"),
    "without a title": (with_object(title=None), "title"),
    "with a blank title": (with_object(title=" "), "title"),
    "without a url": (with_object(url=None), "url"),
    "with a url that is none": (with_object(url="no address"), "url"),
    "with a long title": (with_object(title="x" * 256), "title"),
    "with a text for an icon": (with_object(icon="x"), "icon"),
    "with a long globalId": (WHOLE | {"globalId": "x" * 256}, "globalId"),
    "with a number for a globalId": (WHOLE | {"globalId": 5}, "globalId"),
    "with a long relationship": (WHOLE | {"relationship": "x" * 256}, "relationship"),
    "with a text for an application": (WHOLE | {"application": "x"}, "application"),
    "with a long application": (WHOLE | {"application": {"name": "x" * 256}}, "application.name"),
}


@pytest.mark.parametrize(("record", "named"), BAD_RECORDS.values(), ids=list(BAD_RECORDS))
def test_a_record_is_refused_with_the_field_named(ask: Ask, record: Any, named: str) -> None:
    address = made(ask)
    for reply in (ask("POST", LINKS, record), ask("PUT", address, record)):
        assert reply.status == 400
        assert named in reply.json()["errors"]


def test_a_global_id_of_255_characters_is_taken(ask: Ask) -> None:
    assert ask("POST", LINKS, WHOLE | {"globalId": "x" * 255}).status == 201


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xfe"], ids=["none", "half", "list", "raw"]
)
def test_a_body_that_is_no_object_is_400(ask: Ask, body: bytes) -> None:
    assert ask("POST", LINKS, body=body).status == 400
    assert ask("PUT", made(ask), body=body).status == 400


def test_a_put_cannot_take_the_global_id_of_another_link(ask: Ask) -> None:
    made(ask)
    other = made(ask, WHOLE | {"globalId": "other"})
    assert ask("PUT", other, WHOLE).status == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_link_id_that_is_wrong_is_told_apart(ask: Ask, method: str) -> None:
    address = made(ask)
    body = WHOLE if method == "PUT" else None
    assert ask(method, f"{LINKS}/abc", body).status == 400
    assert ask(method, f"{LINKS}/999999", body).status == 404
    assert ask(method, address.replace("ENG-1", "ENG-2"), body).status == 400


ALL_SIX: dict[str, Callable[[Ask, str], ReadReply]] = {
    "reading all": lambda ask, _: ask("GET", LINKS),
    "reading one": lambda ask, address: ask("GET", address),
    "writing": lambda ask, _: ask("POST", LINKS, WHOLE),
    "replacing": lambda ask, address: ask("PUT", address, WHOLE),
    "deleting by id": lambda ask, address: ask("DELETE", address),
    "deleting by globalId": lambda ask, _: ask("DELETE", by_global_id()),
}


@pytest.mark.parametrize("operation", ALL_SIX.values(), ids=list(ALL_SIX))
def test_with_issue_linking_off_every_operation_is_403(
    world: World, ask: Ask, operation: Callable[[Ask, str], ReadReply]
) -> None:
    address = made(ask)
    world.sites[ENG].linking_enabled = False
    assert operation(ask, address).status == 403


def hidden(world: World) -> None:
    world.issue("ENG-1").visible_to = {"other@contoso.example"}


def deleted(world: World) -> None:
    world.issue("ENG-1").deleted = True


def archived(world: World) -> None:
    world.sites[ENG].projects["ENG"].archived = True


def not_browsable(world: World) -> None:
    world.account(EMAIL).lacks.add(("BROWSE_PROJECTS", "ENG"))


@pytest.mark.parametrize("change", [hidden, deleted, archived, not_browsable])
@pytest.mark.parametrize("operation", ALL_SIX.values(), ids=list(ALL_SIX))
def test_an_issue_that_is_not_seen_is_404(
    world: World,
    ask: Ask,
    change: Callable[[World], None],
    operation: Callable[[Ask, str], ReadReply],
) -> None:
    address = made(ask)
    change(world)
    assert operation(ask, address).status == 404


LACKING = {
    ("LINK_ISSUES", "writing"): 403,
    ("LINK_ISSUES", "replacing"): 403,
    ("LINK_ISSUES", "deleting by id"): 403,
    ("LINK_ISSUES", "deleting by globalId"): 403,
    ("LINK_ISSUES", "reading all"): 200,
    ("EDIT_ISSUES", "writing"): 200,
    ("EDIT_ISSUES", "deleting by id"): 403,
    ("EDIT_ISSUES", "deleting by globalId"): 204,
}


@pytest.mark.parametrize(("permission", "operation"), LACKING)
def test_a_permission_that_is_lacking_is_403(
    world: World, ask: Ask, permission: str, operation: str
) -> None:
    address = made(ask)
    world.account(EMAIL).lacks.add((permission, ENG))
    assert ALL_SIX[operation](ask, address).status == LACKING[permission, operation]


def test_at_the_limit_no_link_is_added_but_known_ones_are_updated(world: World, ask: Ask) -> None:
    world.settings.remote_link_limit = 2
    made(ask)
    made(ask, WHOLE | {"globalId": "second"})
    assert ask("POST", LINKS, WHOLE | {"globalId": "third"}).status == 413
    assert ask("POST", LINKS, WHOLE).status == 200


def test_reading_an_issue_over_the_limit_is_413(world: World, ask: Ask) -> None:
    made(ask)
    made(ask, WHOLE | {"globalId": "second"})
    world.settings.remote_link_limit = 2
    assert ask("GET", LINKS).status == 200
    world.settings.remote_link_limit = 1
    assert ask("GET", LINKS).status == 413


def test_version_2_and_the_gateway_reach_the_same_links(world: World, ask: Ask) -> None:
    made(ask)
    world.accounts["scoped@contoso.example"] = scoped = world.account("scoped@contoso.example")
    scoped.scoped = True
    gateway = f"{GATEWAY}/ex/jira/{world.sites[ENG].site_id}/rest/api/2/issue/ENG-1/remotelink"
    through = ask("GET", gateway, account=("scoped@contoso.example", TOKEN))
    assert through.json() == ask("GET", LINKS.replace("/3/", "/2/")).json()


def test_moved_and_differently_written_keys_reach_the_issue(world: World, ask: Ask) -> None:
    made(ask)
    moved = move_issue(world.sites[ENG], "ENG-1", "PLAT")
    for key in ("ENG-1", "eng-1", moved.key, str(moved.id)):
        assert len(ask("GET", LINKS.replace("ENG-1", key)).json()) == 1


def test_one_issue_takes_twenty_writes_in_two_seconds(
    world: World, clock: VirtualClock, ask: Ask
) -> None:
    made(ask)
    codes = []
    for _ in range(21):
        reply = ask("POST", LINKS, WHOLE)
        codes.append(reply.status)
    assert codes == [200] * 19 + [429] * 2
    assert reply.header("RateLimit-Reason") == "jira-per-issue-on-write"
    assert ask("POST", LINKS.replace("ENG-1", "ENG-2"), WHOLE).status == 201
    clock.advance(2)
    assert ask("POST", LINKS, WHOLE).status == 200


def test_unknown_fields_inside_the_object_are_kept_and_others_dropped(ask: Ask) -> None:
    record = WHOLE | {"object": WHOLE["object"] | {"extra": 1}, "extra": 2}
    got = ask("GET", made(ask, record)).json()
    assert got["object"]["extra"] == 1
    assert "extra" not in got


def test_text_of_any_script_survives(ask: Ask) -> None:
    record = with_object(title="Größe 寸法 \N{GRINNING FACE} <b>")
    body = json.dumps(record, ensure_ascii=False).encode()
    address = f"{LINKS}/{ask('POST', LINKS, body=body).json()['id']}"
    assert ask("GET", address).json()["object"]["title"] == record["object"]["title"]

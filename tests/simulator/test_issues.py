"""Issues and their history: moved, hidden, in bulk, in pages."""

from collections.abc import Callable
from typing import Any

import pytest

from runbook.simulator.world import World
from tests.simulator.worlds import EMAIL, ENG, Ask, ReadReply, move_issue

API = f"{ENG}/rest/api/3"
RECORD = {"object": {"url": "https://example.com", "title": "T"}}


def test_an_issue_is_found_by_key_id_and_former_key(world: World, ask: Ask) -> None:
    moved = move_issue(world.sites[ENG], "ENG-5", "PLAT")
    for name in ("ENG-5", "eng-5", str(moved.id), moved.key):
        assert ask("GET", f"{API}/issue/{name}").json()["key"] == moved.key
    assert ask("GET", f"{API}/issue/PLT-1").json()["key"] == "PLAT-1"


def test_only_the_fields_asked_for_are_shown(ask: Ask) -> None:
    fields = ask("GET", f"{API}/issue/ENG-5?fields=summary,project").json()["fields"]
    assert set(fields) == {"summary", "project"}


def test_texts_are_documents_in_version_3_and_plain_in_version_2(world: World, ask: Ask) -> None:
    world.issue("ENG-5").texts["description"] = "See this"
    path = "/issue/ENG-5?fields=description"
    rich = ask("GET", API + path).json()["fields"]["description"]
    assert rich["type"] == "doc"
    plain = ask("GET", API.replace("/3", "/2") + path).json()["fields"]["description"]
    assert plain == "See this"


def test_bulk_answers_in_order_of_ids_and_leaves_out_silently(world: World, ask: Ask) -> None:
    world.issue("ENG-2").visible_to = set()
    world.issue("ENG-3").deleted = True
    moved = move_issue(world.sites[ENG], "ENG-6", "PLAT")
    named = ["ENG-6", "ENG-4", "ENG-1", "ENG-2", "ENG-3", "NO-1", "eng-1"]
    reply = ask("POST", f"{API}/issue/bulkfetch", {"issueIdsOrKeys": named, "fields": ["key"]})
    assert [issue["key"] for issue in reply.json()["issues"]] == ["ENG-1", "ENG-4", moved.key]
    assert reply.json()["issueErrors"] == []


@pytest.mark.parametrize("named", [[], None, ["ENG-1"] * 101], ids=["none", "null", "101"])
def test_bulk_takes_1_to_100_issues(ask: Ask, named: Any) -> None:
    assert ask("POST", f"{API}/issue/bulkfetch", {"issueIdsOrKeys": named}).status == 400


def test_the_history_in_bulk_comes_in_pages(ask: Ask) -> None:
    for key in ("ENG-1", "ENG-2"):
        for _ in range(3):
            ask("POST", f"{API}/issue/{key}/remotelink", RECORD)
    body = {"issueIdsOrKeys": ["ENG-2", "ENG-1", "NO-1"], "maxResults": 4}
    seen = []
    while True:
        page = ask("POST", f"{API}/changelog/bulkfetch", body).json()
        seen += [
            (log["issueId"], change["id"])
            for log in page["issueChangeLogs"]
            for change in log["changeHistories"]
        ]
        if "nextPageToken" not in page:
            break
        body["nextPageToken"] = page["nextPageToken"]
    assert len(seen) == len(set(seen)) == 6


def test_the_history_in_bulk_can_be_of_one_field(ask: Ask) -> None:
    ask("POST", f"{API}/issue/ENG-1/remotelink", RECORD)
    for field, many in (("RemoteIssueLink", 1), ("summary", 0)):
        body = {"issueIdsOrKeys": ["ENG-1"], "fieldIds": [field]}
        logs = ask("POST", f"{API}/changelog/bulkfetch", body).json()["issueChangeLogs"]
        assert sum(len(log["changeHistories"]) for log in logs) == many


BAD_BULK: dict[str, dict[str, Any]] = {
    "no issue": {"issueIdsOrKeys": []},
    "too many issues": {"issueIdsOrKeys": ["ENG-1"] * 1001},
    "too many fields": {"issueIdsOrKeys": ["ENG-1"], "fieldIds": [str(n) for n in range(11)]},
    "a page of nothing": {"issueIdsOrKeys": ["ENG-1"], "maxResults": 0},
    "a token of somebody else": {"issueIdsOrKeys": ["ENG-1"], "nextPageToken": "???"},
}


@pytest.mark.parametrize("body", BAD_BULK.values(), ids=list(BAD_BULK))
def test_a_bulk_request_for_history_is_refused(ask: Ask, body: dict[str, Any]) -> None:
    assert ask("POST", f"{API}/changelog/bulkfetch", body).status == 400


def hidden(world: World) -> None:
    world.issue("ENG-1").visible_to = {"other@contoso.example"}


def archived(world: World) -> None:
    world.sites[ENG].projects["ENG"].archived = True


def not_browsable(world: World) -> None:
    world.account(EMAIL).lacks.add(("BROWSE_PROJECTS", "ENG"))


@pytest.mark.parametrize("change", [hidden, archived, not_browsable])
def test_an_issue_that_is_not_seen_is_not_there(
    world: World, ask: Ask, change: Callable[[World], None]
) -> None:
    change(world)
    replies: list[ReadReply] = [
        ask("GET", f"{API}/issue/ENG-1"),
        ask("GET", f"{API}/mypermissions?permissions=BROWSE_PROJECTS&issueKey=ENG-1"),
    ]
    assert [reply.status for reply in replies] == [404, 404]

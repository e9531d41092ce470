"""Searching: bounded queries only, pages by token."""

from typing import Any
from urllib.parse import quote

import pytest

from runbook.simulator.world import World
from tests.simulator.worlds import ENG, Ask

API = f"{ENG}/rest/api/3"


def found(ask: Ask, jql: str, **more: Any) -> list[str]:
    """Return every key that a query finds, over all pages."""
    keys, token = [], None
    while True:
        body = {"jql": jql, "fields": ["key"], "nextPageToken": token} | more
        page = ask("POST", f"{API}/search/jql", {k: v for k, v in body.items() if v is not None})
        assert page.status == 200, page.body
        keys += [issue["key"] for issue in page.json()["issues"]]
        token = page.json().get("nextPageToken")
        assert page.json()["isLast"] is (token is None)
        if token is None:
            return keys


QUERIES: dict[str, list[str]] = {
    "key in (ENG-2, ENG-1) ORDER BY key": ["ENG-1", "ENG-2"],
    "key in (ENG-2, eng-1) ORDER BY key DESC": ["ENG-2", "ENG-1"],
    "issuekey = ENG-3": ["ENG-3"],
    'key = "PLT-3"': ["PLAT-3"],
    'project = ENG AND key in ("ENG-1", "PLAT-1")': ["ENG-1"],
    "key in (ENG-1,ENG-2) and key=ENG-2 order by id asc": ["ENG-2"],
    "project in (ENG, PLAT) AND issue in (ENG-2, PLAT-1) ORDER BY created desc": [
        "PLAT-1",
        "ENG-2",
    ],
    'text ~ "\\"jira.contoso.example/browse/OPS-1\\"" and key = ENG-7': ["ENG-7"],
    "description ~ 'contoso' AND key in (ENG-7, ENG-8)": ["ENG-7"],
    'summary ~ "contoso" AND key in (ENG-7, ENG-8)': [],
}


@pytest.mark.parametrize("jql", QUERIES)
def test_a_query_finds_what_it_says(world: World, ask: Ask, jql: str) -> None:
    world.issue("ENG-7").texts["description"] = "https://jira.contoso.example/browse/OPS-1"
    world.issue("ENG-8").texts.pop("description", None)
    assert found(ask, jql) == QUERIES[jql]


BAD_QUERIES = {
    "nothing": "",
    "only an order": "ORDER BY key",
    "an unknown field": "labels = x",
    "an unknown project": "project = NOPE",
    "an unknown key": "key = ENG-9999",
    "an unknown function": "issue in linkedIssues(ENG-1)",
    "an operator that is not known": "project != ENG",
    "an open bracket": "project in (ENG",
    "an open quote": 'project = "ENG',
    "two clauses without a word between": "project = ENG key = ENG-1",
    "a clause that ends in a word": "project = ENG AND",
    "an alternative": "project = ENG OR key = ENG-1",
    "brackets": "(project = ENG)",
    "an order by nothing": "project = ENG ORDER BY",
    "an order by a field that is not sorted": "project = ENG ORDER BY summary",
    "a text without words": 'text ~ "..."',
}


@pytest.mark.parametrize("jql", BAD_QUERIES.values(), ids=list(BAD_QUERIES))
def test_a_query_is_refused(ask: Ask, jql: str) -> None:
    for reply in (
        ask("POST", f"{API}/search/jql", {"jql": jql}),
        ask("GET", f"{API}/search/jql?jql={quote(jql)}"),
    ):
        assert reply.status == 400
        assert reply.json()["errorMessages"]


def test_pages_hang_together_by_their_tokens(ask: Ask) -> None:
    whole = found(ask, "project in (ENG, PLAT) ORDER BY id")
    assert len(whole) == 41
    assert found(ask, "project in (ENG, PLAT) ORDER BY id", maxResults=7) == whole


def test_a_server_may_return_less_than_asked(world: World, ask: Ask) -> None:
    world.settings.page_cap = 4
    reply = ask("POST", f"{API}/search/jql", {"jql": "project = ENG", "maxResults": 5000})
    assert len(reply.json()["issues"]) == 4


def test_by_default_only_ids_are_shown(ask: Ask) -> None:
    reply = ask("GET", f"{API}/search/jql?jql=key%3DENG-1")
    assert [set(issue) for issue in reply.json()["issues"]] == [{"id"}]


def test_fields_are_shown_when_asked_for(ask: Ask) -> None:
    reply = ask("GET", f"{API}/search/jql?jql=key%3DENG-1&fields=summary,key")
    assert reply.json()["issues"][0]["fields"] == {"summary": "Work on ENG-1"}


@pytest.mark.parametrize("bad", [{"maxResults": 0}, {"maxResults": 5001}, {"nextPageToken": "x"}])
def test_a_page_that_cannot_be_is_refused(ask: Ask, bad: dict[str, Any]) -> None:
    assert ask("POST", f"{API}/search/jql", {"jql": "project = ENG"} | bad).status == 400


def test_only_what_is_seen_is_found(world: World, ask: Ask) -> None:
    world.issue("ENG-1").visible_to = set()
    keys = found(ask, "project = ENG")
    assert "ENG-1" not in keys
    assert len(keys) == 20


def test_the_old_search_is_gone(ask: Ask) -> None:
    assert ask("GET", f"{API}/search?jql=project%3DENG").status == 410
    assert ask("POST", f"{API}/search", {"jql": "project = ENG"}).status == 410

"""Every answer of the simulated Jira is one that Atlassian's OpenAPI document allows."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runbook.clock import VirtualClock
from runbook.simulator.app import make_app
from runbook.simulator.linkfixing import settle
from runbook.simulator.messages import Reply
from runbook.simulator.populate import world_of
from runbook.simulator.router import JIRA_OPERATIONS, answer
from runbook.simulator.world import World
from tests.simulator.openapi import (
    ValidatingTransport,
    document,
    needs_document,
    validate_answer,
    validate_request,
)
from tests.simulator.worlds import EMAIL, ENG, NOW, TOKEN, call_of, job_body, two_sites

pytestmark = needs_document

API = f"{ENG}/rest/api/3"
LINKS = f"{API}/issue/ENG-1/remotelink"
RECORD: dict[str, Any] = {
    "globalId": "g",
    "application": {"type": "com.atlassian.jira", "name": "Ops"},
    "relationship": "blocks",
    "object": {
        "url": "https://contoso-ops.atlassian.net/browse/OPS-1",
        "title": "OPS-1",
        "summary": "S",
        "icon": {"url16x16": "https://example.com/i.png", "title": "I"},
        "status": {"resolved": False, "icon": {}},
    },
}
ANONYMOUS: dict[str, Any] = {"account": None}


@pytest.fixture
def world(clock: VirtualClock) -> World:
    """A world in which every kind of link is there: own ones, and those of a finished job."""
    world = world_of(two_sites(), clock=clock, job_minutes=1, own_links=0.5)
    url = f"https://api.atlassian.com/links/v1/{world.sites[ENG].site_id}/jobs/cma"
    assert answer(world, call_of("POST", url, job_body()))[0].status == 200
    clock.advance(3600)
    settle(world)
    return world


def nothing(_: World) -> None:
    pass


def one_link(world: World) -> None:
    issue = world.issue("ENG-1")
    issue.links.clear()
    world.sites[ENG].next_link_id = 77
    world.write_link(issue, RECORD, world.account(EMAIL))


def linking_off(world: World) -> None:
    one_link(world)
    world.sites[ENG].linking_enabled = False


def no_permission(world: World) -> None:
    one_link(world)
    world.account(EMAIL).lacks |= {("LINK_ISSUES", "*"), ("ADMINISTER", "*")}


def a_low_limit(world: World) -> None:
    one_link(world)
    world.settings.remote_link_limit = 0


def wrong_credentials_refused(world: World) -> None:
    world.settings.accept_any = False
    world.settings.bad_credential = "401"


def exhausted(world: World) -> None:
    for _ in range(100):
        answer(world, call_of("GET", LINKS))


Case = tuple[int, str, str, Any, Callable[[World], None], dict[str, Any]]


def case(
    status: int,
    method: str,
    url: str,
    value: Any = None,
    world: Callable[[World], None] = nothing,
    **more: Any,
) -> Case:
    return status, method, url, value, world, more


CASES: dict[str, Case] = {
    "read all links": case(200, "GET", LINKS, world=one_link),
    "read a Jira link that a job made": case(200, "GET", LINKS.replace("ENG-1", "ENG-123")),
    "read the link with a globalId": case(200, "GET", f"{LINKS}?globalId=g", world=one_link),
    "read one link": case(200, "GET", f"{LINKS}/77", world=one_link),
    "read with a wrong id": case(400, "GET", f"{LINKS}/abc"),
    "read links, wrong credential": case(401, "GET", LINKS, world=wrong_credentials_refused),
    "read links, linking off": case(403, "GET", LINKS, world=linking_off),
    "read links of no issue": case(404, "GET", LINKS.replace("ENG-1", "NO-1")),
    "read links over the limit": case(413, "GET", LINKS, world=a_low_limit),
    "read links too fast": case(429, "GET", LINKS, world=exhausted),
    "make a link": case(201, "POST", LINKS, RECORD),
    "update a link": case(200, "POST", LINKS, RECORD, one_link),
    "make a link without an object": case(400, "POST", LINKS, {}),
    "make a link, wrong credential": case(401, "POST", LINKS, RECORD, wrong_credentials_refused),
    "make a link, no permission": case(403, "POST", LINKS, RECORD, no_permission),
    "make a link on no issue": case(404, "POST", LINKS.replace("ENG-1", "NO-1"), RECORD),
    "replace a link": case(204, "PUT", f"{LINKS}/77", RECORD, one_link),
    "replace a link by nothing": case(400, "PUT", f"{LINKS}/77", {}, one_link),
    "replace a link, no permission": case(403, "PUT", f"{LINKS}/77", RECORD, no_permission),
    "replace no link": case(404, "PUT", f"{LINKS}/78", RECORD, one_link),
    "delete a link": case(204, "DELETE", f"{LINKS}/77", world=one_link),
    "delete a link, no permission": case(403, "DELETE", f"{LINKS}/77", world=no_permission),
    "delete no link": case(404, "DELETE", f"{LINKS}/78", world=one_link),
    "delete by globalId": case(204, "DELETE", f"{LINKS}?globalId=g", world=one_link),
    "delete by no globalId": case(400, "DELETE", LINKS, world=one_link),
    "delete by an absent globalId": case(404, "DELETE", f"{LINKS}?globalId=x", world=one_link),
    "read an issue": case(200, "GET", f"{API}/issue/ENG-123"),
    "read no issue": case(404, "GET", f"{API}/issue/NO-1"),
    "read issues in bulk": case(
        200, "POST", f"{API}/issue/bulkfetch", {"issueIdsOrKeys": ["ENG-1", "NO-1"]}
    ),
    "read too many issues": case(
        400, "POST", f"{API}/issue/bulkfetch", {"issueIdsOrKeys": ["ENG-1"] * 101}
    ),
    "read histories in bulk": case(
        200, "POST", f"{API}/changelog/bulkfetch", {"issueIdsOrKeys": ["ENG-123"]}
    ),
    "read no histories": case(400, "POST", f"{API}/changelog/bulkfetch", {"issueIdsOrKeys": []}),
    "search": case(200, "POST", f"{API}/search/jql", {"jql": "project = ENG"}),
    "search a page": case(
        200,
        "POST",
        f"{API}/search/jql",
        {"jql": "project = ENG", "maxResults": 2, "fields": ["*all"]},
    ),
    "search by address": case(200, "GET", f"{API}/search/jql?jql=project%3DENG&fields=summary"),
    "search unbounded": case(400, "POST", f"{API}/search/jql", {"jql": ""}),
    "who am I": case(200, "GET", f"{API}/myself"),
    "who is nobody": case(401, "GET", f"{API}/myself", **ANONYMOUS),
    "my permissions": case(200, "GET", f"{API}/mypermissions?permissions=LINK_ISSUES,ADMINISTER"),
    "my permissions, none named": case(400, "GET", f"{API}/mypermissions"),
    "my permissions, nowhere": case(
        404, "GET", f"{API}/mypermissions?permissions=LINK_ISSUES&projectKey=NO"
    ),
    "check permissions": case(
        200,
        "POST",
        f"{API}/permissions/check",
        {
            "globalPermissions": ["ADMINISTER"],
            "projectPermissions": [
                {"permissions": ["LINK_ISSUES"], "projects": [10000], "issues": [10001, 5]}
            ],
        },
    ),
    "check unknown permissions": case(
        400, "POST", f"{API}/permissions/check", {"globalPermissions": ["FLY"]}
    ),
    "server info": case(200, "GET", f"{API}/serverInfo", **ANONYMOUS),
    "configuration": case(200, "GET", f"{API}/configuration"),
    "configuration, nobody": case(401, "GET", f"{API}/configuration", **ANONYMOUS),
    "link types": case(200, "GET", f"{API}/issueLinkType"),
    "link types, linking off": case(404, "GET", f"{API}/issueLinkType", world=linking_off),
    "limit report": case(200, "GET", f"{API}/issue/limit/report?isReturningKeys=true"),
    "limit report, over": case(200, "GET", f"{API}/issue/limit/report", world=a_low_limit),
    "limit report, nobody": case(401, "GET", f"{API}/issue/limit/report", **ANONYMOUS),
    "limit report, no permission": case(
        403, "GET", f"{API}/issue/limit/report", world=no_permission
    ),
    "projects": case(200, "GET", f"{API}/project/search?keys=ENG&status=live"),
    "projects, a wrong page": case(400, "GET", f"{API}/project/search?startAt=x"),
}


@pytest.mark.parametrize("one", CASES.values(), ids=list(CASES))
def test_an_answer_is_as_documented(world: World, one: Case) -> None:
    status, method, url, value, change, more = one
    change(world)
    call = call_of(method, url, value, **more)
    reply: Reply = answer(world, call)[0]
    assert reply.status == status
    validate_answer(method, url, reply.status, reply.body)
    if status < 400:
        validate_request(method, url, call.body)


def test_every_operation_of_the_simulator_is_documented_and_tried() -> None:
    served = {(method, f"/rest/api/3/{path}") for method, path in JIRA_OPERATIONS}
    documented = {
        (method.upper(), path) for path, item in document()["paths"].items() for method in item
    }
    assert served <= documented
    # Atlassian's document still lists the removed search; the simulator answers it with 410.
    removed = {("GET", "/rest/api/3/search"), ("POST", "/rest/api/3/search")}
    world = world_of(two_sites(), clock=VirtualClock(NOW))
    tried = {
        (method, answer(world, call_of(method, url))[1]) for _, method, url, *_ in CASES.values()
    }
    assert tried == served - removed


def test_the_gateway_and_version_2_are_compared_too() -> None:
    for url in (
        "https://api.atlassian.com/ex/jira/x/rest/api/3/myself",
        f"{ENG}/rest/api/2/myself",
    ):
        validate_answer("GET", url, 200, b'{"accountId": "x"}')
        with pytest.raises(AssertionError, match="nonsense"):
            validate_answer("GET", url, 200, b'{"nonsense": "x"}')


WRONG: dict[str, Callable[[], None]] = {
    "an undocumented status": lambda: validate_answer("GET", f"{API}/myself", 418),
    "a body with a 204": lambda: validate_answer("DELETE", f"{LINKS}?globalId=g", 204, b"{}"),
    "no body with a 200": lambda: validate_answer("GET", f"{API}/myself", 200),
    "a link without a title": lambda: validate_answer(
        "GET", LINKS, 200, json.dumps([{"id": 1, "object": {"url": "u"}}]).encode()
    ),
    "a null": lambda: validate_answer("GET", LINKS, 200, b'[{"id": 1, "globalId": null}]'),
    "a request without an object": lambda: validate_request("POST", LINKS, b"{}"),
    "a request without a body": lambda: validate_request("POST", LINKS),
    "a body where none belongs": lambda: validate_request("GET", LINKS, b"{}"),
    "an unknown parameter": lambda: validate_request("GET", f"{LINKS}?expand=all"),
    "a required parameter missing": lambda: validate_request("DELETE", LINKS),
    "an operation that does not exist": lambda: validate_request("PATCH", LINKS),
    "an address elsewhere": lambda: validate_request("GET", f"{ENG}/browse/ENG-1"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_the_comparison_finds(wrong: Callable[[], None]) -> None:
    with pytest.raises(AssertionError):
        wrong()


def test_a_client_can_be_held_to_the_document_on_its_way(world: World) -> None:
    transport = ValidatingTransport(httpx.ASGITransport(app=make_app(world)))

    async def act() -> None:
        async with httpx.AsyncClient(transport=transport, auth=(EMAIL, TOKEN)) as client:
            assert (await client.get(f"{ENG}/_edge/tenant_info")).status_code == 200
            assert (await client.post(LINKS, json=RECORD)).status_code == 201
            assert (await client.post(LINKS, json={})).status_code == 400
            with pytest.raises(AssertionError, match="expand"):
                await client.get(LINKS, params={"expand": "all"})

    asyncio.run(act())
    assert transport.validated == 2

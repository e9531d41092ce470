"""What a site says about itself and the visitor, and how Jira treats credentials."""

from dataclasses import replace
from typing import Any

import pytest

from runbook.simulator.model import SimAccount
from runbook.simulator.router import answer
from runbook.simulator.world import World
from tests.simulator.worlds import EMAIL, ENG, GATEWAY, OPS, TOKEN, Ask, call_of

API = f"{ENG}/rest/api/3"
SCOPED = ("scoped@contoso.example", "s")


@pytest.fixture
def strict(world: World) -> World:
    """A world that knows its people."""
    world.settings.accept_any = False
    world.accounts[EMAIL] = SimAccount(email=EMAIL, token=TOKEN)
    world.accounts[SCOPED[0]] = SimAccount(email=SCOPED[0], token=SCOPED[1], scoped=True)
    return world


def test_myself_names_the_account(ask: Ask) -> None:
    reply = ask("GET", f"{API}/myself")
    assert reply.json()["emailAddress"] == EMAIL
    assert reply.header("X-AAccountId") == reply.json()["accountId"]


def test_the_server_names_itself_to_anybody(world: World, ask: Ask) -> None:
    world.sites[ENG].display_url = "https://issues.contoso.example"
    info = ask("GET", f"{API}/serverInfo", account=None).json()
    assert (info["baseUrl"], info["displayUrl"]) == (ENG, "https://issues.contoso.example")
    assert info["serverTime"] == "2026-11-22T19:00:00.000+0000"


def test_a_custom_domain_reaches_the_site(world: World, ask: Ask) -> None:
    world.sites[ENG].display_url = "https://issues.contoso.example"
    reply = ask("GET", "https://issues.contoso.example/_edge/tenant_info", account=None)
    assert reply.json()["cloudId"] == world.sites[ENG].site_id


def test_linking_off_is_visible_in_advance(world: World, ask: Ask) -> None:
    assert ask("GET", f"{API}/configuration").json()["issueLinkingEnabled"] is True
    assert ask("GET", f"{API}/issueLinkType").status == 200
    world.sites[ENG].linking_enabled = False
    assert ask("GET", f"{API}/configuration").json()["issueLinkingEnabled"] is False
    assert ask("GET", f"{API}/issueLinkType").status == 404


def test_permissions_must_be_named_and_known(ask: Ask) -> None:
    assert ask("GET", f"{API}/mypermissions").status == 400
    reply = ask("GET", f"{API}/mypermissions?permissions=BROWSE_PROJECTS,FLY")
    assert (reply.status, reply.json()["errors"]) == (400, {"FLY": "Unrecognized permission"})


def test_permissions_are_those_of_the_place(world: World, ask: Ask) -> None:
    world.account(EMAIL).lacks |= {("LINK_ISSUES", "PLAT"), ("ADMINISTER", OPS)}

    def has(key: str, site: str, where: str = "") -> Any:
        url = f"{site}/rest/api/3/mypermissions?permissions={key}{where}"
        return ask("GET", url).json()["permissions"][key]["havePermission"]

    assert has("LINK_ISSUES", ENG) is True
    assert has("LINK_ISSUES", ENG, "&projectKey=ENG") is True
    assert has("LINK_ISSUES", ENG, "&projectKey=PLAT") is False
    assert has("LINK_ISSUES", ENG, "&issueKey=PLAT-1") is False
    assert has("ADMINISTER", ENG) is True
    assert has("ADMINISTER", OPS) is False
    assert ask("GET", f"{API}/mypermissions?permissions=ADMINISTER&projectKey=NO").status == 404


def test_permissions_of_many_projects_are_checked_at_once(world: World, ask: Ask) -> None:
    world.account(EMAIL).lacks.add(("LINK_ISSUES", "PLAT"))
    ids = [project.id for project in world.sites[ENG].projects.values()]
    issues = [world.issue("ENG-1").id, world.issue("PLAT-1").id, 5]
    entry = {"permissions": ["LINK_ISSUES"], "projects": [*ids, 5], "issues": issues}
    body = {"globalPermissions": ["ADMINISTER"], "projectPermissions": [entry]}
    assert ask("POST", f"{API}/permissions/check", body).json() == {
        "globalPermissions": ["ADMINISTER"],
        "projectPermissions": [
            {"permission": "LINK_ISSUES", "projects": ids[:1], "issues": issues[:1]}
        ],
    }


def test_projects_are_listed_live_or_archived(world: World, ask: Ask) -> None:
    world.sites[ENG].projects["PLAT"].archived = True

    def keys(query: str = "") -> list[str]:
        found = ask("GET", f"{API}/project/search{query}").json()["values"]
        return [project["key"] for project in found]

    assert keys() == ["ENG"]
    assert keys("?status=archived") == ["PLAT"]
    assert keys("?status=live&status=archived&keys=PLAT") == ["PLAT"]
    assert keys("?keys=NO") == []


def test_the_limit_report_names_issues_near_and_over_the_limit(world: World, ask: Ask) -> None:
    world.settings.remote_link_limit = 10
    for key, many in (("ENG-1", 7), ("ENG-2", 8), ("ENG-3", 11)):
        for number in range(many):
            record = {"object": {"url": f"https://x.example/{number}", "title": "T"}}
            world.write_link(world.issue(key), record, world.account(EMAIL))
    report = ask("GET", f"{API}/issue/limit/report?isReturningKeys=true").json()
    assert report["limits"]["remoteIssueLinks"] == 10
    assert report["issuesApproachingLimit"] == {"remoteIssueLinks": {"ENG-2": 8}}
    assert report["issuesBreachingLimit"] == {"remoteIssueLinks": {"ENG-3": 11}}
    world.account(EMAIL).lacks.add(("ADMINISTER", "*"))
    assert ask("GET", f"{API}/issue/limit/report").status == 403


def test_without_a_login_a_visitor_is_anonymous(ask: Ask, world: World) -> None:
    url = f"{API}/issue/ENG-1/remotelink"
    assert ask("GET", url, account=None).status == 404
    assert ask("GET", f"{API}/myself", account=None).status == 401
    assert ask("POST", url, {}, account=None).status == 404


def test_a_wrong_credential_reads_as_anonymous_and_says_so_in_a_header(
    strict: World, ask: Ask
) -> None:
    wrong = (EMAIL, "wrong")
    reply = ask("GET", f"{API}/issue/ENG-1/remotelink", account=wrong)
    assert reply.status == 404
    assert reply.header("X-Seraph-LoginReason") == "AUTHENTICATED_FAILED"
    assert ask("GET", f"{API}/myself", account=wrong).status == 401


def test_a_wrong_credential_can_be_refused(strict: World, ask: Ask) -> None:
    strict.settings.bad_credential = "401"
    assert ask("GET", f"{API}/issue/ENG-1", account=(EMAIL, "wrong")).status == 401


def test_scoped_tokens_work_on_the_gateway_only(strict: World, ask: Ask) -> None:
    gateway = f"{GATEWAY}/ex/jira/{strict.sites[ENG].site_id}/rest/api/3/myself"
    assert ask("GET", gateway, account=SCOPED).status == 200
    assert ask("GET", f"{API}/myself", account=SCOPED).status == 401
    assert ask("GET", f"{API}/myself").status == 200
    refused = ask("GET", gateway)
    assert (refused.status, refused.json()["message"]) == (
        401,
        "Unauthorized; scope does not match",
    )


@pytest.mark.parametrize("header", ["Bearer x", "Basic !!!", "Basic Zm9v", "Basic", "Basic Og=="])
def test_a_credential_that_is_none_is_not_taken(world: World, header: str) -> None:
    call = replace(call_of("GET", f"{API}/myself"), headers={"authorization": header})
    assert answer(world, call)[0].status == 401


def test_what_is_not_there_is_404_in_the_form_of_its_host(ask: Ask, world: World) -> None:
    assert ask("GET", f"{API}/no/such/thing").json()["errorMessages"]
    assert ask("GET", f"{ENG}/browse/ENG-1").header("content-type") == "text/html;charset=UTF-8"
    assert ask("GET", f"{GATEWAY}/nothing").json()["code"] == 404
    assert ask("GET", f"{GATEWAY}/ex/jira/nobody/rest/api/3/myself").json()["code"] == 404
    assert ask("GET", f"{GATEWAY}/links/v1/nobody/jobs/status/x").json()["code"] == 404
    assert ask("PATCH", f"{API}/issue/ENG-1").status == 404

"""What the sites say about a plan: asked of the simulator, judged as findings."""

import asyncio
import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from runbook.atlassian.facts import ask
from runbook.atlassian.transport import HttpTransport
from runbook.checks import examine
from runbook.checks.codes import Facts
from runbook.checks.online import ONLINE_CHECKS, NotTold, OldBase, OnlineFacts, Told, online_lines
from runbook.clock import VirtualClock
from runbook.findings import Finding, Severity
from runbook.http import Outcome, Request
from runbook.plan.model import Location
from runbook.simulator.app import make_app
from runbook.simulator.faults import Fault, FaultKind
from runbook.simulator.populate import world_of
from tests.atlassian.scripted import ACCOUNT
from tests.canary import leaks
from tests.simulator.openapi import DOCUMENT, validate_request
from tests.simulator.worlds import ENG, NOW, OPS, two_sites


class _Checked(httpx.ASGITransport):
    """Hold every request to a cloud site against Atlassian's document, whatever the answer will be."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        cloud = request.headers["host"].endswith(".atlassian.net")
        if DOCUMENT.exists() and cloud and request.url.path.startswith("/rest/"):
            validate_request(request.method, str(request.url), request.content)
        return await super().handle_async_request(request)


class Scene:
    """A plan, its world, and what asking comes to."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        plan = two_sites()
        paths = [f"sites[{n}]" for n in range(2)]
        self.plan = replace(
            plan,
            sites=tuple(
                replace(site, path=path) for site, path in zip(plan.sites, paths, strict=True)
            ),
            instances=tuple(
                replace(instance, path=f"instances[{n}]")
                for n, instance in enumerate(plan.instances)
            ),
            locations={f"{path}.url": Location(n + 7, 10) for n, path in enumerate(paths)},
        )
        self.world = world_of(self.plan, clock=clock, own_links=0.0)

    def change(self, **changes: Any) -> None:
        """Change the first site of the plan."""
        first, *rest = self.plan.sites
        self.plan = replace(self.plan, sites=(replace(first, **changes), *rest))

    def asked(self, accounts: Any = (ACCOUNT,)) -> OnlineFacts:
        async def whole() -> OnlineFacts:
            transport = HttpTransport(
                accounts=accounts,
                clock=self.clock,
                sockets=lambda: _Checked(app=make_app(self.world)),
            )
            try:
                return await ask(self.plan, transport, self.clock)
            finally:
                await transport.aclose()

        return asyncio.run(whole())

    def findings(self, accounts: Any = (ACCOUNT,), at: Any = NOW) -> list[Finding]:
        facts = Facts(at=at, online=self.asked(accounts))
        assert not leaks(repr(facts).encode())
        return [finding for check in ONLINE_CHECKS for finding in check(self.plan, facts)]

    def codes(self, **options: Any) -> list[str]:
        """Return the codes, but for the Data Center, which no simulator plays."""
        found = self.findings(**options)
        return sorted(finding.code for finding in found if "base URL" not in finding.message)


@pytest.fixture
def scene(clock: VirtualClock) -> Scene:
    return Scene(clock)


def test_sites_that_are_fine_give_no_finding(scene: Scene) -> None:
    assert scene.codes() == []
    lines = online_lines(scene.plan, scene.asked())
    assert len(lines) == 2
    assert all("administrator" in line and "asked 2026-11-22" in line for line in lines)


def test_another_site_id_is_rb601(scene: Scene) -> None:
    scene.change(site_id="6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a10")
    (finding,) = [finding for finding in scene.findings() if finding.code == "RB601"]
    assert finding.severity is Severity.ERROR
    assert finding.path == "sites[0].siteId"
    assert scene.world.sites[ENG].site_id in finding.message
    scene.change(site_id=scene.world.sites[ENG].site_id.upper())
    assert scene.codes() == []


UNREACHED = {
    "nothing but 503": Fault(kind=FaultKind.STATUS, host="contoso-eng*", status=503, times=999),
    "a web page": Fault(kind=FaultKind.HTML, host="contoso-eng*", times=999),
    "connections that break": Fault(kind=FaultKind.RESET, host="contoso-eng*", times=999),
}


@pytest.mark.parametrize("fault", UNREACHED.values(), ids=UNREACHED.keys())
def test_a_site_that_does_not_answer_is_rb602_and_the_rest_is_not_known(
    fault: Fault, scene: Scene
) -> None:
    scene.world.faults.add(fault)
    found = scene.findings()
    assert [finding.line for finding in found if finding.code == "RB602"] == [7]
    silent = [finding for finding in found if finding.code == "RB690" and ENG in finding.message]
    for what in ("login", "administrator", "issue linking", "projects", "clock"):
        assert any(what in finding.message for finding in silent)
    assert not any(OPS in finding.message for finding in found)


def test_a_credential_that_is_refused_is_rb603(scene: Scene) -> None:
    scene.world.settings.accept_any = False
    codes = scene.codes()
    assert codes.count("RB603") == 2
    assert "RB602" not in codes
    assert "RB690" in codes


def test_an_account_without_rights_is_rb604(scene: Scene) -> None:
    account = scene.world.account(ACCOUNT.email)
    account.lacks.add(("ADMINISTER", "*"))
    assert "RB604" in scene.codes()


def test_linking_that_is_off_is_rb605(scene: Scene) -> None:
    scene.world.sites[ENG].linking_enabled = False
    assert scene.codes().count("RB605") == 1


def test_issues_near_the_limit_are_rb606(scene: Scene) -> None:
    scene.world.settings.remote_link_limit = 5
    issue = scene.world.issue("ENG-1")
    for number in range(5):
        record = {"globalId": f"g{number}", "object": {"url": "https://x.example", "title": "x"}}
        scene.world.write_link(issue, record, scene.world.account("x@x.example"))
    (finding,) = [finding for finding in scene.findings() if finding.code == "RB606"]
    assert "ENG-1 (5)" in finding.message


@pytest.mark.parametrize("off_s", [-300.0, 300.0])
def test_a_clock_that_is_off_is_rb607(off_s: float, scene: Scene) -> None:
    class Off(VirtualClock):
        def now(self) -> Any:
            return scene.world.clock.now() + timedelta(seconds=off_s)

    scene.clock = Off(NOW)
    (finding,) = [finding for finding in scene.findings() if finding.code == "RB607"]
    assert ("ahead of" in finding.message) == (off_s > 0)


def test_a_token_that_expires_before_the_logs_are_gone_is_rb608(scene: Scene) -> None:
    scene.change(token_expires=date(2026, 12, 20))
    assert scene.codes() == ["RB608"]
    scene.change(token_expires=date(2026, 12, 21))
    assert scene.codes() == []


def test_a_project_that_cannot_be_used_is_rb609(scene: Scene) -> None:
    del scene.world.sites[ENG].projects["PLAT"]
    (finding,) = [finding for finding in scene.findings() if finding.code == "RB609"]
    assert finding.path == "sites[0].projects[1]"
    assert "PLAT" in finding.message


def test_a_data_center_that_reports_another_base_url_is_rb610(scene: Scene) -> None:
    told = scene.asked()
    silent = [finding for finding in scene.findings() if "base URL" in finding.message]
    assert [finding.code for finding in silent] == ["RB690"]
    old = told.old_bases[0].url
    for reported, expected in (("https://JIRA.contoso.example/", 0), ("https://other.example", 2)):
        bases = (OldBase(url=old, base_url=Told(reported, NOW)),)
        facts = Facts(at=NOW, online=replace(told, old_bases=bases))
        found = [finding for check in ONLINE_CHECKS for finding in check(scene.plan, facts)]
        assert len([finding for finding in found if finding.code == "RB610"]) == expected


def test_no_credential_yet_is_rb690_with_the_reason(scene: Scene) -> None:
    found = scene.findings(accounts=())
    assert {finding.code for finding in found} == {"RB690"}
    assert any("no credential of account `default`" in finding.message for finding in found)
    assert all(finding.severity is Severity.NOTE for finding in found)


def test_nobody_asked_is_one_note(scene: Scene) -> None:
    found = [finding for finding in examine(scene.plan, Facts(at=NOW)) if finding.code == "RB690"]
    assert len(found) == 1
    assert "--online" in found[0].message + found[0].hint


REFUSED = {
    "mypermissions": "administrator",
    "configuration": "issue linking",
    "issue/limit/report": "issues near the limit",
    "project/search": "projects",
    "permissions/check": "projects",
    "serverInfo": "clock",
}


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("status", [403, 500, 401])
def test_every_question_that_is_not_answered_is_rb690(path: str, status: int, scene: Scene) -> None:
    scene.world.faults.add(
        Fault(kind=FaultKind.STATUS, path=f"*/{path}", host="contoso-eng*", status=status, times=99)
    )
    found = [finding for finding in scene.findings() if "base URL" not in finding.message]
    assert {finding.code for finding in found} == {"RB690"}
    assert any(REFUSED[path] in finding.message and ENG in finding.message for finding in found)


def test_an_answer_of_another_shape_is_no_answer(scene: Scene) -> None:
    scene.world.faults.add(
        Fault(
            kind=FaultKind.STATUS, path="*", host="contoso-eng*", status=200, times=999, body=b"[]"
        )
    )
    assert "RB602" in scene.codes()
    told = scene.asked()
    assert isinstance(told.sites[0].site_id, NotTold)


ODD_ANSWERS: dict[str, tuple[str, Any, str]] = {
    "settings without the one that is asked for": ("configuration", {}, "issue linking"),
    "settings in a list": ("configuration", [], "issue linking"),
    "a word instead of yes or no": (
        "configuration",
        {"issueLinkingEnabled": "true"},
        "issue linking",
    ),
    "permissions that are not listed": ("mypermissions", {}, "administrator"),
    "permissions in a list": ("mypermissions", [], "administrator"),
    "a limit report without its groups": ("issue/limit/report", {}, "limit"),
    "a limit report with a list for a group": (
        "issue/limit/report",
        {"issuesApproachingLimit": [], "issuesBreachingLimit": {}},
        "limit",
    ),
    "a limit report with a list of issues": (
        "issue/limit/report",
        {"issuesApproachingLimit": {"remoteIssueLinks": ["ENG-1"]}, "issuesBreachingLimit": {}},
        "limit",
    ),
    "a limit report with a word for a number": (
        "issue/limit/report",
        {
            "issuesApproachingLimit": {"remoteIssueLinks": {"ENG-1": "many"}},
            "issuesBreachingLimit": {},
        },
        "limit",
    ),
    "a project without id": ("project/search", {"values": [{"key": "ENG"}]}, "projects"),
    "no list of projects": ("project/search", {"values": None}, "projects"),
    "an empty object instead of projects": ("project/search", {}, "projects"),
    "rights that are not listed": ("permissions/check", {}, "projects"),
    "rights for ids that are no numbers": (
        "permissions/check",
        {"projectPermissions": [{"permission": "BROWSE_PROJECTS", "projects": ["x"]}]},
        "projects",
    ),
    "rights in a list of lists": ("permissions/check", {"projectPermissions": [[]]}, "projects"),
}


@pytest.mark.parametrize(("path", "body", "what"), ODD_ANSWERS.values(), ids=ODD_ANSWERS.keys())
def test_an_answer_that_is_not_as_documented_is_rb690_and_no_verdict(
    path: str, body: Any, what: str, scene: Scene
) -> None:
    async def whole() -> OnlineFacts:
        transport = HttpTransport(
            accounts=(ACCOUNT,),
            clock=scene.clock,
            sockets=lambda: httpx.ASGITransport(app=make_app(scene.world)),
        )

        async def odd(request: Request) -> Outcome:
            outcome = await transport(request)
            if f"contoso-eng.atlassian.net/rest/api/3/{path}" not in request.url:
                return outcome
            return replace(outcome, status=200, body=json.dumps(body).encode())

        try:
            return await ask(scene.plan, odd, scene.clock)
        finally:
            await transport.aclose()

    facts = Facts(at=NOW, online=asyncio.run(whole()))
    found = [finding for check in ONLINE_CHECKS for finding in check(scene.plan, facts)]
    found = [finding for finding in found if "base URL" not in finding.message]
    assert {finding.code for finding in found} == {"RB690"}
    assert any(what in finding.message for finding in found)

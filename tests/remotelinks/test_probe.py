"""A probe link is present, absent, or was not asked for; never a guess."""

import asyncio
from typing import Any

import httpx
import pytest

from runbook.atlassian.jira import IssueRef
from runbook.atlassian.transport import HttpTransport
from runbook.clock import VirtualClock
from runbook.http import ProbeReading
from runbook.remotelinks.probe import RemoteLinkProber, points_to
from runbook.remotelinks.target import places_of
from runbook.simulator.app import make_app
from runbook.simulator.faults import Fault, FaultKind
from runbook.simulator.world import World
from tests.atlassian.scripted import ACCOUNT
from tests.canary import leaks
from tests.simulator.worlds import ENG, OPS, two_sites

PLACES = places_of((OPS, "https://issues.contoso.example"))
TARGET = IssueRef(id=20077, key="OPS-77")


def link(url: str, global_id: str | None = None) -> dict[str, Any]:
    return {"id": 1, "globalId": global_id, "object": {"url": url, "title": "x"}}


POINTS = {
    "the base address": (link(f"{OPS}/browse/OPS-77"), True),
    "the display address": (link("https://issues.contoso.example/browse/ops-77"), True),
    "the issue id": (link("https://elsewhere.example/x", "appId=5&issueId=20077"), True),
    "the issue id of an issue that moved": (
        link(f"{OPS}/browse/NEW-1", "appId=5&issueId=20077"),
        True,
    ),
    "another issue": (link(f"{OPS}/browse/OPS-78", "appId=5&issueId=20078"), False),
    "an equal id on another site": (
        link("https://contoso-hr.atlassian.net/browse/HR-1", "appId=5&issueId=20077"),
        False,
    ),
    "the Data Center": (link("https://jira.contoso.example/browse/OPS-77"), False),
    "no object": ({"id": 1}, False),
}


@pytest.mark.parametrize("case", POINTS.values(), ids=POINTS.keys())
def test_a_link_points_to_its_target_by_id_or_by_address(case: tuple[dict[str, Any], bool]) -> None:
    assert points_to(case[0], "OPS-77", TARGET, PLACES) is case[1]


def test_a_target_that_has_a_new_key_is_found_by_it() -> None:
    moved = IssueRef(id=20077, key="NEW-1")
    assert points_to(link(f"{OPS}/browse/NEW-1"), "OPS-77", moved, PLACES)
    assert points_to(link(f"{OPS}/browse/OPS-77"), "OPS-77", None, PLACES)


@pytest.fixture
def world(clock: VirtualClock) -> World:
    return World.from_plan(two_sites(), clock=clock, own_links=0.0)


def reading(
    world: World, clock: VirtualClock, site: str = ENG, accounts: Any = (ACCOUNT,)
) -> ProbeReading:
    async def whole() -> ProbeReading:
        transport = HttpTransport(
            accounts=accounts,
            clock=clock,
            sockets=lambda: httpx.ASGITransport(app=make_app(world)),
        )
        try:
            prober = RemoteLinkProber(two_sites(), transport, clock)
            return await prober.read(site, "ENG-123", "OPS-77", OPS)
        finally:
            await transport.aclose()

    return asyncio.run(whole())


def test_a_link_is_absent_until_it_is_there(world: World, clock: VirtualClock) -> None:
    before = reading(world, clock)
    assert before.result == "absent"
    record = {"globalId": "g", "object": {"url": f"{OPS}/browse/OPS-77", "title": "OPS-77"}}
    world.write_link(world.issue("ENG-123"), record, world.account("someone@x.example"))
    after = reading(world, clock)
    assert after.result == "present"
    assert "ENG-123" in after.detail
    assert any(one["request"]["url"].endswith("/remotelink") for one in after.exchanges)
    assert not leaks(str(after).encode())


NOT_ASKED: dict[str, Any] = {
    "the site does not answer": (
        Fault(kind=FaultKind.STATUS, path="*/remotelink", status=503, times=99),
        "asked 3 times",
    ),
    "the issue is gone": (
        Fault(kind=FaultKind.STATUS, path="*/remotelink", status=404, times=99),
        "404",
    ),
    "a proxy speaks": (Fault(kind=FaultKind.HTML, path="*", times=99), "web page"),
}


@pytest.mark.parametrize("case", NOT_ASKED.values(), ids=NOT_ASKED.keys())
def test_what_could_not_be_looked_at_is_not_asked_with_the_reason(
    case: tuple[Fault, str], world: World, clock: VirtualClock
) -> None:
    fault, words = case
    world.faults.add(fault)
    seen = reading(world, clock)
    assert seen.result == "not_asked"
    assert words in seen.detail
    assert seen.exchanges


def test_without_a_credential_or_a_site_nothing_is_asked(world: World, clock: VirtualClock) -> None:
    assert reading(world, clock, accounts=()).result == "not_asked"
    assert "no site" in reading(world, clock, site="https://x.atlassian.net").detail

"""A probe link is present, absent, or was not asked for; never a guess."""

import asyncio
from typing import Any

import httpx
import pytest

from runbook.atlassian.transport import HttpTransport
from runbook.clock import VirtualClock
from runbook.http import ProbeReading
from runbook.remotelinks.probe import RemoteLinkProber
from runbook.simulator.app import make_app
from runbook.simulator.faults import Fault, FaultKind
from runbook.simulator.populate import world_of
from runbook.simulator.world import World
from tests.atlassian.scripted import ACCOUNT
from tests.canary import leaks
from tests.simulator.worlds import ENG, OPS, two_sites


@pytest.fixture
def world(clock: VirtualClock) -> World:
    return world_of(two_sites(), clock=clock, own_links=0.0)


def reading(
    world: World, clock: VirtualClock, site: str = ENG, accounts: Any = (ACCOUNT,)
) -> ProbeReading:
    async def whole() -> ProbeReading:
        transport = HttpTransport(
            accounts=accounts, clock=clock, sockets=lambda: httpx.ASGITransport(app=make_app(world))
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
    assert any(read["request"]["url"].endswith("/remotelink") for read in after.exchanges)
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

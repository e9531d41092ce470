"""Does this link point to that issue? The probe, `verify` and `repair` give the same answer."""

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.atlassian.jira_values import IssueRef
from runbook.atlassian.transport import HttpTransport
from runbook.clock import VirtualClock
from runbook.remotelinks.compare import Found, Kind, Wanted, classify
from runbook.remotelinks.comparison import MissingRow
from runbook.remotelinks.pointing import OLD, Addresses, issue_id_of, normal_base
from runbook.remotelinks.probe import RemoteLinkProber
from runbook.remotelinks.repair import CreateOrder
from runbook.remotelinks.writes import Intent, Skip
from runbook.simulator.app import make_app
from runbook.simulator.populate import world_of
from runbook.simulator.world import World
from tests.atlassian.scripted import ACCOUNT
from tests.simulator.worlds import ENG, OPS, two_sites

HR = "https://contoso-hr.atlassian.net"
DISPLAY = "https://issues.contoso.example"
OLD_BASE = "https://jira.contoso.example/jira"
ADDRESSES = Addresses({ENG: (), OPS: (None, DISPLAY), HR: (HR,)}, [OLD_BASE])
ELSEWHERE = "https://go.example/x"

# `{id}` stands for the numeric id of OPS-7, the issue that the links are asked about.
POINTS: dict[str, tuple[str, str | None, bool]] = {
    "the address names the key": (f"{OPS}/browse/OPS-7", None, True),
    "the key is written small": (f"{OPS}/browse/ops-7", None, True),
    "the key is percent-encoded": (f"{OPS}/browse/OPS%2D7", None, True),
    "the key is percent-encoded in small letters": (f"{OPS}/browse/ops%2d7", None, True),
    "the address has a query": (f"{OPS}/browse/OPS-7?focusedId=1", None, True),
    "the query names another issue of another site": (
        f"{OPS}/browse/OPS-7?from={ENG}/browse/ENG-1",
        None,
        True,
    ),
    "only the query names the issue": (f"{ELSEWHERE}?to={OPS}/browse/OPS-7", None, False),
    "the address has a fragment": (f"{OPS}/browse/OPS-7#comment-1", None, True),
    "only the fragment names the issue": (f"{ELSEWHERE}#{OPS}/browse/OPS-7", None, False),
    "the address has a path parameter": (f"{OPS}/browse/OPS-7;jsessionid=5F2A", None, True),
    "the address has a path parameter and a query": (
        f"{OPS}/browse/OPS-7;jsessionid=5F2A?x=1",
        None,
        True,
    ),
    "there are blanks around the address": (f"  {OPS}/browse/OPS-7\n", None, True),
    "there is a slash behind the key": (f"{OPS}/browse/OPS-7/", None, True),
    "the host is written large": (f"{OPS.upper()}/browse/OPS-7", None, True),
    "the scheme is http": (f"{OPS.replace('https', 'http')}/browse/OPS-7", None, True),
    "the port is the usual one": (f"{OPS}:443/browse/OPS-7", None, True),
    "the scheme is http and the port the usual one": (
        f"{OPS.replace('https', 'http')}:80/browse/OPS-7",
        None,
        True,
    ),
    "the address is the site's display address": (f"{DISPLAY}/browse/OPS-7", None, True),
    "the port is another": (f"{OPS}:8443/browse/OPS-7", None, False),
    "the host is another": ("https://partner.atlassian.net/browse/OPS-7", None, False),
    "the context path is another": (f"{OPS}/jira/browse/OPS-7", None, False),
    "the base is from before the migration": (f"{OLD_BASE}/browse/OPS-7", None, False),
    "the site is another of the plan": (f"{HR}/browse/OPS-7", None, False),
    "the key is another": (f"{OPS}/browse/OPS-77", None, False),
    "the address is no address": ("OPS-7", None, False),
    "the address is broken": ("https://[ops/browse/OPS-7", None, False),
    "the globalId holds the issue's id": (ELSEWHERE, "appId=a&issueId={id}", True),
    "the globalId's members stand in another order": (ELSEWHERE, "issueId={id}&appId=a", True),
    "the globalId has a further member": (ELSEWHERE, "appId=a&issueId={id}&v=2", True),
    "further members stand around": (ELSEWHERE, "v=2&issueId={id}&w=3&appId=a&x", True),
    "there are blanks around the globalId": (ELSEWHERE, " appId=a&issueId={id} ", True),
    "the issue has a new key, the id is the same": (
        f"{OPS}/browse/NEW-1",
        "issueId={id}&appId=a",
        True,
    ),
    "the id is another": (ELSEWHERE, "appId=a&issueId={id}{id}", False),
    "the globalId lacks the application": (ELSEWHERE, "issueId={id}", False),
    "a member's name only ends like that of the id": (
        ELSEWHERE,
        "appId=a&parentissueId={id}",
        False,
    ),
    "a member's name only ends like that of the application": (
        ELSEWHERE,
        "myappId=a&issueId={id}",
        False,
    ),
    "the id is no number": (ELSEWHERE, "appId=a&issueId=x{id}", False),
    "the id is equal on another site of the plan": (
        f"{HR}/browse/HR-1",
        "appId=a&issueId={id}",
        False,
    ),
    "the id is equal on a site that nobody knows": (
        "https://partner.atlassian.net/browse/XYZ-5",
        "appId=a&issueId={id}",
        False,
    ),
}


@pytest.fixture
def world(clock: VirtualClock) -> World:
    world = world_of(two_sites(), clock=clock, own_links=0.0)
    world.sites[OPS].display_url = DISPLAY
    return world


def record_of(case: tuple[str, str | None, bool], issue_id: int) -> dict[str, Any]:
    url, global_id, _ = case
    if global_id is not None:
        global_id = global_id.format(id=issue_id)
    return {"id": 5, "globalId": global_id, "object": {"url": url, "title": "a link"}}


def probed(world: World, clock: VirtualClock) -> str:
    async def whole() -> str:
        transport = HttpTransport(
            accounts=(ACCOUNT,),
            clock=clock,
            sockets=lambda: httpx.ASGITransport(app=make_app(world)),
        )
        try:
            prober = RemoteLinkProber(two_sites(), transport, clock)
            return (await prober.read(ENG, "ENG-1", "OPS-7", OPS)).result
        finally:
            await transport.aclose()

    return asyncio.run(whole())


def verified(record: dict[str, Any], issue_id: int) -> Kind:
    target = record["object"]
    found = Found(5, record["globalId"], "blocks", target["url"], "a link", None, None, ours=True)
    wanted = Wanted(1, "eng-to-ops", OPS, ("OPS-7",), issue_id, True, False, "blocks")
    classified = classify([wanted], [found], ADDRESSES, {}, besides=False)
    (kind,) = [finding.kind for finding in classified]
    return kind


def order(issue_id: int, global_id: str = "appId=ours&issueId=1") -> CreateOrder:
    target = f"{OPS}/browse/OPS-7"
    return CreateOrder(
        name="l1.1",
        site=ENG,
        issue="ENG-1",
        target=target,
        global_id=global_id,
        row=MissingRow(
            1, "eng-to-ops", ENG, "ENG-1", OPS, None, "OPS-7", "OPS-7", issue_id, "blocks", "", 0
        ),
        record={"globalId": global_id, "object": {"url": target, "title": "OPS-7"}},
        addresses=ADDRESSES,
    )


@pytest.mark.parametrize("case", POINTS.values(), ids=POINTS.keys())
def test_probe_verify_and_repair_agree_whether_a_link_points_to_an_issue(
    case: tuple[str, str | None, bool], world: World, clock: VirtualClock
) -> None:
    issue_id = world.issue("OPS-7").id
    record = record_of(case, issue_id)
    world.write_link(world.issue("ENG-1"), dict(record), world.account("someone@x.example"))
    answers = {
        "probe": probed(world, clock) == "present",
        "verify": verified(record, issue_id) is Kind.RECREATED,
        "repair": isinstance(order(issue_id).decide([record]), Skip),
    }
    assert answers == dict.fromkeys(answers, case[2])


def test_repair_leaves_a_link_of_its_global_id_alone_wherever_it_points() -> None:
    there = {"id": 5, "globalId": "g", "object": {"url": ELSEWHERE, "title": "somebody's"}}
    left = order(10007, "g").decide([there])
    assert isinstance(left, Skip)
    assert left.link_id == "5"
    assert isinstance(order(10007, "h").decide([there]), Intent)


def test_a_target_that_has_a_new_key_is_found_by_either(clock: VirtualClock) -> None:
    moved = IssueRef(id=10007, key="NEW-1")
    for key in ("OPS-7", "NEW-1"):
        point = ADDRESSES.pointer(f"{OPS}/browse/{key}")
        assert point.hits(OPS, {"OPS-7", moved.key}, None)
    assert not ADDRESSES.pointer(f"{OPS}/browse/OPS-7").hits(OPS, {moved.key}, moved.id)


SITES: dict[str, tuple[str, str | None]] = {
    "the base address": (f"{OPS}/browse/OPS-7", OPS),
    "the display address with a slash": (f"{DISPLAY}//browse/OPS-7", OPS),
    "another site": (f"{HR}/browse/OPS-7", HR),
    "an old base under its context path": (f"{OLD_BASE}/browse/OPS-7", OLD),
    "the host of an old base without it": ("https://jira.contoso.example/browse/OPS-7", None),
    "an old base by another port": ("https://jira.contoso.example:8443/jira/browse/OPS-7", None),
    "a base with credentials": (f"{OPS.replace('://', '://me:pw@')}/browse/OPS-7", OPS),
    "no base at all": ("/browse/OPS-7", None),
    "something else": (f"{OPS}/wiki/OPS-7", None),
}


@pytest.mark.parametrize(("url", "site"), SITES.values(), ids=SITES.keys())
def test_an_address_belongs_to_a_site_by_host_port_and_context_path(
    url: str, site: str | None
) -> None:
    assert ADDRESSES.pointer(url).site == site


SAME_BASE = {
    "https://OPS.atlassian.net/": "https://ops.atlassian.net",
    "http://jira.example:80/jira": "https://jira.example/jira/",
    "https://jira.example:443": "https://jira.example",
    "https://jira.example:8443/": "http://jira.example:8443",
}


@pytest.mark.parametrize(("base", "other"), SAME_BASE.items(), ids=SAME_BASE.keys())
def test_base_urls_are_compared_without_what_does_not_matter(base: str, other: str) -> None:
    assert normal_base(base) == normal_base(other)


GLOBAL_IDS = {
    "appId=5&issueId=10001": 10001,
    "issueId=7&appId=5": 7,
    "appId=&issueId=7": 7,
    "appId=5&issueId=x": None,
    "appId=5&issueId=": None,
    "appId=5&issueId=١٢": None,
    "appId=5&issueId=1234567890123456789": None,
    "appId=5&pageId=7": None,
    "system=https://x.example&issueId=7": None,
    "": None,
    None: None,
}


@pytest.mark.parametrize(("global_id", "expected"), GLOBAL_IDS.items(), ids=map(str, GLOBAL_IDS))
def test_an_issue_id_is_read_from_a_global_id(global_id: str | None, expected: int | None) -> None:
    assert issue_id_of(global_id) == expected


@given(url=st.text(), global_id=st.none() | st.text())
def test_no_text_stops_it(url: str, global_id: str | None) -> None:
    point = ADDRESSES.pointer_of({"globalId": global_id, "object": {"url": url}})
    assert point.key is not None or point.site is None


@pytest.mark.parametrize(
    "record", [{}, {"object": None}, {"object": "x"}, {"object": {"url": None}}]
)
def test_a_record_without_an_address_points_nowhere(record: dict[str, Any]) -> None:
    assert ADDRESSES.pointer_of(record) == (None, None, None)

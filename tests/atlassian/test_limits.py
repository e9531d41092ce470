"""The documented limits are kept, and a 429 pauses what it is about."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.atlassian.limits import (
    PER_ISSUE_WRITES,
    IssueWrites,
    LimitedRequest,
    Limits,
    PauseScope,
    RequestPace,
    documented_rate_per_s,
    paused_by,
)
from runbook.clock import VirtualClock

LIST = "issue/{issue}/remotelink"


def read(site: str = "a", endpoint: str = LIST) -> LimitedRequest:
    return LimitedRequest(site=site, method="GET", endpoint=endpoint)


@given(
    rate=st.floats(1, 500),
    burst=st.floats(1, 100),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=300),
)
def test_no_stretch_of_time_holds_more_than_the_bucket_and_its_refill(
    rate: float, burst: float, gaps: list[float]
) -> None:
    pace, now_s, left = RequestPace(rate, burst), 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        left.append(pace.reserve(now_s))
    assert left == sorted(left)
    for first in range(0, len(left), 17):
        for last in range(first, len(left)):
            stretch_s = left[last] - left[first]
            assert last - first + 1 <= max(1.0, burst) + stretch_s * rate + 1e-6 * len(left) + 1


@given(st.lists(st.floats(0, 2), min_size=1, max_size=260))
def test_no_window_of_one_issue_holds_more_writes_than_documented(gaps: list[float]) -> None:
    writes, now_s, left = IssueWrites(), 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        left.append(writes.reserve(now_s))
    for count, window_s in PER_ISSUE_WRITES:
        for first in range(len(left) - count):
            assert left[first + count] - left[first] >= window_s - 1e-9


REASONS = {
    "quota of the app": ("jira-quota-global-based", "all sites"),
    "quota of the tenant": ("jira-quota-tenant-based", "site"),
    "burst": ("jira-burst-based", "endpoint"),
    "writes of one issue": ("jira-per-issue-on-write", "issue"),
    "no reason": (None, "endpoint"),
    "a reason that is not known": ("jira-full-moon", "endpoint"),
}


@pytest.mark.parametrize("case", REASONS.values(), ids=REASONS.keys())
def test_the_reason_decides_what_pauses(case: tuple[str | None, PauseScope]) -> None:
    reason, pauses = case
    assert paused_by(reason) == pauses


def entered(limits: Limits, clock: VirtualClock, *requests: LimitedRequest) -> list[float]:
    """Return when each of several requests that come at once may leave."""

    async def left_at(request: LimitedRequest) -> float:
        await limits.enter(request)
        return clock.monotonic_s()

    async def all_of_them() -> list[float]:
        return list(await asyncio.gather(*map(left_at, requests)))

    return asyncio.run(all_of_them())


def test_a_thousand_requests_leave_at_the_documented_rate(clock: VirtualClock) -> None:
    left = entered(Limits(clock), clock, *[read()] * 1000)
    assert 1000 / (max(left) + 0.01) == pytest.approx(100, rel=0.02)


def test_sites_and_endpoints_have_buckets_of_their_own(clock: VirtualClock) -> None:
    calls = [read("a")] * 10 + [read("b")] * 10 + [read("a", "myself")] * 10
    assert max(entered(Limits(clock), clock, *calls)) == 0.0


def test_a_cap_lowers_every_rate(clock: VirtualClock) -> None:
    left = entered(Limits(clock, rate_cap_per_s=5), clock, *[read()] * 51)
    assert max(left) == pytest.approx(10, abs=0.3)


def test_writes_are_slower_than_reads_as_documented() -> None:
    assert documented_rate_per_s("GET", LIST) == 100
    assert documented_rate_per_s("PUT", "issue/{issue}/remotelink/{link}") == 50
    assert documented_rate_per_s("DELETE", LIST) == 50
    assert documented_rate_per_s("GET", "issue/{issue}") == 150


PAUSED = {
    "burst: that endpoint": ("jira-burst-based", [30, 0, 0, 0]),
    "tenant quota: that site": ("jira-quota-tenant-based", [30, 30, 0, 30]),
    "global quota: everything": ("jira-quota-global-based", [30, 30, 30, 30]),
    "one issue's writes: that issue": ("jira-per-issue-on-write", [0, 0, 0, 30]),
}


@pytest.mark.parametrize("case", PAUSED.values(), ids=PAUSED.keys())
def test_a_429_pauses_what_it_is_about_and_nothing_else(
    case: tuple[str, list[float]], clock: VirtualClock
) -> None:
    reason, expected = case
    limits = Limits(clock)
    write = LimitedRequest(site="a", method="POST", endpoint=LIST, issue="ENG-1")
    limits.refused(write if "issue" in reason else read(), reason, 30.0)
    calls = (read(), read("a", "myself"), read("b"), write)
    assert entered(limits, clock, *calls) == pytest.approx(expected, abs=0.5)


def test_a_burst_slows_its_endpoint_and_time_brings_the_rate_back(clock: VirtualClock) -> None:
    limits = Limits(clock)
    for _ in range(20):  # many that were under way together count once
        limits.refused(read(), "jira-burst-based", 1.0)
    slow = entered(limits, clock, *[read()] * 200)
    assert 3.0 < max(slow) < 6.0
    clock.advance(60)
    begun_s = clock.monotonic_s()
    for _ in range(8):
        entered(limits, clock, *[read()] * 20)
        clock.advance(6)
    begun_s = clock.monotonic_s()
    assert max(entered(limits, clock, *[read()] * 210)) - begun_s == pytest.approx(2.0, abs=0.1)


def test_who_waits_for_a_place_meets_a_pause_that_comes_meanwhile(clock: VirtualClock) -> None:
    limits = Limits(clock)

    async def scene() -> float:
        waiting = asyncio.gather(*[limits.enter(read()) for _ in range(60)])
        await clock.sleep(0.2)
        limits.refused(read(), "jira-burst-based", 10.0)
        await waiting
        return clock.monotonic_s()

    assert asyncio.run(scene()) > 10.2

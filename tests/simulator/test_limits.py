"""Documented rate limits: a bucket per site, method and endpoint, and what a 429 carries."""

import pytest

from runbook.clock import VirtualClock
from runbook.simulator.world import World
from tests.simulator.worlds import ENG, OPS, Ask

READ = "/rest/api/3/issue/{}/remotelink"

BUCKETS = {
    "reading remote links": ("GET", "/rest/api/3/issue/ENG-1/remotelink", 100),
    "reading an issue": ("GET", "/rest/api/3/issue/ENG-1", 150),
    "searching": ("POST", "/rest/api/3/search/jql", 100),
    "replacing": ("PUT", "/rest/api/3/issue/ENG-1/remotelink/1", 50),
    "deleting": ("DELETE", "/rest/api/3/issue/ENG-1/remotelink/1", 50),
}


@pytest.mark.parametrize(("method", "path", "size"), BUCKETS.values(), ids=list(BUCKETS))
def test_a_bucket_holds_one_second_and_is_refilled(
    clock: VirtualClock, ask: Ask, method: str, path: str, size: int
) -> None:
    def through() -> int:
        for number in range(1000):
            if ask(method, ENG + path, {}).status == 429:
                return number
        raise AssertionError("no limit")

    assert through() == size
    clock.advance(0.5)
    assert through() == size // 2


def test_a_refusal_says_how_long_and_why(world: World, ask: Ask) -> None:
    for _ in range(101):
        reply = ask("GET", ENG + READ.format("ENG-1"))
    assert reply.status == 429
    assert dict(reply.headers) | {"Content-Type": ""} == {
        "Content-Type": "",
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "2026-11-22T19:00:01Z",
        "Retry-After": "1",
        "RateLimit-Reason": "jira-burst-based",
    }
    assert world.limits.refused == {"jira-burst-based": 1}


def test_the_bucket_is_shared_by_issues_and_versions_not_by_sites_or_methods(ask: Ask) -> None:
    for number in range(100):
        assert ask("GET", ENG + READ.format(f"ENG-{number % 20 + 1}")).status == 200
    assert ask("GET", ENG + READ.format("ENG-2").replace("/3/", "/2/")).status == 429
    assert ask("GET", OPS + READ.format("OPS-1")).status == 200
    assert ask("POST", ENG + READ.format("ENG-2"), {}).status == 400
    assert ask("GET", f"{ENG}/rest/api/3/issue/ENG-2").status == 200


def test_answers_say_what_is_left(ask: Ask) -> None:
    reply = ask("GET", ENG + READ.format("ENG-1"))
    assert reply.header("X-RateLimit-Limit") == "100"
    assert reply.header("X-RateLimit-Remaining") == "99"


def test_limits_can_be_switched_off(world: World, ask: Ask) -> None:
    world.limits.enabled = False
    assert {ask("GET", ENG + READ.format("ENG-1")).status for _ in range(500)} == {200}


def test_one_issue_takes_a_hundred_writes_in_thirty_seconds(clock: VirtualClock, ask: Ask) -> None:
    record = {"object": {"url": "https://x.example", "title": "T"}, "globalId": "g"}
    taken = 0
    for _ in range(150):
        taken += ask("POST", ENG + READ.format("ENG-1"), record).status != 429
        clock.advance(0.15)
    assert taken == 100

"""A small world, and a way to ask it one thing."""

from collections.abc import Callable
from typing import Any

import pytest

from runbook.clock import VirtualClock
from runbook.plan.model import Plan
from runbook.simulator.populate import world_of
from runbook.simulator.router import answer
from runbook.simulator.world import World
from tests.simulator.worlds import ENG, GATEWAY, NOW, Ask, ReadReply, call_of, job_body, two_sites


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def plan() -> Plan:
    return two_sites()


@pytest.fixture
def world(plan: Plan, clock: VirtualClock) -> World:
    return world_of(plan, clock=clock, job_minutes=10, own_links=0.0)


@pytest.fixture
def ask(world: World) -> Ask:
    """Ask the world one thing, as an administrator unless told otherwise."""

    def asked(method: str, url: str, value: Any = None, **more: Any) -> ReadReply:
        reply = answer(world, call_of(method, url, value, **more))[0]
        return ReadReply(status=reply.status, body=reply.body, headers=reply.headers)

    return asked


@pytest.fixture
def submit(world: World, ask: Ask) -> Callable[..., ReadReply]:
    """Submit a job."""

    def submitted(**changes: Any) -> ReadReply:
        body = job_body(**changes)
        site = world.sites.get(body.get("productURL", ENG), world.sites[ENG])
        return ask("POST", f"{GATEWAY}/links/v1/{site.site_id}/jobs/cma", body)

    return submitted

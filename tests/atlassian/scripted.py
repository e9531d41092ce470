"""A site whose answers are written down beforehand, and clients for it and for the simulator."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import httpx

from runbook.atlassian.jira import JiraSite
from runbook.atlassian.limits import Limits
from runbook.atlassian.retry import Patience
from runbook.atlassian.transport import HttpTransport
from runbook.clock import VirtualClock
from runbook.http import Answer, Outcome, Request
from runbook.plan.model import Site
from runbook.secrets import Account, Secret
from runbook.simulator.app import make_app
from runbook.simulator.world import World
from tests.canary import CANARY
from tests.simulator.openapi import ValidatingTransport

ENG = "https://contoso-eng.atlassian.net"
SITE = Site(url=ENG)
AT = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
ACCOUNT = Account("default", "admin@contoso.example", Secret(CANARY))


def answer(status: int = 200, value: Any = None, **headers: str) -> Answer:
    """Return an answer; `_` in header names stands for `-`."""
    return Answer(
        status=status,
        headers=tuple((name.replace("_", "-"), text) for name, text in headers.items()),
        body=value
        if isinstance(value, bytes)
        else b""
        if value is None
        else json.dumps(value).encode(),
        at=AT,
    )


def html(status: int = 200) -> Answer:
    return answer(status, b"<!doctype html><title>Sign in</title>", content_type="text/html")


ME = answer(200, {"accountId": "5b10", "emailAddress": "admin@contoso.example"})


class Script:
    """Send requests to a list of outcomes; `myself` has a list of its own, whose last one stays."""

    def __init__(self, *outcomes: Outcome, me: Iterable[Outcome] = (ME,)) -> None:
        self.outcomes = list(outcomes)
        self.me = list(me)
        self.asked: list[Request] = []
        self.moments_s: list[float] = []
        self.clock: VirtualClock | None = None

    async def __call__(self, request: Request) -> Outcome:
        if request.url.endswith("/myself"):
            return self.me.pop(0) if len(self.me) > 1 else self.me[0]
        self.asked.append(request)
        if self.clock is not None:
            self.moments_s.append(self.clock.monotonic_s())
        return self.outcomes.pop(0)


def client(send: Callable[..., Any], clock: VirtualClock, site: Site = SITE) -> JiraSite:
    """Return a client of a site that is given up after a few failures."""
    if isinstance(send, Script):
        send.clock = clock
    patience = Patience(attempts=3, limited_attempts=4)
    return JiraSite(site, send=send, clock=clock, limits=Limits(clock), patience=patience)


def simulated(world: World, clock: VirtualClock) -> tuple[HttpTransport, list[ValidatingTransport]]:
    """Return a way to a simulated world, every exchange held against Atlassian's document."""
    made: list[ValidatingTransport] = []

    def sockets() -> httpx.AsyncBaseTransport:
        made.append(ValidatingTransport(httpx.ASGITransport(app=make_app(world))))
        return made[-1]

    transport = HttpTransport(accounts=(ACCOUNT,), clock=clock, sockets=sockets)
    return transport, made

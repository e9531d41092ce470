"""Who works on a ledger keeps it: seen from another machine at each request, the lease holds."""

from collections.abc import Callable

import httpx
import pytest

from runbook.ledger.lease import LEASE_LIFE, LeaseOwner, lease_holds
from runbook.ledger.store import open_ledger
from runbook.secrets import Mask
from tests.flows import watched
from tests.flows.evening import Evening, plan_text
from tests.intents import changes_something
from tests.remotelinks.nights import Night, night

__all__ = ["night"]
STRANGER = LeaseOwner(token="other", operator="K. Brandt", pid=1, machine="another-laptop")


def keeps_out(one: Evening) -> bool:
    """Return whether a process of another machine is kept out at this moment."""
    with open_ledger(one.ledger, clock=one.clock, mask=Mask(), read_only=True) as ledger:
        held = ledger.lease()
    return held is not None and lease_holds(held, STRANGER, one.clock.now())


class Looks:
    """What was seen of the lease at each request, and over how long."""

    def __init__(self, one: Evening) -> None:
        self.one = one
        self.held: list[bool] = []
        self.at_s: list[float] = []

    def __call__(self, _: httpx.Request) -> None:
        self.held.append(keeps_out(self.one))
        self.at_s.append(self.one.clock.monotonic_s())

    @property
    def span_s(self) -> float:
        return self.at_s[-1] - self.at_s[0]


def test_a_run_keeps_its_lease_while_it_waits_for_jobs(evening: Callable[..., Evening]) -> None:
    one = evening(text=plan_text(("eng", "ops")), settings={"job_minutes": 30.0})
    looks = Looks(one)

    def look(request: httpx.Request) -> None:
        if watched.is_post(request) or watched.is_status(request):
            looks(request)

    assert watched.run_hooked(one, before=look).code == 0
    assert looks.span_s > 1200
    assert all(looks.held)


@pytest.mark.parametrize("command", ["repair", "rollback"])
def test_a_command_that_writes_links_keeps_its_lease(
    command: str, night: Callable[..., Night]
) -> None:
    """However slowly a site answers: each write takes half a minute here."""
    one = night(links_per_pair=40, leave_out=0.5)
    one.verify("--before", str(one.before))
    one.world.settings.latency_s = 10.0
    looks = Looks(one)

    def look(request: httpx.Request) -> None:
        if changes_something(request):
            looks(request)

    one.interfere = look
    done = one.repair("--yes") if command == "repair" else one.rollback("--yes")
    assert done.code == 0, done.err
    assert looks.span_s >= 2 * LEASE_LIFE.total_seconds()
    assert all(looks.held)

"""A real process, killed at every ledger write and every request boundary, then started again."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.clock import SystemClock
from runbook.plan import read_plan
from runbook.simulator.populate import world_of
from runbook.simulator.world import World
from tests.flows.dying import Launched, launch
from tests.flows.evening import EMAIL, TOKEN, present_plan
from tests.simulator.serving import serving_in_thread

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL"),
]

PAIRS = (("eng", "ops"), ("eng", "hr"), ("ops", "eng"))
# The boundaries are dealt out to this many tests, so that they share the processors.
SHARES = 6


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, World, str]]:
    """A plan, its world, and the address where a thread of this process serves it."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(present_plan(("eng", "ops", "hr"), PAIRS), encoding="utf-8")
    world = world_of(read_plan(plan), clock=SystemClock(), job_minutes=0.0002)
    with serving_in_thread(world) as endpoint:
        yield plan, world, endpoint


def run(plan: Path, endpoint: str, name: int, *, deadly: int = 0) -> Launched:
    """Run the command in the ledger `name`, and die at the boundary `deadly`."""
    words = ["run", str(plan), "--yes", "--endpoint", endpoint, "--submit-interval", "0"]
    words += ["--poll-interval", "0.01", "--ledger", str(plan.with_name(f"{name}.ledger"))]
    env = {"RUNBOOK_EMAIL": EMAIL, "RUNBOOK_API_TOKEN": TOKEN}
    launched = launch(words, env, plan.parent, deadly=deadly)
    assert TOKEN not in launched.said
    return launched


def posts(world: World) -> dict[tuple[str, str], int]:
    """How many submissions reached the world, by direction."""
    sent: dict[tuple[str, str], int] = {}
    for one in world.submissions:
        pair = (one.body["productURL"], one.body["destinationURL"])
        sent[pair] = sent.get(pair, 0) + 1
    return sent


@pytest.mark.parametrize("share", range(SHARES))
def test_a_process_killed_at_any_moment_sends_no_job_twice(
    served: tuple[Path, World, str], share: int
) -> None:
    plan, world, endpoint = served
    whole = run(plan, endpoint, 0)
    assert whole.code == 0, whole.said
    assert whole.boundaries > 100
    for deadly in range(1 + share, whole.boundaries + 1, SHARES):
        world.submissions.clear()
        killed = run(plan, endpoint, deadly, deadly=deadly)
        # How often a job is polled differs a little, so that the last boundaries may not be reached.
        assert killed.code in (-signal.SIGKILL, 0), killed.said
        again = run(plan, endpoint, deadly)
        sent = posts(world)
        assert set(sent.values()) <= {1}, f"boundary {deadly}: {sent}"
        assert again.code in (0, 7), f"boundary {deadly}: {again.said}"
        if again.code == 0:
            assert len(sent) == len(PAIRS), f"boundary {deadly}: {again.said}"
        else:
            assert "unknown" in again.said

"""Faults: which request they hit, what arrives instead, and what truly happened."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from runbook.atlassian.transport import HttpTransport
from runbook.clock import VirtualClock
from runbook.http import Answer, Lost, NotSent, Outcome, Request, Send
from runbook.secrets import Account, Secret
from runbook.simulator.app import make_app
from runbook.simulator.faults import SUBMIT, Fault, FaultKind, faults_for
from runbook.simulator.server import serving
from runbook.simulator.world import World
from tests.simulator.worlds import (
    EMAIL,
    ENG,
    GATEWAY,
    NOW,
    OPS,
    TOKEN,
    Ask,
    call_of,
    job_body,
    two_sites,
)

ACCOUNT = Account("default", EMAIL, Secret(TOKEN))


@contextlib.asynccontextmanager
async def in_process(world: World) -> AsyncIterator[Send]:
    transport = HttpTransport(
        accounts=(ACCOUNT,),
        clock=world.clock,
        sockets=lambda: httpx.ASGITransport(app=make_app(world)),
    )
    yield transport
    await transport.aclose()


@contextlib.asynccontextmanager
async def on_sockets(world: World) -> AsyncIterator[Send]:
    async with serving(world) as endpoint:
        transport = HttpTransport(accounts=(ACCOUNT,), clock=world.clock, endpoint=endpoint)
        yield transport
        await transport.aclose()


WAYS = {"in process": in_process, "on real sockets": on_sockets}
Way = Callable[[World], contextlib.AbstractAsyncContextManager[Send]]


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


def submission(world: World) -> Request:
    return Request(
        method="POST",
        url=f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs/cma",
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(job_body()).encode(),
        account="default",
        fresh=True,
    )


def question(world: World, uuid: str) -> Request:
    return Request(
        method="GET",
        url=f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs/status/{uuid}",
        account="default",
    )


def play(world: World, way: Way, act: Callable[[Send], Awaitable[Any]]) -> Any:
    async def played() -> Any:
        async with way(world) as send:
            return await act(send)

    return asyncio.run(played())


def submit_with(world: World, way: Way, fault: Fault) -> Outcome:
    world.faults.add(fault)

    async def act(send: Send) -> Outcome:
        return await send(submission(world))

    outcome: Outcome = play(world, way, act)
    return outcome


LIMITED = {
    FaultKind.RETRY_AFTER_SECONDS: ("retry-after", "90"),
    FaultKind.RETRY_AFTER_DATE: ("retry-after", "Sun, 22 Nov 2026 19:01:30 GMT"),
    FaultKind.RESET_ISO: ("x-ratelimit-reset", "2026-11-22T19:01:30Z"),
    FaultKind.RESET_EPOCH: ("x-ratelimit-reset", str(int(NOW.timestamp()) + 90)),
}


@pytest.mark.parametrize("kind", LIMITED)
def test_a_429_tells_the_wait_in_one_way_only(world: World, way: Way, kind: FaultKind) -> None:
    got = submit_with(world, way, Fault(kind=kind, path=SUBMIT, amount_s=90))
    assert isinstance(got, Answer)
    told = {
        name: value for name, value in got.headers if name in ("retry-after", "x-ratelimit-reset")
    }
    assert (got.status, told) == (429, dict([LIMITED[kind]]))
    assert not world.jobs


def test_a_429_may_tell_nothing(world: World, way: Way) -> None:
    got = submit_with(world, way, Fault(kind=FaultKind.TOO_MANY_BARE))
    assert isinstance(got, Answer)
    assert got.status == 429
    assert got.header("retry-after") is None


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.STATUS_AFTER])
def test_a_bad_gateway_may_or_may_not_hide_an_accepted_job(
    world: World, way: Way, kind: FaultKind
) -> None:
    got = submit_with(world, way, Fault(kind=kind, status=502))
    assert isinstance(got, Answer)
    assert got.status == 502
    assert (world.true_outcome(job_body()) is not None) is (kind is FaultKind.STATUS_AFTER)


@pytest.mark.parametrize("kind", [FaultKind.ANSWER_LOST, FaultKind.TRUNCATED])
def test_an_answer_is_lost_after_the_job_was_accepted(
    world: World, way: Way, kind: FaultKind
) -> None:
    assert isinstance(submit_with(world, way, Fault(kind=kind, path=SUBMIT)), Lost)
    assert world.true_outcome(job_body()) is not None
    assert [submission.answer_arrived for submission in world.submissions] == [False]


def test_a_reset_comes_before_anything_is_done(world: World, way: Way) -> None:
    assert isinstance(submit_with(world, way, Fault(kind=FaultKind.RESET)), Lost)
    assert not world.submissions


def test_a_refused_connection_is_exact_in_process(world: World) -> None:
    assert isinstance(submit_with(world, in_process, Fault(kind=FaultKind.REFUSED)), NotSent)
    assert not world.submissions


def test_a_refused_connection_cannot_be_told_from_a_reset_on_sockets(world: World) -> None:
    assert isinstance(submit_with(world, on_sockets, Fault(kind=FaultKind.REFUSED)), Lost)
    assert not world.submissions


def test_an_outage_refuses_connections_until_it_is_over(
    world: World, clock: VirtualClock, way: Way
) -> None:
    world.faults.add(Fault(kind=FaultKind.OUTAGE, method="GET", amount_s=60))

    async def act(send: Send) -> list[Outcome]:
        found = [await send(question(world, "x")), await send(submission(world))]
        await clock.sleep(30)
        found.append(await send(question(world, "x")))
        await clock.sleep(31)
        return [*found, await send(submission(world))]

    first, second, third, fourth = play(world, way, act)
    assert isinstance(first, Answer)
    assert isinstance(second, NotSent)
    assert isinstance(third, NotSent)
    assert isinstance(fourth, Answer)
    assert fourth.status == 200
    assert len(world.submissions) == 1


def test_a_slow_answer_takes_its_time_and_arrives(
    world: World, clock: VirtualClock, way: Way
) -> None:
    got = submit_with(world, way, Fault(kind=FaultKind.SLOW, amount_s=40))
    assert isinstance(got, Answer)
    assert got.status == 200
    assert clock.monotonic_s() == 40
    assert world.submissions[0].answer_arrived


def test_every_request_may_take_a_fixed_time(world: World, clock: VirtualClock, way: Way) -> None:
    world.settings.latency_s = 0.2

    async def act(send: Send) -> None:
        await asyncio.gather(*(send(question(world, "x")) for _ in range(20)))

    play(world, way, act)
    assert clock.monotonic_s() == pytest.approx(0.2)


BODIES: dict[FaultKind, tuple[int, Callable[[Answer], bool]]] = {
    FaultKind.HTML: (200, lambda got: got.is_html()),
    FaultKind.HTML_AFTER: (200, lambda got: got.is_html()),
    FaultKind.EMPTY_AFTER: (200, lambda got: got.body == b""),
    FaultKind.NO_ID: (200, lambda got: "uuid" not in got.json()),
    FaultKind.CUT_JSON: (
        200,
        lambda got: got.text().startswith('{"uuid":"') and len(got.body) < 30,
    ),
}


@pytest.mark.parametrize("kind", BODIES)
def test_an_answer_without_a_job_id_arrives(world: World, way: Way, kind: FaultKind) -> None:
    got = submit_with(world, way, Fault(kind=kind, path=SUBMIT))
    assert isinstance(got, Answer)
    status, fits = BODIES[kind]
    assert got.status == status
    assert fits(got)


def test_an_empty_answer_has_the_status_that_was_asked_for(world: World, way: Way) -> None:
    got = submit_with(world, way, Fault(kind=FaultKind.EMPTY, status=400))
    assert isinstance(got, Answer)
    assert (got.status, got.body) == (400, b"")


SHAPES = {
    FaultKind.PLAIN_TEXT: b"Pending",
    FaultKind.JSON_STRING: b'"Pending"',
    FaultKind.NESTED: b'{"data":{"job":{"jobStatus":"Pending"}}}',
    FaultKind.UNKNOWN_WORD: b'{"status":"Finalizing"}',
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_status_comes_in_another_shape(world: World, way: Way, kind: FaultKind) -> None:
    world.faults.add(Fault(kind=kind, method="GET"))

    async def act(send: Send) -> Outcome:
        accepted = await send(submission(world))
        assert isinstance(accepted, Answer)
        return await send(question(world, accepted.json()["uuid"]))

    got = play(world, way, act)
    assert isinstance(got, Answer)
    assert got.body == SHAPES[kind]


MATCHING: dict[str, tuple[dict[str, Any], list[bool]]] = {
    "the second and third": ({"nth": 2, "times": 2}, [False, True, True, False]),
    "a method": ({"method": "GET", "times": 9}, [False, False, False, True]),
    "a template": ({"path": SUBMIT, "times": 9}, [True, True, True, False]),
    "a part of the path": ({"path": "*/jobs/cma", "times": 9}, [True, True, True, False]),
    "all but a path": ({"not_path": "*/cma", "times": 9}, [False, False, False, True]),
    "another host": ({"host": "*.atlassian.net", "times": 9}, [False] * 4),
}


@pytest.mark.parametrize(("rule", "hits"), MATCHING.values(), ids=list(MATCHING))
def test_a_rule_hits(world: World, rule: dict[str, Any], hits: list[bool]) -> None:
    world.faults.add(Fault(kind=FaultKind.STATUS, **rule))
    base = f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs"
    calls = [call_of("POST", f"{base}/cma", job_body()) for _ in range(3)]
    calls.append(call_of("GET", f"{base}/status/x"))
    templates = [SUBMIT] * 3 + ["/links/v1/{siteId}/jobs/status/{jobId}"]
    got = [
        world.faults.hit(call, template) is not None
        for call, template in zip(calls, templates, strict=True)
    ]
    assert got == hits
    assert len(world.faults.fired) == sum(hits)


def test_the_first_of_two_rules_wins_and_both_count(world: World) -> None:
    world.faults.add(
        Fault(kind=FaultKind.HTML), Fault(kind=FaultKind.EMPTY), Fault(kind=FaultKind.RESET, nth=2)
    )
    call = call_of("GET", f"{ENG}/x")
    hits = [world.faults.hit(call, "/x") for _ in range(3)]
    assert [None if hit is None else hit.kind for hit in hits] == ["html", "reset", None]


def test_the_log_tells_what_was_asked_and_never_a_credential(world: World) -> None:
    submit_with(world, in_process, Fault(kind=FaultKind.ANSWER_LOST, path=SUBMIT))
    (asked,) = world.log
    assert (asked.method, asked.template, asked.status) == ("POST", SUBMIT, 200)
    assert (asked.account, asked.fault) == (EMAIL, "answer_lost")
    assert TOKEN not in repr(world.log)
    assert [(asked.method, asked.template) for asked in world.log] == [("POST", SUBMIT)]


def test_a_level_is_the_same_for_the_same_seed() -> None:
    assert faults_for("none", two_sites()) == ()
    assert faults_for("heavy", two_sites(), seed=3) == faults_for("heavy", two_sites(), seed=3)
    assert faults_for("heavy", two_sites(), seed=3) != faults_for("heavy", two_sites(), seed=4)


@pytest.mark.parametrize("level", ["light", "heavy"])
@pytest.mark.parametrize("seed", range(5))
def test_every_fault_of_a_level_says_what_happened_and_what_to_do(level: Any, seed: int) -> None:
    faults = faults_for(level, two_sites(), seed=seed)
    assert faults
    assert all(fault.sentence and fault.advice for fault in faults)
    places = [(fault.method, fault.path, fault.nth) for fault in faults]
    assert len(places) == len(set(places))
    assert all(fault.not_path for fault in faults)


def test_a_heavy_evening_leaves_outcomes_that_the_world_can_tell() -> None:
    kinds = {fault.kind for fault in faults_for("heavy", two_sites())}
    assert {FaultKind.ANSWER_LOST, FaultKind.OUTAGE, FaultKind.STATUS} <= kinds
    assert {fault.kind for fault in faults_for("light", two_sites())} <= kinds


def test_in_both_directions_the_truth_is_kept_apart(world: World, ask: Ask) -> None:
    for source, destination in ((ENG, OPS), (OPS, ENG)):
        url = f"{GATEWAY}/links/v1/{world.sites[source].site_id}/jobs/cma"
        assert ask("POST", url, job_body(source, destination)).status == 200
    one, other = world.true_outcome(job_body(ENG, OPS)), world.true_outcome(job_body(OPS, ENG))
    assert one is not None
    assert other is not None
    assert one.uuid != other.uuid

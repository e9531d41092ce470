"""Virtual time: it jumps, wakes the earliest sleeper first, and stands still while somebody is busy."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.clock import SystemClock, VirtualClock, isoformat_utc, parse_utc

START = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


@given(st.lists(st.floats(min_value=0.001, max_value=10_000), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_earliest_sleeper_wakes_first(lengths: list[float]) -> None:
    """Tasks wake in the order of their moments, each exactly at its own, whatever the order of starting."""
    clock = VirtualClock(START)
    woken: list[tuple[float, float]] = []

    async def sleeper(length: float) -> None:
        await clock.sleep(length)
        woken.append((length, clock.monotonic_s()))

    async def all_of_them() -> None:
        await asyncio.gather(*(sleeper(length) for length in lengths))

    asyncio.run(all_of_them())
    assert [length for length, _ in woken] == sorted(lengths)
    assert all(at == length for length, at in woken)
    assert clock.now() == START + timedelta(seconds=max(lengths))


def test_a_woken_task_runs_before_time_moves_on() -> None:
    """A task that sleeps again at once is not overtaken by a later sleeper."""
    clock = VirtualClock(START)
    seen: list[tuple[str, float]] = []

    async def ticking() -> None:
        for _ in range(5):
            await clock.sleep(10)
            seen.append(("tick", clock.monotonic_s()))

    async def once() -> None:
        await clock.sleep(35)
        seen.append(("once", clock.monotonic_s()))

    async def both() -> None:
        await asyncio.gather(ticking(), once())

    asyncio.run(both())
    assert seen == [
        ("tick", 10),
        ("tick", 20),
        ("tick", 30),
        ("once", 35),
        ("tick", 40),
        ("tick", 50),
    ]


def test_time_stands_still_while_a_request_is_out() -> None:
    """No virtual second passes while an answer is on its way, however long it takes in earnest."""
    clock = VirtualClock(START)

    async def request() -> float:
        with clock.busy():
            for _ in range(200):
                await asyncio.sleep(0)
            return clock.monotonic_s()

    async def both() -> tuple[float, None]:
        return await asyncio.gather(request(), clock.sleep(3600))

    seen, _ = asyncio.run(both())
    assert seen == 0
    assert clock.monotonic_s() == 3600


def test_a_server_may_sleep_while_its_client_waits() -> None:
    """`answering` lets time go on although the request that is answered counts as busy."""
    clock = VirtualClock(START)

    async def slow_request() -> None:
        with clock.busy(), clock.answering():
            await clock.sleep(30)

    asyncio.run(slow_request())
    assert clock.monotonic_s() == 30


def test_a_cancelled_sleeper_moves_no_time() -> None:
    """Whoever gives up sleeping leaves the clock to the others."""
    clock = VirtualClock(START)

    async def evening() -> None:
        gone = asyncio.create_task(clock.sleep(50))
        await asyncio.sleep(0)
        gone.cancel()
        await clock.sleep(5)

    asyncio.run(evening())
    assert clock.monotonic_s() == 5


def test_one_clock_serves_several_event_loops_in_turn() -> None:
    """A test may run one command after the other on the same clock."""
    clock = VirtualClock(START)
    for _ in range(3):
        asyncio.run(clock.sleep(10))
    assert clock.monotonic_s() == 30


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_wait_of_nothing_returns_at_once(seconds: float) -> None:
    """Neither clock waits for a moment that is past."""
    clock = VirtualClock(START)
    asyncio.run(clock.sleep(seconds))
    asyncio.run(SystemClock().sleep(seconds))
    assert clock.now() == START


def test_the_real_clock_is_in_utc() -> None:
    """Moments are aware, and intervals never run backwards."""
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic_s() <= clock.monotonic_s()


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-3, minutes=-30)))))
def test_a_moment_survives_writing_and_reading(at: datetime) -> None:
    """To the microsecond, whatever its offset was."""
    if at.year in (1, 9999):
        return
    text = isoformat_utc(at)
    assert text.endswith("Z")
    assert parse_utc(text) == at

"""Windows of pairs of waves: their ends, their states, and the fewest rounds that serve them."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.plan.model import Instance, Plan, Site, Wave
from runbook.windows import (
    WINDOW,
    Pair,
    WindowState,
    all_pairs,
    pair_of,
    pairs_of,
    rounds,
    unservable,
)

DAY = timedelta(days=1)
T0 = datetime(2026, 11, 1, tzinfo=UTC)


def wave(
    finished: float | None = None, started: float | None = None, planned: float | None = None
) -> Wave:
    """Return a wave whose moments are given in days after the first of November."""
    moments = [None if days is None else T0 + days * DAY for days in (started, finished, planned)]
    return Wave(name="w", started=moments[0], finished=moments[1], planned=moments[2])


def pair(source: Wave, destination: Wave, *, use_planned: bool = False) -> Pair:
    return pair_of("a-to-b", source, destination, use_planned=use_planned)


def days(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - T0) / DAY


ENDS = {
    "opens with the later end, closes two weeks after the earlier one": (
        pair(wave(2, started=1), wave(4, started=3)),
        (4, 15, 16),
    ),
    "the earlier start may belong to the later end": (
        pair(wave(2, started=1.5), wave(4, started=1)),
        (4, 15, 16),
    ),
    "without a start the end is assumed": (pair(wave(2), wave(4, started=3)), (4, 16, 16)),
    "without an end there are no moments": (pair(wave(2), wave(started=3)), (None, None, None)),
    "a planned end does not count in a run": (pair(wave(2), wave(planned=4)), (None, None, None)),
    "a planned end counts beforehand": (
        pair(wave(2), wave(planned=4), use_planned=True),
        (4, 16, 16),
    ),
    "a finished end wins over a planned one": (
        pair(wave(2, planned=9), wave(4), use_planned=True),
        (4, 16, 16),
    ),
}


@pytest.mark.parametrize("case", ENDS.values(), ids=ENDS.keys())
def test_the_ends_of_a_window(case: tuple[Pair, tuple[float | None, ...]]) -> None:
    """`opens`, `safe_closes` and `closes` follow from the two waves (design section 3)."""
    found, expected = case
    assert (days(found.opens), days(found.safe_closes), days(found.closes)) == expected


def test_json_keeps_a_window() -> None:
    """What `run.started` keeps of a pair gives the same moments back, absent ones too."""
    assumed = pair(wave(2), wave(4, started=3))
    assert assumed.as_json() == {
        "from": "w",
        "to": "w",
        "opens": "2026-11-05T00:00:00Z",
        "safe_closes": "2026-11-17T00:00:00Z",
        "closes": "2026-11-17T00:00:00Z",
        "start_assumed": True,
    }
    for found in (assumed, pair(wave(2, started=1), wave(4, started=3)), pair(wave(2), wave())):
        again = Pair.from_json("a-to-b", found.as_json())
        assert again.as_json() == found.as_json()
        assert again.state(T0 + 5 * DAY) is found.state(T0 + 5 * DAY)


def test_a_moment_that_cannot_be_read_is_none() -> None:
    """A damaged ledger still has a window, not an exception."""
    damaged = Pair.from_json("a-to-b", {"from": None, "opens": "soon", "closes": ""})
    assert (damaged.from_wave.name, damaged.opens, damaged.closes) == ("", None, None)
    assert damaged.state(T0) is WindowState.NOT_YET


def test_what_was_assumed_or_planned_is_said() -> None:
    """A pair remembers where its moments come from."""
    assert pair(wave(2), wave(4, started=3)).start_assumed
    assert not pair(wave(2, started=1), wave(4, started=3)).start_assumed
    assert pair(wave(2), wave(planned=4), use_planned=True).planned
    assert pair(wave(2), wave(planned=4)).planned
    assert not pair(wave(2), wave(4)).planned


USUAL = pair(wave(2, started=1), wave(4, started=3))  # opens 4, safe until 15, closes 16
SECOND = timedelta(seconds=1) / DAY
STATES = {
    "a second before it opens": (USUAL, 4 - SECOND, WindowState.NOT_YET),
    "the moment it opens": (USUAL, 4, WindowState.OPEN),
    "a second before the safe end": (USUAL, 15 - SECOND, WindowState.OPEN),
    "the safe end is exclusive": (USUAL, 15, WindowState.LATE),
    "a second before the last end": (USUAL, 16 - SECOND, WindowState.LATE),
    "the last end is exclusive": (USUAL, 16, WindowState.CLOSED),
    "a pair without an end is not there yet": (pair(wave(2), wave()), 50, WindowState.NOT_YET),
    "waves more than two weeks apart never meet": (
        pair(wave(2), wave(17)),
        16.5,
        WindowState.NEVER,
    ),
    "waves exactly two weeks apart never meet": (pair(wave(2), wave(16)), 16, WindowState.NEVER),
    "a window whose safe end lies before its opening is only ever late": (
        pair(wave(3, started=1), wave(16, started=15)),
        16.5,
        WindowState.LATE,
    ),
}


@pytest.mark.parametrize("case", STATES.values(), ids=STATES.keys())
def test_the_state_of_a_window(case: tuple[Pair, float, WindowState]) -> None:
    """Ends are exclusive; a job may be sent while open or late."""
    one, at, expected = case
    assert one.state(T0 + at * DAY) is expected
    assert one.servable(T0 + at * DAY) is (expected in (WindowState.OPEN, WindowState.LATE))


offsets = st.integers(min_value=0, max_value=40)
waves = st.builds(
    lambda finished, length: wave(finished, started=finished - length),
    offsets,
    st.integers(min_value=0, max_value=5),
)
random_pairs = st.lists(st.builds(pair, waves, waves), max_size=7)
moments = st.integers(min_value=-5, max_value=60).map(lambda d: T0 + d * DAY)


def spans(pairs: list[Pair], at: datetime) -> list[tuple[datetime, datetime]]:
    """Return where one moment may lie for each pair that can still be served, safe ends first."""
    found = []
    for one in pairs:
        assert one.opens is not None
        assert one.safe_closes is not None
        assert one.closes is not None
        begins = max(one.opens, at)
        until = one.safe_closes if begins < one.safe_closes else one.closes
        if begins < until:
            found.append((begins, until))
    return found


def fewest_by_trying(all_spans: list[tuple[datetime, datetime]]) -> int:
    points = sorted({begins for begins, _ in all_spans})
    for size in range(len(points) + 1):
        for chosen in itertools.combinations(points, size):
            if all(any(b <= point < u for point in chosen) for b, u in all_spans):
                return size
    raise AssertionError


@given(random_pairs, moments)
@settings(max_examples=200, deadline=None)
def test_rounds_are_the_fewest_that_serve_every_pair(pairs: list[Pair], at: datetime) -> None:
    """As few as trying every set of moments finds."""
    assert len(rounds(pairs, at)) == fewest_by_trying(spans(pairs, at))


@given(random_pairs, moments)
@settings(max_examples=200, deadline=None)
def test_every_pair_is_in_one_round_or_unservable(pairs: list[Pair], at: datetime) -> None:
    """Nothing is forgotten and nothing is counted twice; any moment of a round serves all its pairs."""
    found = rounds(pairs, at)
    served = [one for each in found for one in each.pairs]
    assert len(served) + len(unservable(pairs, at)) == len(pairs)
    for each in found:
        assert at <= each.begins < each.until
        for moment in (each.begins, each.until - timedelta(microseconds=1)):
            assert all(one.servable(moment) for one in each.pairs)


@given(random_pairs, moments)
@settings(deadline=None)
def test_rounds_do_not_overlap_and_come_in_order(pairs: list[Pair], at: datetime) -> None:
    """A later round begins after the one before has ended: else one would do."""
    found = rounds(pairs, at)
    assert all(first.until <= second.begins for first, second in itertools.pairwise(found))


@given(random_pairs, moments, st.randoms())
@settings(deadline=None)
def test_rounds_do_not_depend_on_the_order_of_the_plan(
    pairs: list[Pair], at: datetime, random
) -> None:
    """The same waves written in another order need the same moments."""
    shuffled = pairs.copy()
    random.shuffle(shuffled)
    assert [(r.begins, r.until) for r in rounds(pairs, at)] == [
        (r.begins, r.until) for r in rounds(shuffled, at)
    ]


def test_a_pair_with_safe_time_left_is_not_put_off_into_its_late_part() -> None:
    """No round counts on the undocumented part of a window while a safe one is left."""
    (one,) = rounds([USUAL], T0 + 10 * DAY)
    assert days(one.until) == 15
    (late,) = rounds([USUAL], T0 + 15.5 * DAY)
    assert days(late.until) == 16


A, B = "https://a.atlassian.net", "https://b.atlassian.net"


def job(**changes: object) -> Instance:
    values = {"id": "a-to-b", "product_url": A, "destination_url": B, "migrated_from": "https://x"}
    return Instance(**{**values, **changes})


def test_a_job_has_one_pair_per_two_waves_in_plan_order() -> None:
    """Two waves here and three there make six pairs."""
    sites = (
        Site(url=A, waves=tuple(Wave(name=f"a{n}") for n in range(2))),
        Site(url=B, waves=tuple(Wave(name=f"b{n}") for n in range(3))),
    )
    plan = Plan(name="p", sites=sites, instances=(job(),))
    names = [(p.from_wave.name, p.to_wave.name) for p in all_pairs(plan, use_planned=True)]
    assert names == [(f"a{x}", f"b{y}") for x in range(2) for y in range(3)]


@pytest.mark.parametrize(
    "changes",
    [{"recreate_as_remote": False}, {"destination_url": "https://c.atlassian.net"}],
    ids=["a job that recreates nothing", "a site the plan does not have"],
)
def test_a_job_without_windows(changes: dict[str, object]) -> None:
    """Only recreating links between two sites of the plan is bound to the two weeks."""
    plan = Plan(
        name="p",
        sites=(Site(url=A, waves=(wave(1),)), Site(url=B, waves=(wave(1),))),
        instances=(job(**changes),),
    )
    assert pairs_of(plan, plan.instances[0], use_planned=True) == ()


def test_the_window_is_two_weeks() -> None:
    """Fourteen times twenty-four hours."""
    assert timedelta(hours=14 * 24) == WINDOW

"""Which missing links no submission served yet, and whether a later round still can."""

from datetime import UTC, datetime, timedelta

import pytest

from runbook.plan.model import Instance, Plan, Project, Site, Wave
from runbook.remotelinks.window_gaps import WindowGaps
from runbook.view import runs_of
from tests.evening import START, answered, intended, lost, not_sent, recorded, run_started

ENG, OPS = "https://a.atlassian.net", "https://b.atlassian.net"
DAY = timedelta(days=1)
IN = datetime(2026, 11, 20, tzinfo=UTC)


def plan(*second: Wave) -> Plan:
    """Return a split whose first site has a second wave, brought as given."""
    one = Site(
        url=ENG,
        site_id="a",
        projects=(Project(key="ENG", was="ENG"), Project(key="PLAT", was="PLT")),
        waves=(Wave(name="wave-1", projects=("ENG",), finished=IN), *second),
    )
    other = Site(
        url=OPS,
        site_id="b",
        projects=(Project(key="OPS", was="OPS"),),
        waves=(Wave(name="all", finished=IN),),
    )
    job = Instance(
        id="eng-to-ops", product_url=ENG, destination_url=OPS, migrated_from="https://jira.example"
    )
    return Plan(name="split", digest="d" * 64, sites=(one, other), instances=(job,))


def second(**dates: datetime) -> Wave:
    return Wave(name="wave-2", projects=("PLAT",), **dates)


def pairs(of: Plan, *events: object, now: datetime = START + timedelta(hours=1)) -> WindowGaps:
    said = [("eng-to-ops", event) for event in events]
    (view,) = runs_of(recorded(run_started(of), *said))
    return WindowGaps(of, view, now)


SENT = (intended(), answered())
NOT_IN = "wave-2 -> all was not in at the last submission"
NEXT, CLOSED = "; the next round serves it", "; its window is closed; only repair helps"


def test_a_pair_that_a_submission_served_is_none() -> None:
    assert pairs(plan(second()), *SENT).of("eng-to-ops", "ENG-1", "OPS-1") is None


def test_a_submission_that_may_have_been_accepted_counts() -> None:
    assert pairs(plan(), intended(), lost()).of("eng-to-ops", "ENG-1", "OPS-1") is None


LATER = {
    "a wave without a date": (second(), 0, NOT_IN + NEXT, True),
    "a wave that is planned": (second(planned=IN + 5 * DAY), 0, NOT_IN + NEXT, True),
    "a wave that is in now": (second(finished=IN + 5 * DAY), 4, NOT_IN + NEXT, True),
    "a wave that was in and is closed now": (
        second(finished=IN + 5 * DAY),
        20,
        NOT_IN + CLOSED,
        False,
    ),
    "a wave that would come when the other has closed": (second(), 14, NOT_IN + CLOSED, False),
    "a wave planned for when the other has closed": (
        second(planned=IN + 14 * DAY),
        0,
        "wave-2 -> all is open at no moment; only repair helps",
        False,
    ),
    "a wave that had closed before the job was sent": (
        second(finished=IN - 13 * DAY),
        0,
        "wave-2 -> all was closed at the last submission" + CLOSED,
        False,
    ),
}


@pytest.mark.parametrize(("wave", "days", "detail", "later"), LATER.values(), ids=LATER.keys())
def test_a_pair_that_was_not_served(wave: Wave, days: int, detail: str, later: bool) -> None:
    found = pairs(plan(wave), *SENT, now=START + days * DAY).of("eng-to-ops", "PLAT-1", "OPS-1")
    assert found == (detail, later)


def test_a_job_that_nobody_accepted_serves_nothing() -> None:
    found = pairs(plan(), intended(), not_sent()).of("eng-to-ops", "ENG-1", "OPS-1")
    assert found == ("no submission for wave-1 -> all was accepted; the next round serves it", True)


def test_a_project_without_a_wave_and_an_unknown_job_say_nothing() -> None:
    of = pairs(plan(second()), *SENT).of
    assert of("eng-to-ops", "XYZ-1", "OPS-1") is None
    assert of("no-such-job", "ENG-1", "OPS-1") is None

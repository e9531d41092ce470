"""How a job is followed: until it ends, at a growing interval, whatever the answers look like."""

import asyncio
from pathlib import Path

import pytest

from runbook.execute.poller import Poller
from runbook.execute.ports import Pace
from runbook.http import NotSent, Outcome
from runbook.view import JobState
from tests.evening import START, UUID
from tests.execute.desks import Desk, answer, desk, status, view_of

DONE = status("Complete")
GONE = NotSent(reason="no route to host")
UNDER_WAY = view_of(
    state=JobState.IN_PROGRESS, uuid=UUID, last_status="In_progress", transitions=((START, ""),)
)


def followed(one: Desk, pace: Pace | None = None) -> None:
    asyncio.run(Poller(one.session, pace or Pace()).follow("one"))


GAPS: dict[str, tuple[tuple[Outcome, ...], list[float]]] = {
    "the end ends it": ((DONE,), []),
    "intervals grow": ((*[status("In_progress")] * 3, DONE), [5.0, 7.5, 11.25]),
    "a change begins them anew": (
        (*[status("In_progress")] * 2, status("Retry"), DONE),
        [5.0, 7.5, 5.0],
    ),
    "a wait that is told is kept": ((answer(429, Retry_After="90"), DONE), [90.0]),
    "a word that is not known is no end": ((status("Finalizing"), DONE), [5.0]),
    "an id that is not known is no end": ((answer(404), DONE), [5.0]),
    "a web page is no end": ((answer(200, "<html>"), DONE), [5.0]),
}


@pytest.mark.parametrize(("outcomes", "gaps_s"), GAPS.values(), ids=list(GAPS))
def test_a_job_is_asked_for_until_it_ends(
    tmp_path: Path, outcomes: tuple[Outcome, ...], gaps_s: list[float]
) -> None:
    with desk(tmp_path, *outcomes, jobs=(UNDER_WAY,)) as one:
        followed(one)
        assert one.gaps_s() == gaps_s
        assert one.session.jobs["one"].state is JobState.COMPLETE


def test_a_job_that_was_just_accepted_is_given_a_moment(tmp_path: Path) -> None:
    fresh = view_of(state=JobState.PENDING, uuid=UUID, transitions=((START, ""),))
    with desk(tmp_path, DONE, jobs=(fresh,)) as one:
        followed(one)
        assert one.sent_s == [5.0]


def test_an_account_that_is_refused_follows_no_further(tmp_path: Path) -> None:
    with desk(tmp_path, answer(401), jobs=(UNDER_WAY,)) as one:
        followed(one)
        assert set(one.session.brakes.accounts) == {"default"}
        assert one.session.jobs["one"].state is JobState.IN_PROGRESS


def test_a_network_that_does_not_come_back_is_given_up(tmp_path: Path) -> None:
    with desk(tmp_path, GONE, jobs=(UNDER_WAY,)) as one:
        followed(one, Pace(poll_interval_s=10.0, connect_retry_s=60.0))
        assert one.session.unreachable == "not reached: no route to host"
        assert one.sent_s[-1] == 70.0


def test_an_answer_in_between_begins_the_patience_anew(tmp_path: Path) -> None:
    outcomes = (*[GONE] * 6, status("In_progress"), *[GONE] * 6, DONE)
    with desk(tmp_path, *outcomes, jobs=(UNDER_WAY,)) as one:
        followed(one, Pace(poll_interval_s=10.0, connect_retry_s=60.0))
        assert one.session.unreachable is None
        assert one.session.jobs["one"].state is JobState.COMPLETE


def test_a_job_without_a_change_for_long_is_said_to_stall_once(tmp_path: Path) -> None:
    with desk(tmp_path, *[status("In_progress")] * 5, DONE, jobs=(UNDER_WAY,)) as one:
        followed(one, Pace(poll_interval_s=3600.0))
        assert one.kinds().count("job.stalled") == 1


def test_after_an_interrupt_nothing_more_is_asked(tmp_path: Path) -> None:
    with desk(tmp_path, status("In_progress"), jobs=(UNDER_WAY,)) as one:
        one.session.interrupts.interrupt()
        followed(one)
        assert one.sent_s == []

"""How a job is sent: at most once, at the pace, in its window, and never against a person's word."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import LedgerError
from runbook.execute.ports import Pace
from runbook.execute.submitter import Submitter
from runbook.http import Lost, NotSent, Outcome
from runbook.ledger.codec import Event, Row
from runbook.ledger.events import StopRequested, SubmitAnswered
from runbook.plan.model import Wave
from runbook.view import JobState, Submission
from runbook.windows import WINDOW, pair_of
from tests.evening import START, UUID
from tests.execute.desks import ACCEPTED, Desk, answer, desk, view_of

AT_ONCE = Pace(submit_interval_s=0.0)
LIMITED = answer(429)
UNSENT, LOST = NotSent(reason="connection refused"), Lost(reason="reset")


def submitted(one: Desk, pace: Pace = AT_ONCE) -> None:
    asyncio.run(Submitter(one.session, pace).submit("one"))


@dataclass(frozen=True)
class Case:
    outcomes: tuple[Outcome, ...]
    gaps_s: list[float]
    state: JobState
    assigned: dict[str, Any] = field(default_factory=dict)


CASES = {
    "what is accepted is sent once": Case((ACCEPTED,), [], JobState.PENDING),
    "what is refused is sent once": Case((answer(400),), [], JobState.REFUSED),
    "what cannot be known is sent once": Case((LOST,), [], JobState.UNKNOWN),
    "a server error cannot be known": Case((answer(503), ACCEPTED), [], JobState.UNKNOWN),
    "a word given beforehand sends it once more, not twice": Case(
        (LOST,), [0.0], JobState.UNKNOWN, {"on_unknown": "resubmit"}
    ),
    "a wait that is told is kept": Case(
        (answer(429, Retry_After="70"), ACCEPTED), [70.0], JobState.PENDING
    ),
    "a wait of nothing is a second": Case(
        (answer(429, Retry_After="0.5"), ACCEPTED), [1.0], JobState.PENDING
    ),
    "without a word the waits for a limit grow": Case(
        (LIMITED, LIMITED, LIMITED, ACCEPTED), [5.0, 10.0, 20.0], JobState.PENDING
    ),
    "what never left is sent again, in growing waits": Case(
        (UNSENT, UNSENT, UNSENT, ACCEPTED), [2.0, 4.0, 8.0], JobState.PENDING
    ),
    "a proxy that wants a password let nothing through": Case(
        (answer(407), ACCEPTED), [2.0], JobState.PENDING
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_job_is_sent_as_often_as_its_answers_allow(tmp_path: Path, case: Case) -> None:
    with desk(tmp_path, *case.outcomes, **case.assigned) as one:
        submitted(one)
        assert one.gaps_s() == case.gaps_s
        assert one.session.jobs["one"].state is case.state
        assert one.session.todo == set()


def test_the_intent_is_on_disk_when_a_request_leaves(tmp_path: Path) -> None:
    with desk(tmp_path, ACCEPTED) as one:
        submitted(one)
        assert one.last_on_disk == ["submit.intended"]
        assert one.kinds() == ["submit.intended", "submit.answered"]


def test_two_submissions_keep_the_interval_whatever_their_order(tmp_path: Path) -> None:
    with desk(tmp_path, ACCEPTED, jobs=(view_of("one"), view_of("two"))) as one:
        submitter = Submitter(one.session, Pace())

        async def act() -> None:
            await submitter.submit("one")
            # The first is still at Atlassian: its site goes on only when it has ended.
            one.session.jobs["one"] = view_of("one", state=JobState.COMPLETE)
            await submitter.submit("two")

        asyncio.run(act())
        assert one.gaps_s() == [12.0]


BEFORE = {
    "the interval of an earlier process is kept": (-5, 7.0),
    "an interval that is over is not waited for": (-60, 0.0),
    "a clock that went back waits no longer than the interval": (3600, 12.0),
}


@pytest.mark.parametrize(("sent_s", "waited_s"), BEFORE.values(), ids=list(BEFORE))
def test_the_first_submission_keeps_its_distance(
    tmp_path: Path, sent_s: int, waited_s: float
) -> None:
    at = START + timedelta(seconds=sent_s)
    earlier = Submission(number=1, at=at, request={}, outcome="not_sent")
    with desk(tmp_path, ACCEPTED, jobs=(view_of(sent=(earlier,)),)) as one:
        submitted(one, Pace())
        assert one.sent_s == [waited_s]


def test_a_network_that_does_not_come_back_is_given_up(tmp_path: Path) -> None:
    with desk(tmp_path, UNSENT) as one:
        submitted(one, Pace(submit_interval_s=0.0, connect_retry_s=60.0))
        assert one.session.unreachable == "connection refused"
        assert one.session.todo == {"one"}
        assert one.sent_s[-1] <= 60.0


def ending_in(**span: float) -> dict[str, Any]:
    """A job whose only window closes so long after the start."""
    wave = Wave(name="w", finished=START - WINDOW + timedelta(**span))
    pair = pair_of("one", wave, wave, use_planned=False)
    return {"jobs": (view_of(recreate_as_remote=True),), "pairs": {"one": (pair,)}}


WINDOWS = {
    "a closed window holds the job": (ending_in(days=-3), 0),
    "a limit that outlasts the window holds it too": (ending_in(hours=1), 1),
    "a limit within the window is waited for": (ending_in(days=1), 2),
}


@pytest.mark.parametrize(("assigned", "requests"), WINDOWS.values(), ids=list(WINDOWS))
def test_a_job_is_sent_inside_its_window_only(
    tmp_path: Path, assigned: dict[str, Any], requests: int
) -> None:
    outcomes = (answer(429, Retry_After="7200"), ACCEPTED)
    with desk(tmp_path, *outcomes, **assigned) as one:
        submitted(one)
        assert len(one.sent_s) == requests
        held = one.session.jobs["one"].state is JobState.NOT_ATTEMPTED
        assert held is (requests < 2)
        assert one.session.jobs["one"].why == ("window" if held else None)


def test_a_stop_of_another_terminal_is_heard_in_the_middle_of_a_wait(tmp_path: Path) -> None:
    with desk(tmp_path, answer(429, Retry_After="600"), ACCEPTED) as one:

        async def stop() -> None:
            await one.clock.sleep(30)
            one.elsewhere(StopRequested(reason="", by="Ada"))
            one.session.poll_ledger()

        async def act() -> None:
            await asyncio.gather(Submitter(one.session, AT_ONCE).submit("one"), stop())

        asyncio.run(act())
        assert len(one.sent_s) == 1
        assert one.clock.monotonic_s() == 30.0


BRAKES: dict[str, tuple[tuple[Outcome, ...], set[str], set[str]]] = {
    "a refused account holds its jobs": ((answer(401),), {"default"}, set()),
    "one refusal of a site may be the job's own": ((answer(403),), set(), set()),
    "a refusal of the job alone holds nothing else": ((answer(400),), set(), set()),
}


@pytest.mark.parametrize(("outcomes", "accounts", "sites"), BRAKES.values(), ids=list(BRAKES))
def test_a_refusal_holds_what_it_is_about(
    tmp_path: Path, outcomes: tuple[Outcome, ...], accounts: set[str], sites: set[str]
) -> None:
    with desk(tmp_path, *outcomes) as one:
        submitted(one)
        assert set(one.session.brakes.accounts) == accounts
        assert set(one.session.brakes.sites) == sites


def test_an_answer_that_cannot_be_written_is_at_least_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(tmp_path, ACCEPTED) as one:
        real = one.ledger.append

        def append(event: Event, *, run: str | None = None, job: str | None = None) -> Row:
            if isinstance(event, SubmitAnswered):
                raise LedgerError("the disk is full")
            return real(event, run=run, job=job)

        monkeypatch.setattr(one.ledger, "append", append)
        with pytest.raises(LedgerError):
            submitted(one)
        assert UUID in one.watcher.failures[0]

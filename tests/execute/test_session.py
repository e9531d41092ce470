"""What a process knows of its run, and how it learns what others do to it."""

import asyncio
from pathlib import Path

import pytest

from runbook.execute.ports import Audience
from runbook.ledger.codec import Event, Row
from runbook.ledger.events import JobResolved, JobStalled, StopRequested
from runbook.plan.model import Probe
from runbook.view import JobState
from tests.evening import answered, intended, lost, polled
from tests.execute.desks import SITE, Watcher, desk, view_of

STALLED = JobStalled(since="2026-11-22T19:00:00Z", advice="wait")
STOP = StopRequested(reason="too late", by="Ada")
SEND_AGAIN = JobResolved(resolution="send_again", uuid=None, by="Ada", note="")
TRUE_ACCEPTED = JobResolved(resolution="accepted", uuid="u", by="Ada", note="")
PROBE = Probe(issue="ENG-1", target="OPS-1")


def test_what_another_terminal_wrote_first_is_learned_first(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        one.elsewhere(STOP)
        one.session.record(STALLED, "one")
        assert one.watcher.events == ["1 run.stop_requested", "2 job.stalled"]
        assert one.session.brakes.stopped == "stopped by Ada: too late"
        assert one.session.no_go


def test_what_is_of_another_run_is_no_news(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        one.ledger.append(STOP, run="another")
        one.session.poll_ledger()
        assert (one.session.brakes.stopped, one.watcher.events) == (None, [])


@pytest.mark.parametrize(
    ("word", "may_send", "todo"),
    [
        pytest.param(SEND_AGAIN, True, {"one"}, id="a word that it is to go again gives it back"),
        pytest.param(SEND_AGAIN, False, set(), id="not to a process that may not send"),
        pytest.param(TRUE_ACCEPTED, True, set(), id="a word that it was accepted does not"),
    ],
)
def test_a_persons_word_decides_about_an_unknown_outcome(
    tmp_path: Path, word: JobResolved, may_send: bool, todo: set[str]
) -> None:
    with desk(tmp_path, todo=[], may_send=may_send) as one:
        one.session.record(intended(), "one")
        one.session.record(lost(), "one")
        assert one.session.jobs["one"].state is JobState.UNKNOWN
        one.elsewhere(word, "one")
        one.session.poll_ledger()
        assert one.session.todo == todo


class Broken(Watcher):
    def on_event(self, row: Row, event: Event) -> None:
        raise BrokenPipeError


def test_a_watcher_that_fails_is_silenced_and_the_others_hear_of_it(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        broken, other = Broken(), Watcher()
        audience = Audience([broken, other])
        for _ in range(2):
            audience.on_event(one.ledger.append(STALLED), STALLED)
        assert len(other.events) == 2
        assert other.failures == ["Broken failed and is silent from here; the run goes on"]
        assert broken.failures == []


PAUSES = {
    "a pause lasts as long as it should": (None, True, 600.0),
    "an interrupt ends it": ("interrupt", False, 30.0),
    "a stop ends it where that is wanted": ("stop", True, 30.0),
    "a stop ends it nowhere else": ("stop", False, 600.0),
}


@pytest.mark.parametrize(("what", "until_stop", "lasted_s"), PAUSES.values(), ids=list(PAUSES))
def test_a_pause_ends_when_it_should(
    tmp_path: Path, what: str | None, until_stop: bool, lasted_s: float
) -> None:
    with desk(tmp_path) as one:

        async def happens() -> None:
            await one.clock.sleep(30)
            if what == "stop":
                one.elsewhere(STOP)
                one.session.poll_ledger()
            elif what == "interrupt":
                one.session.interrupts.interrupt()
                one.session.interrupts.wake()

        async def act() -> float:
            event = asyncio.create_task(happens())
            await one.session.pause("one", 600, "for a test", until_stop=until_stop)
            ended_s = one.clock.monotonic_s()
            await event
            return ended_s

        assert asyncio.run(act()) == lasted_s
        assert one.watcher.waits == ["for a test"]


ARRIVALS = {
    "what was not there and is there now has arrived": ("absent", "present", "arrived"),
    "what was there before says nothing": ("present", "present", "already_there"),
    "what is not there did not arrive": ("absent", "absent", "not_arrived"),
    "what could not be looked at was not asked": ("absent", "not_asked", "not_asked"),
}


@pytest.mark.parametrize(("before", "after", "meaning"), ARRIVALS.values(), ids=list(ARRIVALS))
def test_a_probe_after_a_job_is_judged_by_the_one_before(
    tmp_path: Path, before: str, after: str, meaning: str
) -> None:
    with desk(tmp_path, jobs=(view_of(probe_links=(PROBE,)),)) as one:
        one.prober.result = before
        asyncio.run(one.session.probe("one", "before"))
        one.session.record(intended(), "one")
        one.session.record(answered(), "one")
        one.session.record(polled("complete"), "one")
        one.prober.result = after
        asyncio.run(one.session.probe("one", "after"))
        assert [event.result for _, event in one.session.jobs["one"].probes] == [before, meaning]


def test_a_complete_job_whose_link_did_not_arrive_holds_its_site(tmp_path: Path) -> None:
    done = view_of(state=JobState.COMPLETE, uuid="u", probe_links=(PROBE,))
    with desk(tmp_path, jobs=(done,)) as one:
        assert one.session.brakes.sites == {}
        asyncio.run(one.session.probe("one", "after"))
        assert one.session.brakes.sites[SITE][0] == "probe"


def test_without_a_way_to_look_a_probe_says_so(tmp_path: Path) -> None:
    with desk(tmp_path, jobs=(view_of(probe_links=(PROBE,)),), prober=None) as one:
        asyncio.run(one.session.probe("one", "before"))
        _, reading = one.session.jobs["one"].probes[0]
        assert reading.result == "not_asked"
        assert "no way" in reading.detail

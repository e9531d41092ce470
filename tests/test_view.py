"""Events -> what is known: states, counts that add up, and nothing called fine that was not looked at."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.ledger.codec import Recorded, decode, encode
from runbook.ledger.events import (
    JobNotAttempted,
    JobResolved,
    JobStalled,
    PlanAmended,
    ProbeRead,
    RoundOpened,
    RunResumed,
    StopRequested,
)
from runbook.ledger.events.handover import ApprovalGiven
from runbook.ledger.events.links import VerifyEnded, VerifyFound, VerifyStarted, WriteIntended
from runbook.view import JobState, RunState, RunView, next_for, run_of, runs_of
from tests.evening import (
    RUN,
    UUID,
    answered,
    intended,
    lost,
    not_sent,
    polled,
    recorded,
    run_ended,
    run_started,
    small_plan,
)


def resolved(resolution: str, uuid: str | None = None) -> JobResolved:
    return JobResolved(resolution=resolution, uuid=uuid, by="J. Doe", note="")


def resumed() -> RunResumed:
    return RunResumed(
        operator="J. Doe", machine="m", tool_version="1", findings=[], options={}, site_ids={}
    )


def not_attempted(why: str) -> JobNotAttempted:
    return JobNotAttempted(why=why, detail="because")


def view(*events: Any, leased_run: str | None = None) -> RunView:
    found = run_of(recorded(run_started(), *events), RUN, leased_run=leased_run)
    assert found is not None
    return found


def state_of(*events: Any, leased_run: str | None = RUN) -> str:
    """Return the state of job `one` after events of its own."""
    job = view(*(("one", event) for event in events), leased_run=leased_run).job("one")
    assert job is not None
    return job.state.value


ACCEPTED = (intended(), answered())
JOB_STATES: dict[str, tuple[tuple[Any, ...], str]] = {
    "nothing yet": ((), "planned"),
    "an intent": ((intended(),), "submitting"),
    "accepted": (ACCEPTED, "pending"),
    "refused": ((intended(), answered("refused")), "refused"),
    "rate limited, to be sent again": ((intended(), answered("rate_limited")), "planned"),
    "2xx without an id": ((intended(), answered("unknown")), "unknown"),
    "a word of a later version": ((intended(), answered("something new")), "unknown"),
    "the connection was lost": ((intended(), lost()), "unknown"),
    "no connection was made": ((intended(), not_sent()), "planned"),
    "in progress": ((*ACCEPTED, polled("in_progress")), "in_progress"),
    "a backup first": ((*ACCEPTED, polled("backup")), "backup"),
    "retry means going on": ((*ACCEPTED, polled("retry")), "retry"),
    "an answer that says nothing": ((*ACCEPTED, polled(None)), "pending"),
    "complete": ((*ACCEPTED, polled("complete")), "complete"),
    "error": ((*ACCEPTED, polled("error")), "error"),
    "complete stays complete": ((*ACCEPTED, polled("complete"), polled("pending")), "complete"),
    "stalled goes on": (
        (*ACCEPTED, JobStalled(since="2026-11-22T19:00:00Z", advice="look")),
        "pending",
    ),
    "not attempted": ((not_attempted("window"),), "not_attempted"),
    "not selected stays planned": ((not_attempted("not_selected"),), "planned"),
    "unknown, then accepted by a word": (
        (intended(), lost(), resolved("accepted", UUID)),
        "pending",
    ),
    "unknown, then accepted without an id": (
        (intended(), lost(), resolved("accepted_no_id")),
        "unknown",
    ),
    "unknown, then to be sent again": ((intended(), lost(), resolved("send_again")), "planned"),
    "sent elsewhere": ((resolved("accepted", UUID),), "pending"),
    "sent a second time": (
        (intended(), lost(), resolved("send_again"), intended(2), answered()),
        "pending",
    ),
}


@pytest.mark.parametrize("case", JOB_STATES.values(), ids=JOB_STATES.keys())
def test_the_state_of_a_job(case: tuple[tuple[Any, ...], str]) -> None:
    """Each event leads to one state."""
    events, expected = case
    assert state_of(*events) == expected


def test_an_intent_without_an_answer_is_unknown_once_nobody_leads() -> None:
    """Also after the process was resumed or ended without an answer on disk."""
    assert state_of(intended(), leased_run=None) == "unknown"
    job = view(("one", intended()), leased_run=None).job("one")
    assert job is not None
    assert (job.submissions, job.submitted_at) == (1, job.sent[0].at)
    assert "no answer is on disk" in job.detail
    for after in (resumed(), run_ended("interrupted", 130)):
        later = view(("one", intended()), after, leased_run=RUN).job("one")
        assert later is not None
        assert later.state is JobState.UNKNOWN


def test_submissions_count_what_may_have_arrived() -> None:
    """Neither a refused connection nor a 429 is a submission; a lost answer is."""
    job = view(
        ("one", intended()),
        ("one", not_sent()),
        ("one", intended(2)),
        ("one", answered("rate_limited")),
        ("one", intended(3)),
        ("one", lost()),
        ("one", resolved("send_again")),
        ("one", intended(4)),
        ("one", answered()),
    ).job("one")
    assert job is not None
    assert job.submissions == 2
    assert [sent.outcome for sent in job.sent] == [
        "not_sent",
        "rate_limited",
        "unknown",
        "accepted",
    ]
    assert job.uuid == UUID


def complete(job: str) -> tuple[tuple[str, Any], ...]:
    return (job, intended()), (job, answered()), (job, polled("complete"))


ALL_COMPLETE = (*complete("one"), *complete("two"), *complete("three"))
TWO_COMPLETE = (*complete("one"), *complete("two"))
probe = ProbeRead(
    phase="after", issue="A-1", target="B-1", result="not_arrived", detail="", exchanges=[]
)
RUN_STATES: dict[str, tuple[tuple[Any, ...], str]] = {
    "nothing was sent": ((), "interrupted"),
    "all complete": (ALL_COMPLETE, "complete"),
    "one is still under way": (
        (*TWO_COMPLETE, ("three", intended()), ("three", answered())),
        "interrupted",
    ),
    "one was refused": (
        (*TWO_COMPLETE, ("three", intended()), ("three", answered("refused"))),
        "failed",
    ),
    "one ended in error": (
        (*TWO_COMPLETE, ("three", intended()), ("three", answered()), ("three", polled("error"))),
        "failed",
    ),
    "one was not attempted": ((*TWO_COMPLETE, ("three", not_attempted("window"))), "failed"),
    "one is unknown": ((*TWO_COMPLETE, ("three", intended()), ("three", lost())), "needs_person"),
    "unknown weighs more than refused": (
        (("one", intended()), ("one", answered("refused")), ("two", intended()), ("two", lost())),
        "needs_person",
    ),
    "unknown weighs more than stopped": (
        (("one", intended()), ("one", lost()), StopRequested(reason="no-go", by="J")),
        "needs_person",
    ),
    "a person has spoken": (
        (
            *TWO_COMPLETE,
            ("three", intended()),
            ("three", lost()),
            ("three", resolved("accepted_no_id")),
        ),
        "complete",
    ),
    "stopped": ((*complete("one"), StopRequested(reason="no-go", by="J")), "stopped"),
    "only some were selected": (
        (
            *complete("one"),
            ("two", not_attempted("not_selected")),
            ("three", not_attempted("not_selected")),
        ),
        "stopped",
    ),
    "a known link did not arrive": ((*ALL_COMPLETE, ("one", probe)), "needs_person"),
    "a known link did not arrive, and a person said go on": (
        (*ALL_COMPLETE, ("one", probe), ("one", resolved("accepted_no_id"))),
        "complete",
    ),
    "a round takes the stop back": (
        (
            *ALL_COMPLETE,
            StopRequested(reason="no-go", by="J"),
            RoundOpened(jobs=["one"], reason="late wave", by="J"),
            *complete("one"),
        ),
        "complete",
    ),
}


@pytest.mark.parametrize("case", RUN_STATES.values(), ids=RUN_STATES.keys())
def test_the_state_of_a_run_that_nobody_leads(case: tuple[tuple[Any, ...], str]) -> None:
    """What a person can rely on after the process ended."""
    events, expected = case
    assert view(*events).state.value == expected


def test_a_led_run_is_running() -> None:
    """While a process leads it, whatever is unknown in it."""
    assert view(("one", intended()), ("one", lost()), leased_run=RUN).state is RunState.RUNNING
    assert view(*ALL_COMPLETE, run_ended(), leased_run=RUN).ended_at is None


def verification(result: str, name: str = "v1") -> tuple[Any, ...]:
    started = VerifyStarted(
        verification=name, after=None, before=None, expected=None, sample=None, operator="J"
    )
    found = VerifyFound(verification=name, findings=[{"job": "one", "kind": "missing"}])
    ended = VerifyEnded(verification=name, result=result, jobs=[], pairs=[], sample=None, notes=[])
    return started, found, ended


def test_verification_is_none_until_somebody_looked() -> None:
    """And again after anything was sent or taken back since."""
    assert view(*ALL_COMPLETE).verification == "none"
    assert view(*ALL_COMPLETE, *verification("clean")[:2]).verification == "none"
    assert view(*ALL_COMPLETE, *verification("clean")).verification == "clean"
    assert view(*ALL_COMPLETE, *verification("partial")).verification == "partial"
    again = (*ALL_COMPLETE, *verification("clean"), ("one", intended(2)))
    assert view(*again).verification == "none"
    write = WriteIntended(
        purpose="rollback",
        write="w1",
        action="delete",
        site="https://a.atlassian.net",
        issue="A-1",
        link_id="1",
        global_id=None,
        before=None,
        after=None,
        request={},
    )
    assert view(*ALL_COMPLETE, *verification("differences"), write).verification == "none"


def test_findings_of_a_verification_stay_with_it() -> None:
    """Two verifications of one run do not mix."""
    found = view(*ALL_COMPLETE, *verification("differences"), *verification("clean", "v2"))
    assert [len(one.findings) for one in found.verifications] == [1, 1]
    assert found.verification == "clean"


def test_an_amended_plan_adds_jobs_and_keeps_what_is_known() -> None:
    """A new direction appears as planned; a sent job keeps its state."""
    plan = small_plan(("one", "two", "three", "four"))
    started = run_started(plan)
    amended = PlanAmended(
        difference=["`four` was added"],
        plan_text="new",
        digest="e" * 64,
        jobs_digest=started.jobs_digest,
        jobs=started.jobs,
        findings=[],
        evidence=[],
    )
    found = view(*complete("one"), resumed(), amended)
    assert {job.id: job.state.value for job in found.jobs} == {
        "one": "complete",
        "two": "planned",
        "three": "planned",
        "four": "planned",
    }
    assert (found.plan_text, found.digest) == ("new", "e" * 64)


def test_a_job_that_was_sent_does_not_vanish_with_an_amended_plan() -> None:
    """What was sent happened; a plan without the job cannot take that back."""
    started = run_started(small_plan(("two", "three")))
    amended = PlanAmended(
        difference=["`one` was removed"],
        plan_text="new",
        digest="e" * 64,
        jobs_digest=started.jobs_digest,
        jobs=started.jobs,
        findings=[],
        evidence=[],
    )
    found = view(*complete("one"), amended)
    assert [job.id for job in found.jobs] == ["two", "three", "one"]
    assert found.counts()["complete"] == 1


def test_a_round_sends_once_more_and_forgets_nothing() -> None:
    """The earlier submission stays in the record."""
    job = view(*ALL_COMPLETE, RoundOpened(jobs=["one"], reason="late wave", by="J")).job("one")
    assert job is not None
    assert job.state is JobState.PLANNED
    assert (job.submissions, len(job.sent), len(job.rounds)) == (1, 1, 1)
    assert job.detail == "to be sent once more: late wave"


def test_a_job_knows_when_each_state_began() -> None:
    """For the timeline of the report."""
    job = view(*complete("one")).job("one")
    assert job is not None
    assert [state for _, state in job.transitions] == ["submitting", "pending", "complete"]
    assert job.ended_at == job.transitions[-1][0]


def test_several_runs_of_one_ledger_are_kept_apart() -> None:
    """Events of one run do not touch another."""
    first = recorded(run_started(), *ALL_COMPLETE, run="run-a")
    second = recorded(run_started(), run="run-b")
    found = runs_of((*first, *second), leased_run="run-b")
    assert [(one.id, one.state.value) for one in found] == [
        ("run-a", "complete"),
        ("run-b", "running"),
    ]


def test_an_approval_shows_in_the_run_of_the_same_jobs() -> None:
    """It binds to the digest, whether given before or after."""
    started = run_started()
    given_by = {
        digest: ApprovalGiven(
            plan_name="p", digest="", jobs_digest=digest, by="CAB", evidence=None, operator="J"
        )
        for digest in (started.jobs_digest, "other")
    }
    events = (*recorded(*given_by.values(), run=None), *recorded(started))
    (found,) = runs_of(events)
    assert [one.jobs_digest for _, one in found.approvals] == [started.jobs_digest]


job_events = st.one_of(
    st.builds(intended, st.integers(1, 9)),
    st.builds(answered, st.sampled_from(["accepted", "refused", "rate_limited", "unknown", "odd"])),
    st.builds(lost),
    st.builds(not_sent),
    st.builds(
        polled,
        st.sampled_from([None, "pending", "backup", "in_progress", "retry", "complete", "error"]),
    ),
    st.builds(not_attempted, st.sampled_from(["stopped", "need", "window", "not_selected"])),
    st.builds(resolved, st.sampled_from(["accepted", "accepted_no_id", "send_again"])),
    st.just(probe),
)
any_event = st.one_of(
    st.tuples(st.sampled_from(["one", "two", "three", "nobody"]), job_events),
    st.builds(resumed),
    st.builds(run_ended),
    st.just(StopRequested(reason="", by="J")),
    st.builds(
        lambda jobs: RoundOpened(jobs=jobs, reason="r", by="J"),
        st.lists(st.sampled_from(["one", "two", "nobody"])),
    ),
    st.sampled_from([*verification("clean"), *verification("differences", "v2")]),
)


@given(st.lists(any_event, max_size=25), st.sampled_from([None, RUN]))
@settings(max_examples=300, deadline=None)
def test_counts_add_up_after_any_sequence_of_events(
    events: list[Any], leased_run: str | None
) -> None:
    """Also sequences that no executor would write: reading never fails, no job is lost."""
    found = view(*events, leased_run=leased_run)
    document = found.as_json()
    assert sum(document["counts"].values()) == len(document["jobs"]) == 3
    assert set(document["counts"]) == {state.value for state in JobState}
    assert json.loads(json.dumps(document)) == document
    assert (found.state is RunState.RUNNING) == (leased_run == RUN)
    for job in found.jobs:
        assert job.submissions <= len(job.sent) + len(job.resolutions)
        assert leased_run == RUN or job.state is not JobState.SUBMITTING
    if found.state is RunState.COMPLETE:
        assert all(job.state is JobState.COMPLETE or job.settled_by_person for job in found.jobs)


@given(st.lists(any_event, max_size=15))
@settings(max_examples=100, deadline=None)
def test_the_view_does_not_depend_on_having_been_through_the_ledger(events: list[Any]) -> None:
    """Encoding and decoding every event leads to the same view."""
    direct = recorded(run_started(), *events)
    through = [
        Recorded(
            seq=one.seq,
            at=one.at,
            kind=one.kind,
            run=one.run,
            job=one.job,
            event=decode(one.kind, encode(one.event)),
            hash=one.hash,
        )
        for one in direct
    ]
    assert runs_of(direct) == runs_of(through)


STOP = StopRequested(reason="no-go", by="J. Doe")
RESOLVE = f"runbook resolve {RUN} one"
AGAIN = 'runbook run plan.yaml --again one --reason "…"'
ADVICE: dict[str, tuple[tuple[Any, ...], str | None, str, tuple[str, ...]]] = {
    "nothing was sent": ((), None, "again", ("runbook run plan.yaml",)),
    "it is sent right now": ((("one", intended()),), RUN, "running", ()),
    "the run follows it": (complete("one")[:2], RUN, "followed", ()),
    "nobody follows it": (complete("one")[:2], None, "moving", ("runbook run plan.yaml",)),
    "its outcome is unknown": (
        (("one", intended()), ("one", lost())),
        None,
        "unknown",
        (f"{RESOLVE} --send-again", f"{RESOLVE} --accepted UUID", f"{RESOLVE} --accepted-no-id"),
    ),
    "a person has settled it without an id": (
        (("one", intended()), ("one", lost()), ("one", resolved("accepted_no_id"))),
        None,
        "verify",
        (f"runbook verify {RUN}",),
    ),
    "complete, but a known link did not arrive": (
        (*complete("one"), ("one", probe)),
        None,
        "probe",
        (AGAIN, f"{RESOLVE} --accepted-no-id"),
    ),
    "it ended in error": (
        (*complete("one")[:2], ("one", polled("error"))),
        None,
        "error",
        (AGAIN,),
    ),
    "it was refused": (
        (("one", intended()), ("one", answered("refused"))),
        None,
        "refused",
        ("runbook run plan.yaml",),
    ),
    "it was refused, and the run was stopped": (
        (("one", intended()), ("one", answered("refused")), STOP),
        None,
        "error",
        (AGAIN,),
    ),
    "the run was stopped before it": ((STOP,), None, "stopped", (AGAIN,)),
    "no window was open": (
        (("one", not_attempted("window")),),
        None,
        "window",
        ("runbook run plan.yaml",),
    ),
    "its site is held by another job": (
        (("one", not_attempted("probe")),),
        None,
        "held",
        ("runbook run plan.yaml",),
    ),
}


@pytest.mark.parametrize("case", ADVICE.values(), ids=ADVICE.keys())
def test_what_settles_a_job(case: tuple[tuple[Any, ...], str | None, str, tuple[str, ...]]) -> None:
    """Each standing has one advice, with its commands; the recommended one comes first."""
    events, leased_run, key, commands = case
    found = view(*events, leased_run=leased_run)
    job = found.job("one")
    assert job is not None
    advice = next_for(job, found, "plan.yaml")
    assert (advice.key, advice.commands) == (key, commands)

"""What one process may send."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.checks.checked_plan import CheckedPlan
from runbook.checks.codes import Facts
from runbook.errors import PlanError, UsageError
from runbook.execute.selection import Sending, SendOptions, last_run, plan_difference, what_to_send
from runbook.jobs import jobs_digest, jobs_of
from runbook.ledger.events import JobResolved, RunStarted, StopRequested
from runbook.plan import Plan, load_plan_bytes
from runbook.view import JobState, RunState, RunView, Submission, job_views, served_at
from tests.flows.evening import CUTOVER, plan_text

NOW = CUTOVER + timedelta(minutes=5)
SENT_AT = NOW


def plan_of(text: str = "") -> Plan:
    loaded = load_plan_bytes((text or plan_text(("eng", "ops"))).encode(), "plan.yaml")
    assert loaded.plan is not None
    return loaded.plan


def run_of(plan: Plan, **states: JobState) -> RunView:
    """A run of this plan whose jobs are complete, but for those named."""
    jobs = jobs_of(plan)
    views = job_views([job.as_json() for job in jobs], {})
    started = RunStarted(
        plan_name=plan.name,
        plan_file="plan.yaml",
        plan_text=plan.source.decode(),
        digest=plan.digest,
        jobs_digest=jobs_digest(jobs),
        jobs=[job.as_json() for job in jobs],
        findings=[],
        evidence=[],
        site_ids={},
        operator="op",
        machine="m",
        tool_version="0",
        zone_minutes=60,
        rehearsal=False,
        endpoint=None,
        options={},
    )
    sent = Submission(number=1, at=SENT_AT, request={}, outcome="accepted")
    return RunView(
        id="r1",
        started=started,
        started_at=SENT_AT,
        state=RunState.COMPLETE,
        verification="none",
        jobs=tuple(
            replace(
                view,
                state=states.get(job_id.replace("-", "_"), JobState.COMPLETE),
                sent=() if job_id.replace("-", "_") in states else (sent,),
            )
            for job_id, view in views.items()
        ),
        digest=plan.digest,
        jobs_digest=jobs_digest(jobs),
        plan_text=plan.source.decode(),
        findings=(),
        evidence=(),
        site_ids={},
        operator="op",
        last_at=SENT_AT,
    )


def taken_up(
    plan: Plan, last: RunView | None, *, approved: bool = True, now: datetime = NOW, **options: Any
) -> Sending:
    checked = CheckedPlan.of(plan, Facts(at=now), ())
    return what_to_send(checked, last, SendOptions(**options), approved=approved, now=now)


BOTH = ("eng-to-ops", "ops-to-eng")


def test_the_first_run_begins_with_every_job() -> None:
    assert taken_up(plan_of(), None) == Sending(continues=None, todo=BOTH)


def test_a_complete_run_leaves_nothing_to_send() -> None:
    plan = plan_of()
    sending = taken_up(plan, run_of(plan))
    assert sending.finished
    assert sending.todo == ()


@pytest.mark.parametrize(
    ("state", "todo"),
    [
        (JobState.PLANNED, ("eng-to-ops",)),
        (JobState.REFUSED, ("eng-to-ops",)),
        (JobState.NOT_ATTEMPTED, ("eng-to-ops",)),
        (JobState.UNKNOWN, ()),
        (JobState.PENDING, ()),
        (JobState.IN_PROGRESS, ()),
    ],
)
def test_a_run_with_an_open_job_goes_on_and_sends_only_what_was_not_accepted(
    state: JobState, todo: tuple[str, ...]
) -> None:
    plan = plan_of()
    last = run_of(plan, eng_to_ops=state)
    assert taken_up(plan, last) == Sending(continues=last, todo=todo)


def test_an_error_is_an_end() -> None:
    plan = plan_of()
    assert taken_up(plan, run_of(plan, eng_to_ops=JobState.ERROR)).finished


def test_a_stopped_run_goes_on_only_with_a_reasoned_round() -> None:
    plan = plan_of()
    stopped = replace(
        run_of(plan, eng_to_ops=JobState.NOT_ATTEMPTED),
        stop=(SENT_AT + timedelta(minutes=5), StopRequested(reason="no-go", by="Jo")),
    )
    with pytest.raises(PlanError, match="no-go"):
        taken_up(plan, stopped)
    sending = taken_up(plan, stopped, again=())
    assert sending.round_jobs == sending.todo == ("eng-to-ops",)


def test_a_stopped_run_with_a_job_at_atlassian_is_followed_and_sends_nothing() -> None:
    plan = plan_of()
    stopped = replace(
        run_of(plan, eng_to_ops=JobState.PENDING, ops_to_eng=JobState.PLANNED),
        stop=(SENT_AT + timedelta(minutes=5), StopRequested(reason="no-go", by="Jo")),
    )
    sending = taken_up(plan, stopped)
    assert sending.todo == ()
    assert "no-go" in str(sending.refused)


ONE_OF_TWO_OPEN = {"eng_to_ops": JobState.PLANNED, "ops_to_eng": JobState.UNKNOWN}

SELECTIONS: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "without options what is planned is sent": ({}, ("eng-to-ops",), ()),
    "--only names what is sent": ({"only": ("eng-to-ops",)}, ("eng-to-ops",), ()),
    "--only of a job with an unknown outcome sends nothing and leaves the rest": (
        {"only": ("ops-to-eng",)},
        (),
        ("eng-to-ops",),
    ),
    "a word given beforehand sends unknown outcomes again": (
        {"on_unknown": "resubmit"},
        ("eng-to-ops", "ops-to-eng"),
        (),
    ),
    "--only holds a word given beforehand": (
        {"on_unknown": "resubmit", "only": ("ops-to-eng",)},
        ("ops-to-eng",),
        ("eng-to-ops",),
    ),
    "--again sends its round and leaves the rest": (
        {"again": ("ops-to-eng",)},
        ("ops-to-eng",),
        ("eng-to-ops",),
    ),
}


@pytest.mark.parametrize(
    ("options", "todo", "not_selected"), SELECTIONS.values(), ids=SELECTIONS.keys()
)
def test_the_options_choose(
    options: dict[str, Any], todo: tuple[str, ...], not_selected: tuple[str, ...]
) -> None:
    plan = plan_of()
    sending = taken_up(plan, run_of(plan, **ONE_OF_TWO_OPEN), **options)
    assert (sending.todo, sending.not_selected) == (todo, not_selected)


UNREADY = {
    "before the cutover": ({"now": CUTOVER - timedelta(hours=1)}, "before the cutover"),
    "without the approval that the plan requires": ({"approved": False}, "needs an approval"),
}


@pytest.mark.parametrize(("given", "words"), UNREADY.values(), ids=UNREADY.keys())
def test_a_plan_that_is_not_ready_is_refused_but_what_is_out_is_followed(
    given: dict[str, Any], words: str
) -> None:
    plan = plan_of(plan_text(("eng", "ops"), head="requireApproval: true"))
    with pytest.raises(PlanError, match=words):
        taken_up(plan, None, **given)
    with pytest.raises(PlanError, match=words):
        taken_up(plan, run_of(plan, eng_to_ops=JobState.PLANNED), **given)
    last = run_of(plan, eng_to_ops=JobState.PLANNED, ops_to_eng=JobState.PENDING)
    sending = taken_up(plan, last, **given)
    assert sending.todo == ()
    assert words in str(sending.refused)


def test_a_rehearsal_needs_no_approval_and_early_needs_no_cutover() -> None:
    plan = plan_of(plan_text(("eng", "ops"), head="requireApproval: true"))
    assert taken_up(plan, None, approved=False, rehearsal=True).todo == BOTH
    early = CUTOVER - timedelta(hours=1)
    assert taken_up(plan, None, now=early, early=True).todo == BOTH


def test_practice_and_the_real_evening_never_go_on_with_each_others_runs() -> None:
    real = run_of(plan_of())
    practised = replace(
        real, id="r2", started=replace(real.started, endpoint="http://127.0.0.1:8080")
    )
    assert last_run((real, practised), "contoso-split", stand_in=False) == real
    assert last_run((real, practised), "contoso-split", stand_in=True) == practised
    assert last_run((real,), "another", stand_in=False) is None


REFUSED_CHANGES = {
    "another migratedFrom": ("migratedFrom: https://jira.", "migratedFrom: https://other."),
    "another product": ("    productURL", "    product: confluence\n    productURL"),
    "a backup": ("    productURL", "    createBackup: true\n    productURL"),
    "strings for booleans": ("sites:", "booleans: string\nsites:"),
}


@pytest.mark.parametrize(("before", "after"), REFUSED_CHANGES.values(), ids=REFUSED_CHANGES.keys())
def test_a_change_of_a_submitted_request_is_refused(before: str, after: str) -> None:
    plan = plan_of()
    changed = plan_of(plan_text(("eng", "ops")).replace(before, after))
    with pytest.raises(PlanError, match="was"):
        taken_up(changed, run_of(plan))


@pytest.mark.parametrize(("before", "after"), REFUSED_CHANGES.values(), ids=REFUSED_CHANGES.keys())
def test_the_same_change_of_jobs_never_sent_is_an_amendment(before: str, after: str) -> None:
    plan = plan_of()
    changed = plan_of(plan_text(("eng", "ops")).replace(before, after))
    fresh = run_of(plan, eng_to_ops=JobState.PLANNED, ops_to_eng=JobState.REFUSED)
    assert taken_up(changed, fresh).difference


def test_a_job_that_is_gone_or_renamed_is_refused_once_submitted() -> None:
    plan = plan_of()
    renamed = plan_of(plan_text(("eng", "ops")).replace("id: eng-to-ops", "id: other"))
    with pytest.raises(PlanError, match="`eng-to-ops` is gone"):
        taken_up(renamed, run_of(plan))


def test_a_site_id_that_was_looked_up_and_is_written_down_later_is_no_change_of_a_request() -> None:
    plan = plan_of()
    last = replace(run_of(plan), site_ids={"https://contoso-eng.atlassian.net": "abc"})
    text = plan_text(("eng", "ops"))
    line = "  - url: https://contoso-eng.atlassian.net\n"
    same = plan_of(text.replace(line, f"{line}    siteId: abc\n"))
    jobs = jobs_of(same)
    assert plan_difference(last, same, jobs, jobs_digest(jobs))
    other = plan_of(text.replace(line, f"{line}    siteId: xyz\n"))
    jobs = jobs_of(other)
    with pytest.raises(PlanError, match="url"):
        plan_difference(last, other, jobs, jobs_digest(jobs))


def test_comments_are_no_change() -> None:
    plan = plan_of()
    commented = plan_of("# a word\n" + plan_text(("eng", "ops")))
    assert taken_up(commented, run_of(plan)).finished


def test_again_names_its_jobs_or_chooses_those_not_served() -> None:
    plan = plan_of()
    assert taken_up(plan, run_of(plan), again=("ops-to-eng",)).round_jobs == ("ops-to-eng",)
    with pytest.raises(UsageError, match="no direction"):
        taken_up(plan, run_of(plan), again=())
    with pytest.raises(UsageError, match="no such job"):
        taken_up(plan, run_of(plan), again=("nope",))
    with pytest.raises(UsageError, match="still pending"):
        taken_up(plan, run_of(plan, eng_to_ops=JobState.PENDING), again=("eng-to-ops",))
    with pytest.raises(UsageError, match="needs an earlier run"):
        taken_up(plan, None, again=())


def test_only_what_was_or_may_have_been_accepted_has_served_a_window() -> None:
    view = run_of(plan_of()).jobs[0]

    def sent(outcome: str) -> int:
        one = Submission(number=1, at=SENT_AT, request={}, outcome=outcome)
        return len(served_at(replace(view, sent=(one,))))

    assert {name: sent(name) for name in ("accepted", "unknown", "refused", "not_sent")} == {
        "accepted": 1,
        "unknown": 1,
        "refused": 0,
        "not_sent": 0,
    }
    word = JobResolved(resolution="accepted", uuid="u", by="Jo", note="")
    elsewhere = replace(view, sent=(), resolutions=((SENT_AT, word),))
    assert served_at(elsewhere) == (datetime(2026, 11, 22, 19, 5, tzinfo=UTC),)


def test_every_example_begins() -> None:
    for path in sorted(Path("plans").glob("*.yaml")):
        plan = load_plan_bytes(path.read_bytes(), str(path)).plan
        assert plan is not None
        sending = taken_up(plan, None, now=plan.cutover or NOW)
        assert sending.todo == tuple(job.id for job in jobs_of(plan))

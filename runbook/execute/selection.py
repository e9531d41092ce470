"""What one process may send: a checked plan, the last run of it and the options in, one answer out.

Pure: no clock, no ledger, no network. Everything that decides whether a job may be sent before its
own window is looked at (`schedule`) is decided here.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from runbook.checks.checked_plan import CheckedPlan
from runbook.clock import to_the_second
from runbook.errors import PlanError, UsageError
from runbook.jobs import SITE_ID_PLACEHOLDER, CmaJob
from runbook.plan.model import Plan
from runbook.text import moment, span
from runbook.view import AT_ATLASSIAN, SENDABLE, JobState, JobView, RunView, served_at

OnUnknown = Literal["ask", "stop", "resubmit"]

DIFFERENCE_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """What the operator says about which jobs are sent.

    `again` is None, or the ids of `--again` (empty: the directions with a pair of waves that no
    submission has served). A rehearsal has a ledger of its own and needs no approval.
    """

    only: tuple[str, ...] = ()
    early: bool = False
    again: tuple[str, ...] | None = None
    on_unknown: OnUnknown = "ask"
    rehearsal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a process takes up.

    `continues` is the run to go on with, None where a new one begins; `difference` says what changed
    in the plan since; `round_jobs` are reopened by `--again`. `todo` are the ids that may be sent,
    in plan order, `not_selected` those left alone on request. `refused` is why nothing may be sent
    although jobs are still to be followed. `finished`: every job has ended and none is new.
    """

    continues: RunView | None
    difference: tuple[str, ...] = ()
    round_jobs: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()
    not_selected: tuple[str, ...] = ()
    refused: PlanError | None = None
    finished: bool = False


def what_to_send(
    checked: CheckedPlan,
    last: RunView | None,
    options: SendOptions,
    *,
    approved: bool,
    now: datetime,
) -> Sending:
    """Return what a process takes up; `last` is the last run of the plan (see `last_run`).

    Raises:
        PlanError: the plan may not run, is too early, not approved, was stopped, or a submitted job
            changed, and nothing is left to follow.
        UsageError: an option names a job that is not there, or a round with nothing to send.
    """
    _refuse_unknown_ids(checked, "--only", options.only)
    if last is None:
        if options.again is not None:
            raise UsageError(
                f"`--again` needs an earlier run, and the ledger knows none of `{checked.plan.name}`",
                hint="leave `--again` out: the first run sends every job",
            )
        refuse_unready(checked, options, approved=approved, now=now)
        return _selected(checked, Sending(continues=None), options)
    if last.stop is not None and options.again is None:
        at, stop = last.stop
        stopped = PlanError(
            f"run `{last.id}` was {stop.sentence()} (at {to_the_second(at)})",
            hint='only `runbook run … --again --reason "why it goes on"` opens the next round',
        )
        if not _still_out(last):
            raise stopped
        return Sending(continues=last, refused=stopped)
    difference = plan_difference(last, checked.plan, checked.jobs, checked.jobs_digest)
    round_jobs = () if options.again is None else _next_round(checked, last, options.again, now)
    if not difference and options.again is None and _finished(checked, last):
        return Sending(continues=last, finished=True)
    sending = Sending(continues=last, difference=difference, round_jobs=round_jobs)
    try:
        refuse_unready(checked, options, approved=approved, now=now)
    except PlanError as problem:
        # What is at Atlassian, or unknown, is so whatever the plan says now: it is looked after.
        if not _still_out(last):
            raise
        return replace(sending, refused=problem)
    return _selected(checked, sending, options)


def last_run(views: Sequence[RunView], plan_name: str, *, stand_in: bool) -> RunView | None:
    """Return the last run of a plan of this name.

    Practice against a stand-in address and the real evening never go on with each other's runs.
    """
    for view in reversed(views):
        same_sort = (view.started.endpoint is not None) == stand_in
        if view.started.plan_name == plan_name and same_sort:
            return view
    return None


def refuse_unready(
    checked: CheckedPlan, options: SendOptions, *, approved: bool, now: datetime
) -> None:
    """Raise `PlanError` where the plan has errors, is too early, or is not approved."""
    checked.refuse_unless_may_run()
    plan = checked.plan
    if plan.cutover is not None and now < plan.cutover and not options.early:
        raise PlanError(
            f"it is {moment(now, plan.zone)}, {span(plan.cutover - now)} before the cutover at {moment(plan.cutover, plan.zone)}",
            hint="wait, correct `cutover`, or say `--early`",
        )
    if plan.require_approval and not approved and not options.rehearsal:
        raise PlanError(
            f"the plan needs an approval of its jobs ({checked.jobs_digest}), and the ledger holds none",
            hint=f"`runbook approve {plan.file} --by NAME` in the same ledger",
        )


def _still_out(last: RunView) -> bool:
    return any(
        job.state in AT_ATLASSIAN or job.needs_person() or job.unprobed() for job in last.jobs
    )


def _finished(checked: CheckedPlan, last: RunView) -> bool:
    known = {job.id for job in last.jobs}
    open_states = SENDABLE | AT_ATLASSIAN | {JobState.UNKNOWN, JobState.SUBMITTING}
    return all(job.id in known for job in checked.jobs) and not any(
        job.state in open_states or job.needs_person() or job.unprobed() for job in last.jobs
    )


def _selected(checked: CheckedPlan, sending: Sending, options: SendOptions) -> Sending:
    """Return it with the ids that may be sent now, and those that `--only` or `--again` leaves alone."""
    last, round_jobs = sending.continues, sending.round_jobs
    views = {} if last is None else {view.id: view for view in last.jobs}
    sendable = [
        job.id
        for job in checked.jobs
        if job.id not in views or job.id in round_jobs or views[job.id].state in SENDABLE
    ]
    left: list[str] = []
    if options.again is not None:
        left = [job_id for job_id in sendable if job_id not in round_jobs]
        sendable = [job_id for job_id in sendable if job_id in round_jobs]
    if options.on_unknown == "resubmit":
        sendable += [
            view.id
            for view in views.values()
            if view.state is JobState.UNKNOWN and not view.settled_by_person
        ]
    if options.only:
        left = [job_id for job_id in sendable if job_id not in options.only]
        sendable = [job_id for job_id in sendable if job_id in options.only]
    return replace(sending, todo=tuple(sendable), not_selected=tuple(left))


def _next_round(
    checked: CheckedPlan, last: RunView, ids: Sequence[str], now: datetime
) -> tuple[str, ...]:
    """Return the jobs of the next round: those named, else those with a servable pair not yet served.

    Raises:
        UsageError: an id is unknown, still under way, or no direction has a pair to serve.
    """
    for job_id in ids:
        _refuse_unknown_ids(checked, "--again", (job_id,))
        view = last.job(job_id)
        if view is not None and view.state in AT_ATLASSIAN:
            raise UsageError(
                f"`--again {job_id}`: its last submission is still {view.state.value} at Atlassian",
                hint="run without `--again` until it has ended",
            )
    if ids:
        return tuple(dict.fromkeys(ids))
    chosen = []
    for job in checked.jobs:
        view = last.job(job.id)
        if view is not None and (view.state in AT_ATLASSIAN or view.needs_person()):
            # What is under way, or waits for a person's word, is chosen by name or not at all.
            continue
        served = served_at(view)
        if any(
            pair.servable(now) and not any(pair.servable(moment) for moment in served)
            for pair in checked.pairs.get(job.id, ())
        ):
            chosen.append(job.id)
    if not chosen:
        raise UsageError(
            "`--again`: no direction has a pair of waves that can be served now and was not served yet",
            hint="name the jobs: `--again ID … --reason TEXT`",
        )
    return tuple(chosen)


def _refuse_unknown_ids(checked: CheckedPlan, option: str, ids: Sequence[str]) -> None:
    known = {job.id for job in checked.jobs}
    for job_id in ids:
        if job_id not in known:
            raise UsageError(
                f"`{option} {job_id}`: the plan has no such job",
                hint=f"its jobs: {', '.join(sorted(known))}",
            )


def plan_difference(
    last: RunView, plan: Plan, jobs: Sequence[CmaJob], digest: str
) -> tuple[str, ...]:
    """Return what changed in the plan since the run's last process, empty where nothing did.

    Raises:
        PlanError: a request that was submitted changed or is gone; the message holds the difference.
    """
    if plan.digest == last.digest and digest == last.jobs_digest:
        return ()
    now = {job.id: job for job in jobs}
    refused: list[str] = []
    allowed: list[str] = []
    for view in last.jobs:
        submitted = view.state not in SENDABLE or bool(served_at(view))
        lines = _changes(view, now.get(view.id), last.site_ids)
        (refused if submitted else allowed).extend(lines)
    if refused:
        listed = "\n  ".join(refused)
        raise PlanError(
            f"the plan is not the one whose jobs were submitted in run `{last.id}`:\n  {listed}",
            hint="put these values back; other parts of the plan may change. A new plan needs a new `name`",
        )
    known = {view.id for view in last.jobs}
    allowed += [f"job `{job.id}` is new" for job in jobs if job.id not in known]
    return (*allowed, *_text_difference(last.plan_text, plan.source.decode("utf-8-sig")))


def _changes(view: JobView, job: CmaJob | None, site_ids: Mapping[str, str]) -> list[str]:
    if job is None:
        return [f"job `{view.id}` is gone"]
    before, after = _requested(view.job, site_ids), _requested(job, site_ids)
    return [
        f"job `{view.id}`: `{name}` was {before.get(name)!r}, is {after.get(name)!r}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _requested(job: CmaJob, site_ids: Mapping[str, str]) -> dict[str, Any]:
    url = job.url.replace(SITE_ID_PLACEHOLDER, site_ids.get(job.site, SITE_ID_PLACEHOLDER))
    return {"method": job.method, "url": url, **job.body}


def _text_difference(before: str, after: str) -> tuple[str, ...]:
    lines = [
        line
        for line in difflib.unified_diff(
            before.lstrip("\ufeff").splitlines(), after.splitlines(), lineterm="", n=0
        )
        if not line.startswith(("---", "+++", "@@"))
    ]
    shown = lines[:DIFFERENCE_LINES]
    if len(lines) > len(shown):
        shown.append(f"… and {len(lines) - len(shown)} more lines")
    return tuple(shown) or ("the plan's text is the same, but it is read differently",)

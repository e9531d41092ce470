"""How a new process takes up a plan: begin, go on, go on with an amended plan, or say why not.

Pure: the plan's jobs and the runs that the ledger knows go in, one decision comes out.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook.clock import to_the_second
from runbook.errors import PlanError, UsageError
from runbook.jobs import SITE_ID_PLACEHOLDER, CmaJob
from runbook.plan.model import Plan
from runbook.view import AT_ATLASSIAN, SENDABLE, JobState, JobView, RunView, served_at
from runbook.windows import Pair

DIFFERENCE_LINES = 200


@dataclass(frozen=True, slots=True)
class Begin:
    """No run of this plan is known: begin one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Go on with `view`; `difference` says what changed in the plan, empty where nothing did."""

    view: RunView
    difference: tuple[str, ...]
    round_jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToDo:
    """Every job has ended and none is new."""

    view: RunView


Decision = Begin | GoOn | NothingToDo


def last_run(views: Sequence[RunView], plan_name: str, *, stand_in: bool) -> RunView | None:
    """Return the last run of a plan of this name.

    Practice against a stand-in address and the real evening never go on with each other's runs.
    """
    mine = [
        view
        for view in views
        if view.started.plan_name == plan_name and (view.started.endpoint is not None) == stand_in
    ]
    return mine[-1] if mine else None


def decide(
    plan: Plan,
    jobs: Sequence[CmaJob],
    digest: str,
    last: RunView | None,
    *,
    again: Sequence[str] | None,
    pairs: Mapping[str, tuple[Pair, ...]],
    now: datetime,
) -> Decision:
    """Return how to take up the plan; `again` is None, or the ids of `--again` (empty: choose).

    `digest` is the plan's `jobs_digest`; `pairs` are the finished windows of each job.

    Raises:
        PlanError: the run was stopped, or a submitted job changed.
        UsageError: `--again` without an earlier run, with unknown ids, or with nothing to send.
    """
    if last is None:
        if again is not None:
            raise UsageError(
                f"`--again` needs an earlier run, and the ledger knows none of `{plan.name}`",
                hint="leave `--again` out: the first run sends every job",
            )
        return Begin()
    if again is None:
        refuse_stopped(last)
    difference = difference_of(last, plan, jobs, digest)
    if again is not None:
        chosen = round_of(last, jobs, again, pairs, now)
        return GoOn(view=last, difference=difference, round_jobs=chosen)
    new = {job.id for job in jobs} - {view.id for view in last.jobs}
    open_jobs = [
        view
        for view in last.jobs
        if view.state in SENDABLE
        or view.state in AT_ATLASSIAN
        or view.state in (JobState.UNKNOWN, JobState.SUBMITTING)
        or view.needs_person()
        or view.unprobed()
    ]
    if not new and not open_jobs and not difference:
        return NothingToDo(view=last)
    return GoOn(view=last, difference=difference)


def refuse_stopped(last: RunView) -> None:
    """Raise `PlanError` where a person has stopped the run."""
    if last.stop is None:
        return
    at, stop = last.stop
    raise PlanError(
        f"run `{last.id}` was {stop.sentence()} (at {to_the_second(at)})",
        hint='only `runbook run … --again --reason "why it goes on"` opens the next round',
    )


def difference_of(
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


def round_of(
    last: RunView,
    jobs: Sequence[CmaJob],
    ids: Sequence[str],
    pairs: Mapping[str, tuple[Pair, ...]],
    now: datetime,
) -> tuple[str, ...]:
    """Return the jobs of the next round: those named, else those with a servable pair not yet served.

    Raises:
        UsageError: an id is unknown, still under way, or no direction has a pair to serve.
    """
    known = {job.id for job in jobs}
    for job_id in ids:
        if job_id not in known:
            raise UsageError(
                f"`--again {job_id}`: the plan has no such job",
                hint=f"its jobs: {', '.join(sorted(known))}",
            )
        view = last.job(job_id)
        if view is not None and view.state in AT_ATLASSIAN:
            raise UsageError(
                f"`--again {job_id}`: its last submission is still {view.state.value} at Atlassian",
                hint="run without `--again` until it has ended",
            )
    if ids:
        return tuple(dict.fromkeys(ids))
    chosen = []
    for job in jobs:
        view = last.job(job.id)
        if view is not None and (view.state in AT_ATLASSIAN or view.needs_person()):
            # What is under way, or waits for a person's word, is chosen by name or not at all.
            continue
        moments = served_at(view)
        if any(
            pair.servable(now) and not any(pair.servable(moment) for moment in moments)
            for pair in pairs.get(job.id, ())
        ):
            chosen.append(job.id)
    if not chosen:
        raise UsageError(
            "`--again`: no direction has a pair of waves that can be served now and was not served yet",
            hint="name the jobs: `--again ID … --reason TEXT`",
        )
    return tuple(chosen)

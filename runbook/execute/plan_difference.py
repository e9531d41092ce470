"""What changed in a plan since the last process of its run, and whether that is allowed."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from runbook.errors import PlanError
from runbook.jobs import SITE_ID_PLACEHOLDER, CmaJob
from runbook.plan.model import Plan
from runbook.view import SENDABLE, JobView, RunView, served_at

DIFFERENCE_LINES = 200


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

"""Decide what a site does next. Pure: what is known of all jobs goes in, one step comes out.

One job at a time per site that holds the links, in the order of the preview; different sites in
parallel. A job that may not be sent is held with the reason, so that nothing is left unsaid.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from runbook.ledger.events.kinds import WhyNotAttempted
from runbook.view import AT_ATLASSIAN, JobState, JobView

Action = Literal["follow", "look", "submit", "hold", "wait", "finish"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a site does next, and with which job.

    `follow` polls the job until it ends, `look` looks for the links of a complete one, `submit` sends
    it. `hold` does not send it: `why` (read for `hold` alone) is the short reason, `detail` a sentence. `wait` lets
    the job `detail` of another site end first, and `finish` means that nothing is left to do.
    """

    action: Action
    job: str = ""
    why: WhyNotAttempted = "stopped"
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Brakes:
    """What keeps jobs from being sent; each maps to a sentence for the report.

    `stopped` holds everything, `accounts` those of a credential profile, `sites` those of a site
    (`why` is `account` or `probe`).
    """

    stopped: str | None = None
    accounts: dict[str, str] = field(default_factory=dict)
    sites: dict[str, tuple[WhyNotAttempted, str]] = field(default_factory=dict)


def next_step(
    site: str, jobs: Mapping[str, JobView], todo: Collection[str], brakes: Brakes
) -> Step:
    """Return the next step of a site.

    `jobs` are all jobs in their order, `todo` the ids that this process may still send.
    """
    mine = [job for job in jobs.values() if job.job.site == site]
    for job in mine:
        if _followable(job, brakes):
            return Step("follow", job.id)
    for job in mine:
        if job.unprobed():
            return Step("look", job.id)
    for job in mine:
        if job.id in todo:
            return _step_of(job, jobs, todo, brakes)
    return Step("finish")


def _step_of(
    job: JobView, jobs: Mapping[str, JobView], todo: Collection[str], brakes: Brakes
) -> Step:
    if brakes.stopped is not None:
        return Step("hold", job.id, "stopped", brakes.stopped)
    if job.job.account in brakes.accounts:
        return Step("hold", job.id, "account", brakes.accounts[job.job.account])
    if job.job.site in brakes.sites:
        return Step("hold", job.id, *brakes.sites[job.job.site])
    for need_id in job.job.needs:
        need = jobs[need_id]
        if need.state is JobState.COMPLETE and not need.unprobed() and not need.needs_person():
            continue
        if _may_still_complete(need, todo, brakes):
            return Step("wait", job.id, detail=need_id)
        return Step("hold", job.id, "need", f"it needs `{need_id}`, which is {_said(need)}")
    return Step("submit", job.id)


def _followable(job: JobView, brakes: Brakes) -> bool:
    if job.state not in AT_ATLASSIAN or job.uuid is None:
        return False
    return job.job.account not in brakes.accounts


def _may_still_complete(need: JobView, todo: Collection[str], brakes: Brakes) -> bool:
    """Return whether this process will see the needed job end."""
    if need.state is JobState.SUBMITTING or need.id in todo or need.unprobed():
        return True
    return _followable(need, brakes)


def _said(need: JobView) -> str:
    if need.state is JobState.COMPLETE:
        return "complete, but its probe link did not arrive"
    if need.why == "not_selected":
        return "not selected"
    if need.state in AT_ATLASSIAN:
        return (
            f"{need.state.value.replace('_', ' ')} and cannot be followed: its account is refused"
        )
    return need.state.value.replace("_", " ")

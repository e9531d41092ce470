"""Decide what a site does next. Pure: what is known of all jobs goes in, one step comes out.

One job at a time per site that holds the links, in the order of the preview; different sites in
parallel. A job that may not be sent is held with the reason, so that nothing is left unsaid.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from runbook.view import AT_ATLASSIAN, JobState, JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Poll this job until it ends."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAfter:
    """Look for the links of this complete job that were not looked for yet."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Send this job."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Do not send this job; `why` is the reason's short name."""

    job: str
    why: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """A job of another site has to end first."""

    job: str
    need: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing is left to do for this site."""


Step = Follow | LookAfter | Submit | Hold | WaitFor | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Brakes:
    """What keeps jobs from being sent; each maps to a sentence for the report.

    `stopped` holds everything, `accounts` those of a credential profile, `sites` those of a site
    (`why` is `account` or `probe`).
    """

    stopped: str | None = None
    accounts: Mapping[str, str]
    sites: Mapping[str, tuple[str, str]]


def next_step(
    site: str, jobs: Mapping[str, JobView], todo: Collection[str], brakes: Brakes
) -> Step:
    """Return the next step of a site.

    `jobs` are all jobs in their order, `todo` the ids that this process may still send.
    """
    mine = [job for job in jobs.values() if job.job.site == site]
    for job in mine:
        if _followable(job, brakes):
            return Follow(job=job.id)
    for job in mine:
        if job.unprobed():
            return LookAfter(job=job.id)
    for job in mine:
        if job.id in todo:
            return _step_of(job, jobs, todo, brakes)
    return Finished()


def _step_of(
    job: JobView, jobs: Mapping[str, JobView], todo: Collection[str], brakes: Brakes
) -> Step:
    if brakes.stopped is not None:
        return Hold(job=job.id, why="stopped", detail=brakes.stopped)
    if job.job.account in brakes.accounts:
        return Hold(job=job.id, why="account", detail=brakes.accounts[job.job.account])
    if job.job.site in brakes.sites:
        why, detail = brakes.sites[job.job.site]
        return Hold(job=job.id, why=why, detail=detail)
    for need_id in job.job.needs:
        need = jobs[need_id]
        if need.state is JobState.COMPLETE and not need.unprobed() and not need.needs_person():
            continue
        if _may_still_complete(need, todo, brakes):
            return WaitFor(job=job.id, need=need_id)
        return Hold(job=job.id, why="need", detail=f"it needs `{need_id}`, which is {_said(need)}")
    return Submit(job=job.id)


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

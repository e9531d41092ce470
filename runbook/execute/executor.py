"""The only loop: carry out what the pure decisions say, one worker per site that holds links.

What is decided lives in `schedule`, `submit_rules` and `poller`; what is known, in `session`. The
loop ends when nothing is left to do, and a ledger that cannot be written ends it at once.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.errors import ExitCode, LedgerError, foremost
from runbook.execute.poller import Poller
from runbook.execute.ports import Interrupts, Pace, Ports
from runbook.execute.schedule import Step, next_step
from runbook.execute.session import Assignment, RunSession
from runbook.execute.submitter import Submitter
from runbook.ledger.events import JobNotAttempted, RunEnded
from runbook.view import AT_ATLASSIAN, JobState, JobView, RunState, count_states, settled_state

HEARTBEAT_S = 15.0
NEWS_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process left a run."""

    state: RunState
    counts: dict[str, int]
    exit_code: ExitCode
    detail: str


async def execute(
    assignment: Assignment, ports: Ports, pace: Pace, interrupts: Interrupts
) -> Ending:
    """Send, follow and write down until nothing is left to do, and return how it ended.

    Raises:
        LedgerError: the ledger cannot be written, or another process leads it now.
    """
    session = RunSession(assignment, ports, interrupts)
    for job_id in assignment.not_selected:
        session.record(
            JobNotAttempted(why="not_selected", detail="not selected for this process"), job_id
        )
    submitter, poller = Submitter(session, pace), Poller(session, pace)
    submitter.resubmit_unknown()
    sites = tuple(dict.fromkeys(job.job.site for job in session.jobs.values()))
    with _its_own_error():
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(_work(site, sites, session, submitter, poller)) for site in sites
            ]
            aides = (
                group.create_task(_watch(session)),
                group.create_task(_cancel_at_second(interrupts, workers)),
            )
            await asyncio.wait(workers)
            for aide in aides:
                aide.cancel()
    return _end(session)


async def _work(
    site: str, sites: tuple[str, ...], session: RunSession, submitter: Submitter, poller: Poller
) -> None:
    """Do what a site has to do until no site has anything to do any more."""
    try:
        while not session.leaving:
            session.poll_ledger()
            step = next_step(site, session.jobs, session.todo, session.brakes)
            if step.action == "finish":
                if not await _rested(site, sites, session):
                    return
            else:
                await _carry_out(step, session, submitter, poller)
    finally:
        session.resting.add(site)
        session.notify()


async def _rested(site: str, sites: tuple[str, ...], session: RunSession) -> bool:
    """Wait for something to change; return False when every site rests, so that nothing can."""
    session.resting.add(site)
    if session.resting.issuperset(sites):
        session.notify()
        return False
    await session.wait_for_change()
    if session.resting.issuperset(sites):
        return False
    session.resting.discard(site)
    return True


async def _carry_out(step: Step, session: RunSession, submitter: Submitter, poller: Poller) -> None:
    match step.action:
        case "follow":
            await poller.follow(step.job)
        case "look":
            await session.probe(step.job, "after")
            session.notify()
        case "submit":
            await submitter.submit(step.job)
        case "hold":
            session.hold(step.job, step.why, step.detail)
            session.notify()
        case "wait":
            session.report_wait(step.job, 0, f"for `{step.detail}`")
            await session.wait_for_change()


async def _watch(session: RunSession) -> None:
    """Keep the lease, and notice what other terminals write."""
    beat_s = session.clock.monotonic_s()
    while True:
        await session.clock.sleep(NEWS_S)
        if session.clock.monotonic_s() - beat_s >= HEARTBEAT_S:
            session.ports.ledger.heartbeat()
            beat_s = session.clock.monotonic_s()
        session.poll_ledger()


async def _cancel_at_second(interrupts: Interrupts, workers: list[asyncio.Task[None]]) -> None:
    await interrupts.cancelled()
    for worker in workers:
        worker.cancel()


def _end(session: RunSession) -> Ending:
    jobs = tuple(session.jobs.values())
    state = settled_state(jobs, stopped=session.no_go)
    left = bool(session.todo) or any(job.state in AT_ATLASSIAN or job.unprobed() for job in jobs)
    interrupted = session.interrupts.count > 0 and left
    code = ExitCode.INTERRUPTED if interrupted else foremost(_codes(session))
    if left and code is ExitCode.DONE:
        # A word that came at the very end: nothing is called done that is not.
        code = ExitCode.INTERRUPTED
    detail = "interrupted by the operator" if interrupted else session.unreachable or ""
    ending = Ending(state=state, counts=count_states(jobs), exit_code=code, detail=detail)
    session.record(
        RunEnded(state=state.value, counts=ending.counts, exit_code=int(code), detail=detail)
    )
    return ending


def _codes(session: RunSession) -> Iterator[ExitCode]:
    if session.brakes.accounts:
        yield ExitCode.CREDENTIAL
    for job in session.jobs.values():
        if job.needs_person():
            yield ExitCode.UNKNOWN
        if failed(job):
            yield ExitCode.JOB
    if session.unreachable is not None:
        yield ExitCode.REMOTE


def failed(job: JobView) -> bool:
    """Return whether a job did not come to its end for a reason that is no person's decision."""
    if job.state is JobState.NOT_ATTEMPTED:
        return job.why != "stopped"
    return job.state in (JobState.ERROR, JobState.REFUSED)


@contextlib.contextmanager
def _its_own_error() -> Iterator[None]:
    """Raise the ledger's error that ended a task group as itself."""
    try:
        yield
    except* LedgerError as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None

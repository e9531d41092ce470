"""The only loop: carry out what the pure decisions say, one worker per site that holds links.

What is decided lives in `schedule`, `submit` and `poll`; what is known, in `books`. The loop ends
when nothing is left to do, and a ledger that cannot be written ends it at once.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.errors import ExitCode, LedgerError, foremost
from runbook.execute.books import Assignment, Books
from runbook.execute.follower import Follower
from runbook.execute.interrupts import Interrupts
from runbook.execute.ports import Pace, Ports
from runbook.execute.probing import probe
from runbook.execute.schedule import (
    Finished,
    Follow,
    Hold,
    LookAfter,
    Step,
    Submit,
    WaitFor,
    next_step,
)
from runbook.execute.submitter import Submitter
from runbook.ledger.events import JobNotAttempted, RunEnded
from runbook.view import (
    AT_ATLASSIAN,
    JobState,
    JobView,
    RunState,
    count_states,
    settled_state,
)

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
    books = Books(assignment, ports, interrupts)
    for job_id in assignment.not_selected:
        books.record(
            JobNotAttempted(why="not_selected", detail="not selected for this process"), job_id
        )
    submitter, follower = Submitter(books, pace), Follower(books, pace)
    submitter.resubmit_unknown()
    sites = tuple(dict.fromkeys(job.job.site for job in books.jobs.values()))
    with _its_own_error():
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(_work(site, sites, books, submitter, follower)) for site in sites
            ]
            aides = (
                group.create_task(_watch(books)),
                group.create_task(_cancel_at_second(interrupts, workers)),
            )
            await asyncio.wait(workers)
            for aide in aides:
                aide.cancel()
    return _end(books)


async def _work(
    site: str, sites: tuple[str, ...], books: Books, submitter: Submitter, follower: Follower
) -> None:
    """Do what a site has to do until no site has anything to do any more."""
    try:
        while not books.leaving:
            books.take_news()
            step = next_step(site, books.jobs, books.todo, books.brakes())
            if isinstance(step, Finished):
                if not await _rested(site, sites, books):
                    return
            else:
                await _carry_out(step, books, submitter, follower)
    finally:
        books.resting.add(site)
        books.tell()


async def _rested(site: str, sites: tuple[str, ...], books: Books) -> bool:
    """Wait for something to change; return False when every site rests, so that nothing can."""
    books.resting.add(site)
    if books.resting.issuperset(sites):
        books.tell()
        return False
    await books.until_told()
    if books.resting.issuperset(sites):
        return False
    books.resting.discard(site)
    return True


async def _carry_out(step: Step, books: Books, submitter: Submitter, follower: Follower) -> None:
    match step:
        case Follow(job=job_id):
            await follower.follow(job_id)
        case LookAfter(job=job_id):
            await probe(books, job_id, "after")
            books.tell()
        case Submit(job=job_id):
            await submitter.submit(job_id)
        case Hold(job=job_id, why=why, detail=detail):
            books.hold(job_id, why, detail)
            books.tell()
        case WaitFor(job=job_id, need=need):
            books.says_waiting(job_id, 0, f"for `{need}`")
            await books.until_told()
        case Finished():
            pass


async def _watch(books: Books) -> None:
    """Keep the lease, and notice what other terminals write."""
    beat_s = books.clock.monotonic_s()
    while True:
        await books.clock.sleep(NEWS_S)
        if books.clock.monotonic_s() - beat_s >= HEARTBEAT_S:
            books.ports.recorder.heartbeat()
            beat_s = books.clock.monotonic_s()
        books.take_news()


async def _cancel_at_second(interrupts: Interrupts, workers: list[asyncio.Task[None]]) -> None:
    await interrupts.cancelled()
    for worker in workers:
        worker.cancel()


def _end(books: Books) -> Ending:
    jobs = tuple(books.jobs.values())
    state = settled_state(jobs, stopped=books.no_go)
    left = bool(books.todo) or any(job.state in AT_ATLASSIAN or job.unprobed() for job in jobs)
    interrupted = books.interrupts.count > 0 and left
    code = ExitCode.INTERRUPTED if interrupted else foremost(_codes(books))
    if left and code is ExitCode.DONE:
        # A word that came at the very end: nothing is called done that is not.
        code = ExitCode.INTERRUPTED
    detail = "interrupted by the operator" if interrupted else books.unreachable or ""
    ending = Ending(state=state, counts=count_states(jobs), exit_code=code, detail=detail)
    books.record(
        RunEnded(state=state.value, counts=ending.counts, exit_code=int(code), detail=detail)
    )
    return ending


def _codes(books: Books) -> Iterator[ExitCode]:
    if books.accounts:
        yield ExitCode.CREDENTIAL
    for job in books.jobs.values():
        if job.needs_person():
            yield ExitCode.UNKNOWN
        if failed(job):
            yield ExitCode.JOB
    if books.unreachable is not None:
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
        raise _leaf(group) from None


def _leaf(group: BaseExceptionGroup[LedgerError]) -> LedgerError:
    first = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first

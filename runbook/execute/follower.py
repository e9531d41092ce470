"""Poll one job until it ends, however long that takes and whatever the answers look like."""

from datetime import datetime

from runbook.clock import isoformat_utc, parse_utc
from runbook.execute.books import Books
from runbook.execute.poll import Reading, next_interval_s, reading_of, stall_advice, stalled
from runbook.execute.ports import Pace
from runbook.execute.requests import status_request
from runbook.http import exchange_of
from runbook.ledger.events import JobPolled, JobStalled
from runbook.view import AT_ATLASSIAN, JobState


class Follower:
    """Follows the jobs of one run that Atlassian has accepted."""

    def __init__(self, books: Books, pace: Pace) -> None:
        self._books = books
        self._clock = books.clock
        self._pace = pace

    async def follow(self, job_id: str) -> None:
        """Return when the job has ended, or the operator, the account or the network ends it here.

        Whoever waits for it is told.

        A network that does not come back within `connect_retry_s` is given up; the job goes on at
        Atlassian whatever happens here.
        """
        try:
            await self._until_ended(job_id)
        finally:
            self._books.tell()

    async def _until_ended(self, job_id: str) -> None:
        books = self._books
        view = books.jobs[job_id]
        interval_s: float | None = None
        failing_since_s: float | None = None
        if view.state is JobState.PENDING and view.last_status is None:
            interval_s = next_interval_s(None, self._pace.poll_interval_s, changed=False)
            await books.pause(job_id, interval_s, "for its status")
        while books.jobs[job_id].state in AT_ATLASSIAN and not books.interrupts.draining:
            before = books.jobs[job_id].state
            reading = await self._look(job_id)
            if reading.refused:
                account = view.job.account
                books.accounts[account] = f"account `{account}` was refused: {reading.warning}"
                return
            now_s = self._clock.monotonic_s()
            if not reading.failing:
                failing_since_s = None
            elif failing_since_s is None:
                failing_since_s = now_s
            elif now_s - failing_since_s > self._pace.connect_retry_s:
                books.unreachable = reading.warning
                return
            if books.jobs[job_id].state not in AT_ATLASSIAN:
                break
            changed = books.jobs[job_id].state is not before
            self._say_stalled(job_id)
            interval_s = next_interval_s(interval_s, self._pace.poll_interval_s, changed=changed)
            await books.pause(job_id, max(interval_s, reading.wait_s or 0.0), "for its status")

    async def _look(self, job_id: str) -> Reading:
        books = self._books
        request = status_request(books.jobs[job_id], books.assignment.site_ids)
        outcome = await books.ports.send(request)
        reading = reading_of(outcome, self._clock.now())
        books.record(
            JobPolled(
                state=None if reading.state is None else reading.state.value,
                word=reading.word,
                warning=reading.warning,
                exchange=exchange_of(request, outcome),
            ),
            job_id,
        )
        return reading

    def _say_stalled(self, job_id: str) -> None:
        view = self._books.jobs[job_id]
        since: datetime = parse_utc(view.transitions[-1][0])
        if view.stalled_since is None and stalled(view.state, since, self._clock.now()):
            self._books.record(
                JobStalled(since=isoformat_utc(since), advice=stall_advice(view.state)), job_id
            )

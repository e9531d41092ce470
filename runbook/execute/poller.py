"""Poll one job until it ends, however long that takes and whatever the answers look like."""

from runbook.clock import isoformat_utc
from runbook.execute.poll_rules import (
    Reading,
    next_interval_s,
    reading_of,
    stall_advice,
    stalled,
    status_request,
)
from runbook.execute.ports import Pace
from runbook.execute.session import RunSession
from runbook.http import exchange_of
from runbook.ledger.events import JobPolled, JobStalled
from runbook.view import AT_ATLASSIAN, JobState


class Poller:
    """Follows the jobs of one run that Atlassian has accepted."""

    def __init__(self, session: RunSession, pace: Pace) -> None:
        self._session = session
        self._clock = session.clock
        self._pace = pace

    async def follow(self, job_id: str) -> None:
        """Return when the job has ended, or the operator, the account or the network ends it here.

        Whoever waits for it is notified. A network that does not come back within `connect_retry_s` is given up; the job goes on at
        Atlassian whatever happens here.
        """
        try:
            await self._until_ended(job_id)
        finally:
            self._session.notify()

    async def _until_ended(self, job_id: str) -> None:
        session = self._session
        view = session.jobs[job_id]
        interval_s: float | None = None
        failing_since_s: float | None = None
        if view.state is JobState.PENDING and view.last_status is None:
            interval_s = next_interval_s(None, self._pace.poll_interval_s, changed=False)
            await session.pause(job_id, interval_s, "for its status")
        while session.jobs[job_id].state in AT_ATLASSIAN and not session.interrupts.draining:
            before = session.jobs[job_id].state
            reading = await self._look(job_id)
            if reading.refused:
                account = view.job.account
                session.accounts[account] = f"account `{account}` was refused: {reading.warning}"
                return
            now_s = self._clock.monotonic_s()
            if not reading.failing:
                failing_since_s = None
            elif failing_since_s is None:
                failing_since_s = now_s
            elif now_s - failing_since_s > self._pace.connect_retry_s:
                session.unreachable = reading.warning
                return
            if session.jobs[job_id].state not in AT_ATLASSIAN:
                break
            changed = session.jobs[job_id].state is not before
            self._say_stalled(job_id)
            interval_s = next_interval_s(interval_s, self._pace.poll_interval_s, changed=changed)
            await session.pause(job_id, max(interval_s, reading.wait_s or 0.0), "for its status")

    async def _look(self, job_id: str) -> Reading:
        session = self._session
        request = status_request(session.jobs[job_id], session.assignment.site_ids)
        outcome = await session.ports.send(request)
        reading = reading_of(outcome, self._clock.now())
        session.record(
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
        view = self._session.jobs[job_id]
        since = view.transitions[-1][0]
        if view.stalled_since is None and stalled(view.state, since, self._clock.now()):
            self._session.record(
                JobStalled(since=isoformat_utc(since), advice=stall_advice(view.state)), job_id
            )

"""Send one job, at most once unless a person says otherwise: intent on disk, request, answer on disk."""

import asyncio
from datetime import timedelta

from runbook.atlassian.retry import backoff_s
from runbook.errors import LedgerError
from runbook.execute.ports import Pace
from runbook.execute.schedule import Step, next_step
from runbook.execute.session import RunSession
from runbook.execute.submit_rules import (
    Accepted,
    Limited,
    Refused,
    SubmitResult,
    Uncertain,
    request_of,
    result_of,
)
from runbook.http import Answer, NotSent, Outcome, Request, exchange_of
from runbook.ledger.codec import Event
from runbook.ledger.events import (
    JobResolved,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
)
from runbook.ledger.events.kinds import AnswerMeaning
from runbook.view import JobView

NOT_SENT_FIRST_S = 2.0
NOT_SENT_LAST_S = 60.0
LIMITED_FIRST_S = 5.0
LIMITED_LAST_S = 120.0
LEAST_WAIT_S = 1.0
# A word given beforehand is worth one more submission, not an endless row of them.
RESUBMISSIONS = 1


class Submitter:
    """Sends the jobs of one run at the pace of one process."""

    def __init__(self, session: RunSession, pace: Pace) -> None:
        self._session = session
        self._clock = session.clock
        self._pace = pace
        self._gate = asyncio.Lock()
        self._next_submission_s = self._interval_of_before()
        self._refusals: dict[str, int] = {}
        self._resubmissions: dict[str, int] = {}

    def resubmit_unknown(self) -> None:
        """Act on the word given beforehand for the unknown outcomes of earlier processes."""
        for job_id in self._session.assignment.resubmit:
            # What cannot be sent now stays what it is: unknown.
            if not self._session.brakes.stopped and self._servable(job_id, 0):
                self._resubmit(job_id)
                self._session.todo.add(job_id)

    async def submit(self, job_id: str) -> None:
        """Send a job until its outcome is settled or cannot be known, or it may not be sent now."""
        session = self._session
        attempt = 0
        unsent_since_s: float | None = None
        if await self._turn(job_id):
            # Looking may take its time, so that the turn is waited for again after it.
            await session.probe(job_id, "before")
        while await self._turn(job_id) and self._may_send(job_id):
            result = await self._attempt(job_id)
            attempt += 1
            session.notify()
            match result:
                case Limited(wait_s=told_s):
                    unsent_since_s = None
                    wait_s = told_s or self._backoff_s(attempt, LIMITED_FIRST_S, LIMITED_LAST_S)
                    if not self._servable(job_id, wait_s):
                        detail = f"rate limited for {wait_s:.0f} s, until after its window"
                        session.hold(job_id, "window", detail)
                        return
                    await session.pause(
                        job_id, max(LEAST_WAIT_S, wait_s), "for the rate limit", until_stop=True
                    )
                case NotSent(reason=reason):
                    # Time is counted from the first failure of a row, which any answer breaks.
                    now_s = self._clock.monotonic_s()
                    unsent_since_s = now_s if unsent_since_s is None else unsent_since_s
                    wait_s = self._backoff_s(attempt, NOT_SENT_FIRST_S, NOT_SENT_LAST_S)
                    if now_s + wait_s - unsent_since_s > self._pace.connect_retry_s:
                        session.unreachable = reason
                        session.notify()
                        return
                    await session.pause(job_id, wait_s, "to connect again", until_stop=True)
                case Uncertain() if self._may_resubmit(job_id):
                    self._resubmit(job_id)
                case _:
                    session.todo.discard(job_id)
                    return

    async def _attempt(self, job_id: str) -> SubmitResult:
        session = self._session
        view = session.jobs[job_id]
        request = request_of(view.job, session.assignment.site_ids)
        word = view.resolutions[-1][1].by if view.resolutions else None
        # On disk before the request leaves: after a crash in between, the outcome counts as unknown.
        session.record(
            SubmitIntended(number=len(view.sent) + 1, request=request.as_json(), by_word=word),
            job_id,
        )
        self._next_submission_s = self._clock.monotonic_s() + self._pace.submit_interval_s
        try:
            outcome = await session.ports.send(request)
        except asyncio.CancelledError:
            # The second Ctrl-C. The request may have arrived all the same.
            lost = SubmitLost(reason="stopped by the operator before an answer came")
            session.record(lost, job_id)
            raise
        result = result_of(outcome, self._clock.now())
        try:
            session.record(event_of(result, request, outcome), job_id)
        except LedgerError:
            # The one thing that exists nowhere else must at least be on the screen.
            session.ports.audience.on_failure(
                f"job `{job_id}`: the answer could not be written down; keep this line: {result}"
            )
            raise
        self._brake(view, result)
        return result

    def _brake(self, view: JobView, result: SubmitResult) -> None:
        session, site, account = self._session, view.job.site, view.job.account
        match result:
            case Refused(scope="account", detail=detail):
                session.brakes.accounts[account] = f"account `{account}` was refused: {detail}"
            case Refused(scope="site", detail=detail):
                self._refusals[site] = self._refusals.get(site, 0) + 1
                if self._refusals[site] > 1:
                    said = f"a second job was refused on `{site}`: {detail}"
                    session.brakes.sites[site] = ("account", said)
            case Uncertain() if session.assignment.on_unknown == "stop":
                session.brakes.stopped = (
                    f"the outcome of `{view.id}` is unknown and `--on-unknown stop` was given"
                )
            case _:
                pass

    async def _turn(self, job_id: str) -> bool:
        """Wait for this job's place in the submission interval; False if nothing may be sent now."""
        async with self._gate:
            wait_s = self._next_submission_s - self._clock.monotonic_s()
            if wait_s > 0:
                await self._session.pause(
                    job_id, wait_s, "for the submission interval", until_stop=True
                )
        return not self._session.leaving

    def _may_send(self, job_id: str) -> bool:
        """Return whether the job may be sent this very moment; hold it where its window is closed."""
        session = self._session
        if session.leaving:
            return False
        session.poll_ledger()
        # The step is asked again: a stop, a refusal or a person's word may have come meanwhile.
        step = next_step(session.jobs[job_id].job.site, session.jobs, session.todo, session.brakes)
        if step != Step("submit", job_id):
            return False
        if not self._servable(job_id, 0):
            session.hold(job_id, "window", "none of its windows is open now")
            return False
        return True

    def _servable(self, job_id: str, in_s: float) -> bool:
        if not self._session.jobs[job_id].job.recreate_as_remote:
            return True
        at = self._clock.now() + timedelta(seconds=in_s)
        return any(pair.servable(at) for pair in self._session.assignment.pairs.get(job_id, ()))

    def _may_resubmit(self, job_id: str) -> bool:
        given = self._resubmissions.get(job_id, 0)
        word = self._session.assignment.on_unknown == "resubmit"
        return word and given < RESUBMISSIONS and not self._session.brakes.stopped

    def _resubmit(self, job_id: str) -> None:
        self._resubmissions[job_id] = self._resubmissions.get(job_id, 0) + 1
        self._session.record(
            JobResolved(
                resolution="send_again",
                uuid=None,
                by=self._session.assignment.operator,
                note="said beforehand with `--on-unknown resubmit`",
            ),
            job_id,
        )

    def _backoff_s(self, attempt: int, first_s: float, last_s: float) -> float:
        chance = self._session.ports.jitter()
        return backoff_s(attempt, None, chance, first_s=first_s, longest_s=last_s)

    def _interval_of_before(self) -> float:
        """Return when the first submission may go, given those of the process before."""
        now_s = self._clock.monotonic_s()
        times = [view.sent[-1].at for view in self._session.jobs.values() if view.sent]
        if not times:
            return now_s
        gone_s = (self._clock.now() - max(times)).total_seconds()
        interval_s = self._pace.submit_interval_s
        # A clock that went back since must not make the interval longer than it is.
        return now_s + min(interval_s, max(0.0, interval_s - gone_s))


_MEANINGS: dict[type[SubmitResult], AnswerMeaning] = {
    Accepted: "accepted",
    Refused: "refused",
    Limited: "rate_limited",
    Uncertain: "unknown",
}


def event_of(result: SubmitResult, request: Request, outcome: Outcome) -> Event:
    """Return the event that keeps what a submission's outcome means, with the raw exchange."""
    if isinstance(result, NotSent):
        return SubmitNotSent(
            reason=f"{result.reason}; {result.hint}" if result.hint else result.reason
        )
    if isinstance(result, Uncertain) and not isinstance(outcome, Answer):
        return SubmitLost(reason=result.detail)
    refused = result if isinstance(result, Refused) else None
    return SubmitAnswered(
        meaning=_MEANINGS[type(result)],
        uuid=result.uuid if isinstance(result, Accepted) else None,
        detail="" if isinstance(result, Accepted) else result.detail,
        trace_id=None if refused is None else refused.trace_id,
        causes=[] if refused is None else list(refused.causes),
        wait_s=result.wait_s if isinstance(result, Limited) else None,
        exchange=exchange_of(request, outcome),
    )

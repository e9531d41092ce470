"""Send one job, at most once unless a person says otherwise: intent on disk, request, answer on disk."""

import asyncio
from datetime import timedelta
from typing import Any

from runbook.clock import parse_utc
from runbook.errors import LedgerError
from runbook.execute.books import Books
from runbook.execute.ports import Pace
from runbook.execute.probing import probe
from runbook.execute.requests import request_of
from runbook.execute.schedule import Submit, next_step
from runbook.execute.submit import (
    Accepted,
    Limited,
    Meaning,
    Refused,
    Unknowable,
    Unsent,
    meaning_of,
)
from runbook.http import Outcome, Request, exchange_of
from runbook.ledger.codec import Event
from runbook.ledger.events import (
    JobResolved,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
)
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

    def __init__(self, books: Books, pace: Pace) -> None:
        self._books = books
        self._clock = books.clock
        self._pace = pace
        self._gate = asyncio.Lock()
        self._next_submission_s = self._interval_of_before()
        self._refusals: dict[str, int] = {}
        self._resubmissions: dict[str, int] = {}

    def resubmit_unknown(self) -> None:
        """Act on the word given beforehand for the unknown outcomes of earlier processes."""
        for job_id in self._books.assignment.resubmit:
            # What cannot be sent now stays what it is: unknown.
            if not self._books.stopped and self._servable(job_id, 0):
                self._resubmit(job_id)
                self._books.todo.add(job_id)

    async def submit(self, job_id: str) -> None:
        """Send a job until its outcome is settled or cannot be known, or it may not be sent now."""
        books = self._books
        attempt = 0
        unsent_since_s: float | None = None
        if await self._turn(job_id):
            # Looking may take its time, so that the turn is waited for again after it.
            await probe(books, job_id, "before")
        while await self._turn(job_id) and self._may_send(job_id):
            meaning = await self._attempt(job_id)
            attempt += 1
            books.tell()
            match meaning:
                case Limited(wait_s=told_s):
                    unsent_since_s = None
                    wait_s = told_s or self._backoff_s(attempt, LIMITED_FIRST_S, LIMITED_LAST_S)
                    if not self._servable(job_id, wait_s):
                        detail = f"rate limited for {wait_s:.0f} s, until after its window"
                        books.hold(job_id, "window", detail)
                        return
                    await books.pause(
                        job_id, max(LEAST_WAIT_S, wait_s), "for the rate limit", until_stop=True
                    )
                case Unsent(reason=reason):
                    now_s = self._clock.monotonic_s()
                    unsent_since_s = now_s if unsent_since_s is None else unsent_since_s
                    wait_s = self._backoff_s(attempt, NOT_SENT_FIRST_S, NOT_SENT_LAST_S)
                    if now_s + wait_s - unsent_since_s > self._pace.connect_retry_s:
                        books.unreachable = reason
                        books.tell()
                        return
                    await books.pause(job_id, wait_s, "to connect again", until_stop=True)
                case Unknowable() if self._may_resubmit(job_id):
                    self._resubmit(job_id)
                case _:
                    books.todo.discard(job_id)
                    return

    async def _attempt(self, job_id: str) -> Meaning:
        books = self._books
        view = books.jobs[job_id]
        request = request_of(view.job, books.assignment.site_ids)
        word = view.resolutions[-1][1].by if view.resolutions else None
        books.record(
            SubmitIntended(number=len(view.sent) + 1, request=request.as_json(), by_word=word),
            job_id,
        )
        self._next_submission_s = self._clock.monotonic_s() + self._pace.submit_interval_s
        try:
            outcome = await books.ports.send(request)
        except asyncio.CancelledError:
            lost = SubmitLost(reason="stopped by the operator before an answer came")
            books.record(lost, job_id)
            raise
        meaning = meaning_of(outcome, self._clock.now())
        try:
            books.record(event_of(meaning, request, outcome), job_id)
        except LedgerError:
            # The one thing that exists nowhere else must at least be on the screen.
            books.ports.audience.alarm(
                f"job `{job_id}`: the answer could not be written down; keep this line: {meaning}"
            )
            raise
        self._brake(view, meaning)
        return meaning

    def _brake(self, view: JobView, meaning: Meaning) -> None:
        books, site, account = self._books, view.job.site, view.job.account
        match meaning:
            case Refused(scope="account", detail=detail):
                books.accounts[account] = f"account `{account}` was refused: {detail}"
            case Refused(scope="site", detail=detail):
                self._refusals[site] = self._refusals.get(site, 0) + 1
                if self._refusals[site] > 1:
                    said = f"a second job was refused on `{site}`: {detail}"
                    books.sites[site] = ("account", said)
            case Unknowable() if books.assignment.on_unknown == "stop":
                books.stopped = (
                    f"the outcome of `{view.id}` is unknown and `--on-unknown stop` was given"
                )
            case _:
                pass

    async def _turn(self, job_id: str) -> bool:
        """Wait for this job's place in the submission interval; False if nothing may be sent now."""
        async with self._gate:
            wait_s = self._next_submission_s - self._clock.monotonic_s()
            if wait_s > 0:
                await self._books.pause(
                    job_id, wait_s, "for the submission interval", until_stop=True
                )
        return not self._books.leaving

    def _may_send(self, job_id: str) -> bool:
        """Return whether the job may be sent this very moment; hold it where its window is closed."""
        books = self._books
        if books.leaving:
            return False
        books.take_news()
        # The step is asked again: a stop, a refusal or a person's word may have come meanwhile.
        step = next_step(books.jobs[job_id].job.site, books.jobs, books.todo, books.brakes())
        if step != Submit(job=job_id):
            return False
        if not self._servable(job_id, 0):
            books.hold(job_id, "window", "none of its windows is open now")
            return False
        return True

    def _servable(self, job_id: str, in_s: float) -> bool:
        if not self._books.jobs[job_id].job.recreate_as_remote:
            return True
        at = self._clock.now() + timedelta(seconds=in_s)
        return any(pair.servable(at) for pair in self._books.assignment.pairs.get(job_id, ()))

    def _may_resubmit(self, job_id: str) -> bool:
        given = self._resubmissions.get(job_id, 0)
        word = self._books.assignment.on_unknown == "resubmit"
        return word and given < RESUBMISSIONS and not self._books.stopped

    def _resubmit(self, job_id: str) -> None:
        self._resubmissions[job_id] = self._resubmissions.get(job_id, 0) + 1
        self._books.record(
            JobResolved(
                resolution="send_again",
                uuid=None,
                by=self._books.assignment.operator,
                note="said beforehand with `--on-unknown resubmit`",
            ),
            job_id,
        )

    def _backoff_s(self, attempt: int, first_s: float, last_s: float) -> float:
        ceiling_s = min(last_s, first_s * 2.0 ** min(attempt - 1, 16))
        return ceiling_s * (0.7 + 0.6 * self._books.ports.jitter())

    def _interval_of_before(self) -> float:
        """Return when the first submission may go, given those of the process before."""
        now_s = self._clock.monotonic_s()
        times = [view.sent[-1].at for view in self._books.jobs.values() if view.sent]
        if not times:
            return now_s
        gone_s = (self._clock.now() - parse_utc(max(times))).total_seconds()
        interval_s = self._pace.submit_interval_s
        # A clock that went back since must not make the interval longer than it is.
        return now_s + min(interval_s, max(0.0, interval_s - gone_s))


def event_of(meaning: Meaning, request: Request, outcome: Outcome) -> Event:
    """Return the event that keeps what a submission's outcome means, with the raw exchange."""
    exchange = exchange_of(request, outcome)
    match meaning:
        case Unsent(reason=reason, hint=hint):
            return SubmitNotSent(reason=f"{reason}; {hint}" if hint else reason)
        case Unknowable(detail=detail) if exchange["answer"] is None:
            return SubmitLost(reason=detail)
        case Accepted(uuid=uuid):
            return _answered("accepted", exchange, uuid=uuid)
        case Refused(detail=detail, trace_id=trace_id, causes=causes):
            return _answered("refused", exchange, detail=detail, trace_id=trace_id, causes=causes)
        case Limited(wait_s=wait_s, detail=detail):
            return _answered("rate_limited", exchange, detail=detail, wait_s=wait_s)
        case Unknowable(detail=detail):
            return _answered("unknown", exchange, detail=detail)


def _answered(
    meaning: str,
    exchange: dict[str, Any],
    *,
    uuid: str | None = None,
    detail: str = "",
    trace_id: str | None = None,
    causes: tuple[str, ...] = (),
    wait_s: float | None = None,
) -> SubmitAnswered:
    return SubmitAnswered(
        meaning=meaning,
        uuid=uuid,
        detail=detail,
        trace_id=trace_id,
        causes=list(causes),
        wait_s=wait_s,
        exchange=exchange,
    )

"""Poll one job until it ends: what is asked, what the answers mean, when it is asked again.

The shape of the status body is not documented (links-api.md 1.4), so every plausible one is
understood, and anything else means that polling goes on, with a warning.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from runbook.atlassian.retry import retry_after_s
from runbook.clock import isoformat_utc
from runbook.execute.ports import Pace
from runbook.execute.session import RunSession
from runbook.execute.submit_rules import words_of
from runbook.http import Answer, Outcome, Request, exchange_of
from runbook.jobs import API
from runbook.ledger.events import JobPolled, JobStalled
from runbook.view import AT_ATLASSIAN, JobState, JobView

FIRST_INTERVAL_S = 5.0
LAST_INTERVAL_S = 60.0
GROWTH = 1.5

_STATES = {
    "pending": JobState.PENDING,
    "backup": JobState.BACKUP,
    "inprogress": JobState.IN_PROGRESS,
    "retry": JobState.RETRY,
    "complete": JobState.COMPLETE,
    "completed": JobState.COMPLETE,
    "error": JobState.ERROR,
    "failed": JobState.ERROR,
}

STALLED_AFTER = {
    JobState.PENDING: timedelta(minutes=30),
    JobState.IN_PROGRESS: timedelta(hours=2),
    JobState.RETRY: timedelta(hours=2),
    JobState.BACKUP: timedelta(hours=8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a status answer says.

    `state` is None where it says nothing about the job; `failing` means that no API answered, so
    that only so much of it is tolerated; `refused` means that the account was refused.
    """

    state: JobState | None = None
    word: str | None = None
    warning: str | None = None
    failing: bool = False
    refused: bool = False
    wait_s: float | None = None


def status_request(view: JobView, site_ids: Mapping[str, str]) -> Request:
    """Return the request for a job's status (links-api.md 1.4)."""
    site_id = quote(site_ids[view.job.site], safe="")
    return Request(
        method="GET",
        url=f"{API}/{site_id}/jobs/status/{quote(view.uuid or '', safe='')}",
        headers=(("Accept", "application/json"),),
        account=view.job.account,
    )


def reading_of(outcome: Outcome, now: datetime) -> Reading:
    """Return what the outcome of a status request says."""
    if not isinstance(outcome, Answer):
        return Reading(warning=f"not reached: {outcome.reason}", failing=True)
    status, words, wait_s = outcome.status, words_of(outcome), retry_after_s(outcome, now)
    if status == 429:
        return Reading(warning="rate limited, asking again later", wait_s=wait_s)
    if status == 401:
        return Reading(warning=f"credential refused: {words}", refused=True)
    if outcome.is_html():
        warning = f"answer {status} is a web page, probably of a proxy: {words}"
        return Reading(warning=warning, failing=True)
    if status == 404:
        return Reading(
            warning="the API does not know the job id (any more); that says nothing about the job itself"
        )
    if status >= 300:
        warning = f"answer {status}: {words or 'no further words'}"
        if status < 400 or status == 408 or status >= 500:
            return Reading(warning=warning, failing=True, wait_s=wait_s)
        return Reading(warning=warning)
    word = _word_in(outcome)
    if word is None:
        return Reading(warning="the answer holds no status that is understood; it is kept")
    state = _STATES.get(re.sub(r"[\s_-]+", "", word).lower())
    if state is None:
        return Reading(word=word, warning=f"status word {word!r} is not known, polling goes on")
    retried = "Atlassian tries a batch again; this is not an end"
    return Reading(state=state, word=word, warning=retried if state is JobState.RETRY else None)


def _word_in(answer: Answer) -> str | None:
    try:
        value = answer.json()
    except ValueError:
        text = answer.text().strip()
        # One short line is a status word; anything longer is prose.
        return text if 0 < len(text) <= 40 and "\n" not in text else None
    return _find_word(value, depth=0)


def _find_word(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        # Half a surrogate pair cannot be written down.
        return value.strip()[:200].encode("utf-8", "replace").decode() or None
    if not isinstance(value, dict) or depth > 3:
        return None
    for name in ("status", "state", "jobStatus", "value", "name", "data", "job"):
        if name in value:
            found = _find_word(value[name], depth + 1)
            if found is not None:
                return found
    return None


def next_interval_s(previous_s: float | None, fixed_s: float | None, *, changed: bool) -> float:
    """Return how long to wait before the next look: growing from 5 s to 60 s, or fixed."""
    if fixed_s is not None:
        return fixed_s
    if previous_s is None or changed:
        return FIRST_INTERVAL_S
    return min(LAST_INTERVAL_S, previous_s * GROWTH)


def stalled(state: JobState, since: datetime, now: datetime) -> bool:
    """Return whether a job has been in this state for longer than is usual."""
    limit = STALLED_AFTER.get(state)
    return limit is not None and now - since >= limit


def stall_advice(state: JobState) -> str:
    """Return what can be done about a job whose state does not change."""
    if state is JobState.BACKUP:
        return "the backup takes long: look at the site's backup page; polling goes on"
    return "no change for long: ask Atlassian's support with the job id, nothing can be cancelled from here; polling goes on"


class Poller:
    """Follows the jobs of one run that Atlassian has accepted."""

    def __init__(self, session: RunSession, pace: Pace) -> None:
        self._session = session
        self._clock = session.clock
        self._pace = pace

    async def follow(self, job_id: str) -> None:
        """Return when the job has ended, or the operator, the account or the network ends it here.

        Whoever waits for it is notified. A network that does not come back within
        `connect_retry_s` is given up; the job goes on at Atlassian whatever happens here.
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
                session.brakes.accounts[account] = (
                    f"account `{account}` was refused: {reading.warning}"
                )
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

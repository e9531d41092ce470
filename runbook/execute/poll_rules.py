"""What a status request asks, what its answer says, when to ask again, when a job has stalled.

Pure. The shape of the status body is not documented (links-api.md 1.4), so every plausible one is
understood and anything else means: keep polling, with a warning.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from runbook.atlassian.retry import retry_after_s
from runbook.execute.submit_rules import words_of
from runbook.http import Answer, Outcome, Request
from runbook.jobs import API
from runbook.view import JobState, JobView

FIRST_INTERVAL_S = 5.0
LAST_INTERVAL_S = 60.0
GROWTH = 1.5

_WORDS = {
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
    status = outcome.status
    if status == 429:
        return Reading(
            warning="rate limited, asking again later", wait_s=retry_after_s(outcome, now)
        )
    if status == 401:
        return Reading(warning=f"credential refused: {words_of(outcome)}", refused=True)
    if outcome.is_html():
        return Reading(
            warning=f"answer {status} is a web page, probably of a proxy: {words_of(outcome)}",
            failing=True,
        )
    if status >= 500 or 300 <= status < 400 or status == 408:
        return Reading(
            warning=f"answer {status}: {words_of(outcome) or 'no further words'}",
            failing=True,
            wait_s=retry_after_s(outcome, now),
        )
    if status == 404:
        return Reading(
            warning="the API does not know the job id (any more); that says nothing about the job itself"
        )
    if status >= 400:
        return Reading(warning=f"answer {status}: {words_of(outcome) or 'no further words'}")
    return _reading_of_word(_word_in(outcome))


def _reading_of_word(word: str | None) -> Reading:
    if word is None:
        return Reading(warning="the answer holds no status that is understood; it is kept")
    state = _WORDS.get(re.sub(r"[\s_-]+", "", word).lower())
    if state is None:
        return Reading(word=word, warning=f"status word {word!r} is not known, polling goes on")
    if state is JobState.RETRY:
        return Reading(
            state=state, word=word, warning="Atlassian tries a batch again; this is not an end"
        )
    return Reading(state=state, word=word)


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

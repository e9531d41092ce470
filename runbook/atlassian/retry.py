"""What an outcome of a request means, and when the request is sent again.

A read may be repeated, so only documented refusals end it. A write is repeated only when it cannot
have arrived (no connection) or was not accepted (429); 3xx, 408, 5xx, a time-out and a lost
connection leave it unknown, as they do for jobs.

`Retry-After` comes in seconds or as an HTTP date, `X-RateLimit-Reset` as ISO 8601 (Jira), as seconds
since 1970 or as seconds from now (jira-rest.md B5, links-api.md 1.4). A value that cannot be read is
ignored; the longest of the others counts.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from runbook.atlassian.limits import LimitedRequest, Limits
from runbook.clock import Clock
from runbook.http import Answer, Lost, NotSent, Outcome, Request, Send

FIRST_BACKOFF_S = 2.0
LONGEST_BACKOFF_S = 30.0
# Longer waits are cut to this, so that a broken header cannot overflow a date.
LONGEST_S = 366 * 24 * 3600.0
_EPOCH_FROM_S = 1_000_000_000.0  # a bare number above this is a moment, not a duration
_EPOCH_FROM_MS = 1_000_000_000_000.0

_SERAPH_LOST = ("AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED")

_log = logging.getLogger(__name__)


class Meaning(Enum):
    """What an outcome says about a request."""

    GOOD = auto()
    REFUSED = auto()
    UNAUTHORIZED = auto()
    LOGIN_LOST = auto()
    LIMITED = auto()
    NOT_SENT = auto()
    TRANSIENT = auto()
    UNDOCUMENTED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When to give up: after `attempts` failures, `limited_attempts` 429, or before a wait above `longest_wait_s`."""

    attempts: int = 5
    limited_attempts: int = 20
    longest_wait_s: float = 7200.0


def meaning_of_read(outcome: Outcome) -> Meaning:
    """Return what an outcome says about a request that may be repeated safely."""
    match outcome:
        case NotSent():
            return Meaning.NOT_SENT
        case Lost():
            return Meaning.TRANSIENT
        case Answer(status=status) as answer:
            if login_lost(answer):
                return Meaning.LOGIN_LOST
            if status == 429:
                return Meaning.LIMITED
            if status == 401:
                return Meaning.UNAUTHORIZED
            if status == 408 or status >= 500:
                return Meaning.TRANSIENT
            if status < 200 or 300 <= status < 400 or answer.is_html():
                return Meaning.UNDOCUMENTED
            return Meaning.GOOD if status < 300 else Meaning.REFUSED


def meaning_of_write(outcome: Outcome) -> Meaning:
    """Return what an outcome says about a request that may have changed something."""
    match outcome:
        case NotSent():
            return Meaning.NOT_SENT
        case Lost():
            return Meaning.UNKNOWN
        case Answer(status=status) as answer:
            if status == 429:
                return Meaning.LIMITED
            if status == 401:
                return Meaning.UNAUTHORIZED
            if status < 200 or 300 <= status < 400 or status == 408 or status >= 500:
                return Meaning.UNKNOWN
            if status < 300:
                return Meaning.UNKNOWN if answer.is_html() else Meaning.GOOD
            return Meaning.LOGIN_LOST if login_lost(answer) else Meaning.REFUSED


def login_lost(answer: Answer) -> bool:
    """Return whether Jira ignored the credential and took the request as anonymous (jira-rest.md B8)."""
    reason = (answer.header("x-seraph-loginreason") or "").upper()
    return any(word in reason for word in _SERAPH_LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The last outcome of a request and what it means.

    Where the request was given up, `times` counts that kind of failure, and `wait_s` is how long the
    next wait would have been.
    """

    outcome: Outcome
    meaning: Meaning
    times: int = 0
    wait_s: float = 0.0

    @property
    def answer(self) -> Answer:
        """Return the outcome where it is an answer, as it is for every meaning that has a status."""
        assert isinstance(self.outcome, Answer)  # noqa: S101 - the meaning tells
        return self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryingSender:
    """Send requests to sites, and repeat those that may be repeated; `random` draws from 0 to 1."""

    send: Send
    clock: Clock
    limits: Limits
    random: Callable[[], float]
    patience: Patience

    async def settle(
        self, counted: LimitedRequest, request: Request, meaning_of: Callable[[Outcome], Meaning]
    ) -> Settled:
        """Send a request within the limits until waiting cannot improve its outcome.

        `meaning_of` decides what may be repeated: a failure that is `TRANSIENT` for a read is
        `UNKNOWN` for a write.
        """
        failed = limited = 0
        while True:
            await self.limits.enter(counted)
            outcome = await self.send(request)
            meaning = meaning_of(outcome)
            if meaning not in (Meaning.NOT_SENT, Meaning.TRANSIENT, Meaning.LIMITED):
                return Settled(outcome=outcome, meaning=meaning)
            if meaning is Meaning.LIMITED:
                limited += 1
                times, most = limited, self.patience.limited_attempts
            else:
                failed += 1
                times, most = failed, self.patience.attempts
            told_s = None
            if isinstance(outcome, Answer):
                told_s = retry_after_s(outcome, self.clock.now())
            wait_s = backoff_s(times, told_s, self.random())
            if isinstance(outcome, Answer) and meaning is Meaning.LIMITED:
                self.limits.refused(counted, outcome.header("ratelimit-reason"), wait_s)
            why = f"answer {outcome.status}" if isinstance(outcome, Answer) else outcome.reason
            if times >= most or wait_s > self.patience.longest_wait_s:
                _log.info(
                    "%s %s given up: %s (%d times)", counted.method, counted.endpoint, why, times
                )
                return Settled(outcome=outcome, meaning=meaning, times=times, wait_s=wait_s)
            again = f"again in {wait_s:.1f} s: {why} ({times} of {most})"
            _log.info("%s %s %s", counted.method, counted.endpoint, again)
            await self.clock.sleep(wait_s)


def backoff_s(
    failed: int,
    told_s: float | None,
    chance: float,
    *,
    first_s: float = FIRST_BACKOFF_S,
    longest_s: float = LONGEST_BACKOFF_S,
) -> float:
    """Return how long to wait after failure number `failed` (from 1).

    `told_s` is what the server asked for, as a minimum; `chance`, from 0 to 1, becomes a factor
    from 0.7 to 1.3 on the computed wait (jira-rest.md B5).
    """
    steps_s = min(longest_s, first_s * 2.0 ** min(failed - 1, 16))
    computed_s: float = steps_s * (0.7 + 0.6 * chance)
    if told_s is None:
        return computed_s
    # A little is added to what was told, so that waiting clients do not all return at once.
    return max(told_s + min(1.0, steps_s) * 0.5 * chance, computed_s if told_s == 0 else 0.0)


def retry_after_s(answer: Answer, now: datetime) -> float | None:
    """Return the seconds from `now` that the answer asks for, None where it does not say.

    Never negative, and never more than a year.
    """
    waits_s = [
        wait_s
        for name in ("retry-after", "x-ratelimit-reset")
        for key, value in answer.headers
        if key == name
        # A proxy may have joined repeated headers; a date holds a comma of its own.
        for text in dict.fromkeys((value, *value.split(",")))
        if (wait_s := _wait_s(text.strip(), now)) is not None
    ]
    return max(waits_s, default=None)


def _wait_s(text: str, now: datetime) -> float | None:
    number = _number(text)
    if number is None:
        moment = moment_in(text)
        if moment is None:
            return None
        number = (moment - now).total_seconds()
    elif number >= _EPOCH_FROM_MS:
        number = number / 1000 - now.timestamp()
    elif number >= _EPOCH_FROM_S:
        number -= now.timestamp()
    return min(max(0.0, number), LONGEST_S)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def moment_in(text: str) -> datetime | None:
    """Return the moment that a header names as ISO 8601 or as an HTTP date, None for anything else."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, OverflowError):
            continue
        # Both headers mean UTC where they name no zone.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return None

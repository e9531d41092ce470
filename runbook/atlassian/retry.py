"""How long an answer tells us to wait.

`Retry-After` comes in seconds or as an HTTP date, `X-RateLimit-Reset` as ISO 8601 (Jira), as seconds
since 1970 or as seconds from now (jira-rest.md B5, links-api.md 1.4). What cannot be read counts as
not said; the longest wish wins.
"""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from runbook.http import Answer

# Longer wishes are cut to this, so that a broken header cannot overflow a date.
LONGEST_S = 366 * 24 * 3600.0
_EPOCH_FROM_S = 1_000_000_000.0  # a bare number above this is a moment, not a duration
_EPOCH_FROM_MS = 1_000_000_000_000.0


def retry_after_s(answer: Answer, now: datetime) -> float | None:
    """Return the seconds from `now` that the answer asks for, None where it does not say.

    Never negative, and never more than a year.
    """
    wishes = [
        wish
        for name in ("retry-after", "x-ratelimit-reset")
        for key, value in answer.headers
        if key == name
        # A proxy may have joined repeated headers; a date holds a comma of its own.
        for text in dict.fromkeys((value, *value.split(",")))
        if (wish := _wait_s(text.strip(), now)) is not None
    ]
    return max(wishes) if wishes else None


def _wait_s(text: str, now: datetime) -> float | None:
    number = _number(text)
    if number is None:
        moment = _moment(text)
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


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, OverflowError):
            continue
        # Both headers mean UTC where they name no zone.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return None

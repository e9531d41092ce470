"""How long an answer tells us to wait, in every form that was seen."""

import pytest

from runbook.atlassian.retry import LONGEST_S, retry_after_s
from tests.atlassian.scripted import AT, answer

WAITS = {
    "seconds": ({"retry_after": "7"}, 7.0),
    "seconds with a fraction": ({"retry_after": "1.5"}, 1.5),
    "no time at all": ({"retry_after": "0"}, 0.0),
    "less than nothing": ({"retry_after": "-3"}, 0.0),
    "a date": ({"retry_after": "Sun, 22 Nov 2026 19:00:30 GMT"}, 30.0),
    "a date that has passed": ({"retry_after": "Sun, 22 Nov 2026 18:00:00 GMT"}, 0.0),
    "a reset with seconds": ({"x_ratelimit_reset": "2026-11-22T19:01:00Z"}, 60.0),
    "a reset in minutes": ({"x_ratelimit_reset": "2026-11-22T19:02Z"}, 120.0),
    "a reset with an offset": ({"x_ratelimit_reset": "2026-11-22T20:01:00+01:00"}, 60.0),
    "a reset without a zone is in UTC": ({"x_ratelimit_reset": "2026-11-22T19:01:00"}, 60.0),
    "a reset in seconds since 1970": ({"x_ratelimit_reset": str(int(AT.timestamp()) + 9)}, 9.0),
    "a reset in milliseconds": ({"x_ratelimit_reset": f"{int(AT.timestamp() * 1000) + 9000}"}, 9.0),
    "a reset in seconds from now": ({"x_ratelimit_reset": "12"}, 12.0),
    "the longest of both": (
        {"retry_after": "5", "x_ratelimit_reset": "2026-11-22T19:00:40Z"},
        40.0,
    ),
    "two that a proxy joined": ({"retry_after": "30, 90"}, 90.0),
    "two dates that a proxy joined": (
        {"retry_after": "Sun, 22 Nov 2026 19:00:30 GMT, Sun, 22 Nov 2026 19:00:50 GMT"},
        50.0,
    ),
    "a broken one beside a good one": ({"retry_after": "soon", "x_ratelimit_reset": "3"}, 3.0),
    "a number that overflows": ({"retry_after": "9" * 400}, None),
    "a number that is none": ({"retry_after": "nan"}, None),
    "a very long one is cut": ({"retry_after": "999999999"}, LONGEST_S),
    "words": ({"retry_after": "soon"}, None),
    "an empty one": ({"retry_after": ""}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("case", WAITS.values(), ids=WAITS.keys())
def test_a_wait_is_read(case: tuple[dict[str, str], float | None]) -> None:
    headers, expected = case
    told = retry_after_s(answer(429, **headers), AT)
    assert told == pytest.approx(expected) if expected is not None else told is None

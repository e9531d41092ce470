"""What a status answer says, in every shape that is plausible."""

from datetime import UTC, datetime, timedelta

import pytest

from runbook.execute.poller import next_interval_s, reading_of, stalled
from runbook.http import Answer, Lost, NotSent
from runbook.view import JobState

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


def answer(status: int, body: str = "", **headers: str) -> Answer:
    named = tuple((name.replace("_", "-").lower(), value) for name, value in headers.items())
    return Answer(status=status, headers=named, body=body.encode(), at=NOW)


SHAPES = {
    "an object with status": ('{"status":"Pending"}', JobState.PENDING),
    "an object with state": ('{"state":"Backup"}', JobState.BACKUP),
    "an object with jobStatus": ('{"jobStatus":"In_progress"}', JobState.IN_PROGRESS),
    "nested under data": ('{"data":{"status":"Complete"}}', JobState.COMPLETE),
    "nested under job": ('{"job":{"state":"Error"}}', JobState.ERROR),
    "a nested status object": ('{"status":{"name":"Complete"}}', JobState.COMPLETE),
    "a JSON string": ('"In progress"', JobState.IN_PROGRESS),
    "plain text": ("COMPLETE\n", JobState.COMPLETE),
    "another case and hyphen": ('{"status":"IN-PROGRESS"}', JobState.IN_PROGRESS),
    "the synonym completed": ('{"status":"COMPLETED"}', JobState.COMPLETE),
    "the synonym failed": ('{"status":"failed"}', JobState.ERROR),
    "retry is no end": ('{"status":"Retry"}', JobState.RETRY),
}


@pytest.mark.parametrize(("body", "state"), SHAPES.values(), ids=SHAPES.keys())
def test_a_status_is_understood_in_every_shape(body: str, state: JobState) -> None:
    assert reading_of(answer(200, body), NOW).state is state


SAYS_NOTHING = {
    "JSON that is nested without end": answer(200, "[" * 100_000),
    "half a surrogate pair": answer(200, r'{"status":"\ud800"}'),
    "a word that is not known": answer(200, '{"status":"Frobnicating"}'),
    "no status at all": answer(200, '{"uuid":"x"}'),
    "prose": answer(200, "The job is being looked at by a lot of people right now"),
    "an empty body": answer(200, ""),
    "the id is not known": answer(404, '{"message":"not found"}'),
    "forbidden": answer(403, "{}"),
    "a rate limit": answer(429, "", Retry_After="30"),
    "a server error": answer(502, "<html>"),
    "a web page": answer(200, "<!doctype html><title>Log in</title>"),
    "no connection": NotSent(reason="refused"),
    "a lost answer": Lost(reason="reset"),
}


@pytest.mark.parametrize("outcome", SAYS_NOTHING.values(), ids=SAYS_NOTHING.keys())
def test_what_says_nothing_keeps_polling_with_a_warning(outcome: Answer | NotSent | Lost) -> None:
    reading = reading_of(outcome, NOW)
    assert reading.state is None
    assert reading.warning
    assert not reading.refused


def test_only_a_401_refuses_the_account() -> None:
    assert reading_of(answer(401, '{"message":"no"}'), NOW).refused


def test_only_what_no_api_answered_counts_as_failing() -> None:
    failing = {name for name, one in SAYS_NOTHING.items() if reading_of(one, NOW).failing}
    assert failing == {"a server error", "a web page", "no connection", "a lost answer"}


def test_a_rate_limit_on_status_is_waited_for_as_told() -> None:
    assert reading_of(SAYS_NOTHING["a rate limit"], NOW).wait_s == 30


def test_the_interval_grows_from_5_to_60_seconds_and_starts_over_on_a_change() -> None:
    seen = [next_interval_s(None, None, changed=False)]
    for _ in range(10):
        seen.append(next_interval_s(seen[-1], None, changed=False))
    assert seen[0] == 5
    assert seen[-1] == 60
    assert seen == sorted(seen)
    assert next_interval_s(60, None, changed=True) == 5
    assert next_interval_s(60, 0.5, changed=True) == 0.5


@pytest.mark.parametrize(
    ("state", "minutes"),
    [(JobState.PENDING, 30), (JobState.IN_PROGRESS, 120), (JobState.BACKUP, 480)],
)
def test_a_state_counts_as_stalled_after_its_own_time(state: JobState, minutes: int) -> None:
    limit = timedelta(minutes=minutes)
    assert not stalled(state, NOW, NOW + limit - timedelta(seconds=1))
    assert stalled(state, NOW, NOW + limit)
    assert not stalled(JobState.COMPLETE, NOW, NOW + timedelta(days=9))

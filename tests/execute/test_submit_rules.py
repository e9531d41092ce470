"""What an answer to a submission means: one row per line of the contract's table."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from runbook.execute.submit_rules import (
    Accepted,
    Limited,
    Refused,
    Uncertain,
    likely_causes,
    result_of,
    trace_of,
    words_of,
)
from runbook.http import Answer, Lost, NotSent, Outcome

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
ID = "0b9b3b9e-6a34-4a3b-9d0a-3f6d6f6f0001"


def answer(status: int, body: bytes | str = b"", **headers: str) -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    named = tuple((name.replace("_", "-").lower(), value) for name, value in headers.items())
    return Answer(status=status, headers=named, body=raw, at=NOW)


@dataclass(frozen=True)
class Case:
    outcome: Outcome
    kind: type
    holds: str = ""


CASES = {
    "the documented answer is accepted": Case(answer(200, f'{{"uuid":"{ID}"}}'), Accepted, ID),
    "any 2xx with an id is accepted": Case(answer(202, f'{{"jobId":"{ID}"}}'), Accepted, ID),
    "an id that is no UUID is an id": Case(answer(200, '{"uuid":"job-7"}'), Accepted, "job-7"),
    "an id in a nested object is found": Case(
        answer(200, f'{{"data":{{"id":"{ID}"}}}}'), Accepted, ID
    ),
    "a bare UUID string is an id": Case(answer(200, f'"{ID}"'), Accepted, ID),
    "2xx without an id cannot be known": Case(answer(200, "{}"), Uncertain),
    "2xx with an empty id cannot be known": Case(answer(200, '{"uuid":""}'), Uncertain),
    "2xx with half a surrogate pair as the id cannot be known": Case(
        answer(200, '{"uuid":"\\ud800"}'), Uncertain
    ),
    "2xx with JSON that is nested without end cannot be known": Case(
        answer(200, b"[" * 100_000), Uncertain
    ),
    "a refusal that is nested too deeply is a refusal": Case(
        answer(400, b'{"message":' + b"[" * 900 + b"]" * 900 + b"}"), Refused, "400"
    ),
    "2xx with a web page cannot be known": Case(answer(200, "<html>hi</html>"), Uncertain),
    "2xx without a body cannot be known": Case(answer(204), Uncertain),
    "a redirect cannot be known": Case(answer(302, Location="https://x.example"), Uncertain),
    "a request timeout cannot be known": Case(answer(408), Uncertain),
    "a server error cannot be known": Case(answer(500, '{"message":"boom"}'), Uncertain, "boom"),
    "a gateway error cannot be known": Case(answer(503, "<html>"), Uncertain),
    "a lost answer cannot be known": Case(Lost(reason="reset"), Uncertain, "reset"),
    "no connection means not sent": Case(NotSent(reason="refused"), NotSent, "refused"),
    "a proxy that wants a password passed nothing on": Case(answer(407), NotSent, "407"),
    "too many requests means not accepted": Case(answer(429), Limited),
    "401 is a refusal of the account": Case(answer(401, '{"message":"no"}'), Refused, "no"),
    "403 is a refusal on the site": Case(answer(403), Refused, "403"),
    "400 is a refusal of the job": Case(answer(400, '{"errors":{"product":"bad"}}'), Refused, "product: bad"),
    "410 is a refusal of the job": Case(answer(410), Refused),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_outcome_has_one_meaning(case: Case) -> None:
    meaning = result_of(case.outcome, NOW)
    assert type(meaning) is case.kind
    assert case.holds in repr(meaning)


SCOPES = {401: "account", 403: "site", 400: "job", 404: "job", 409: "job", 422: "job"}


@pytest.mark.parametrize(("status", "scope"), SCOPES.items())
def test_a_refusal_says_what_else_it_stops(status: int, scope: str) -> None:
    meaning = result_of(answer(status), NOW)
    assert isinstance(meaning, Refused)
    assert meaning.scope == scope
    assert meaning.causes


def test_every_status_has_a_meaning() -> None:
    for status in range(100, 600):
        meaning = result_of(answer(status, f'{{"uuid":"{ID}"}}'), NOW)
        assert isinstance(meaning, Accepted) == (200 <= status < 300)
        assert isinstance(meaning, Refused) == (
            400 <= status < 500 and status not in (407, 408, 429)
        )


TOLD = {
    "seconds": ({"Retry_After": "17"}, 17.0),
    "a date": ({"Retry_After": "Sun, 22 Nov 2026 19:00:40 GMT"}, 40.0),
    "a reset moment": ({"X_RateLimit_Reset": "2026-11-22T19:01:30Z"}, 90.0),
    "the longest of several": (
        {"Retry_After": "5", "X_RateLimit_Reset": "2026-11-22T19:01:30Z"},
        90.0,
    ),
}


@pytest.mark.parametrize(("headers", "expected"), TOLD.values(), ids=TOLD.keys())
def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, str], expected: float) -> None:
    meaning = result_of(answer(429, **headers), NOW)
    assert isinstance(meaning, Limited)
    assert meaning.wait_s == expected


def test_a_scoped_token_is_named_as_the_cause() -> None:
    refused = answer(401, '{"code":401,"message":"Unauthorized; scope does not match"}')
    assert likely_causes(refused) == (
        "the API token has scopes: make one without scopes for this job",
    )


def test_a_400_that_names_a_boolean_puts_the_boolean_style_first() -> None:
    named = answer(400, '{"errors":["recreateAsRemote: must be a string"]}')
    assert "booleans: string" in likely_causes(named)[0]
    silent = answer(400, '{"message":"Validation failed"}')
    assert "booleans: string" in likely_causes(silent)[-1]


WORDS = {
    "a message": ('{"message":"no"}', "no"),
    "the sibling's form": (
        '{"status":400,"errorMessage":"Validation failed","errors":["a","b"],"id":"t"}',
        "Validation failed; a; b",
    ),
    "Jira's form": ('{"errorMessages":["x"],"errors":{"f":"y"}}', "x; f: y"),
    "an object without known fields": ('{"weird":1}', '{"weird": 1}'),
    "plain text": ("  too\n bad ", "too bad"),
    "a web page with a title": ("<html><title> Log in </title>", "a web page titled 'Log in'"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("body", "expected"), WORDS.values(), ids=WORDS.keys())
def test_the_words_of_an_error_are_found_in_every_form(body: str, expected: str) -> None:
    assert words_of(answer(400, body)) == expected


def test_the_trace_id_is_found_in_header_or_body() -> None:
    assert trace_of(answer(500, "", Atl_TraceId="abc")) == "abc"
    assert trace_of(answer(500, '{"id":"def"}')) == "def"
    assert trace_of(answer(500, "[]")) is None

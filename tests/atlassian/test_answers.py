"""Every answer of the document's error list, and what a caller learns from it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runbook.atlassian.errors import (
    JiraRefusedError,
    LoginLostError,
    NotDocumentedError,
    NotReachedError,
    WriteUnknownError,
)
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import (
    create_write,
    delete_by_global_id_write,
    delete_write,
    update_write,
)
from runbook.clock import VirtualClock
from runbook.errors import ExitCode
from runbook.http import Lost, NotSent
from tests.atlassian.scripted import ME, Script, answer, client, html

RECORD = {"globalId": "g=1&i=2", "object": {"url": "https://x.example/1", "title": "X-1"}}
SAID = {"errorMessages": ["Nein."], "errors": {"title": "'title' is required."}}
LOST = Lost(reason="connection reset")
CUT = NotSent(reason="no route")

Operation = Callable[[JiraSite], Awaitable[Any]]
READS: dict[str, Operation] = {
    "list": lambda site: site.remote_links("ENG-1"),
    "get by id": lambda site: site.remote_link("ENG-1", 7),
    "get by globalId": lambda site: site.remote_link_by_global_id("ENG-1", "g=1&i=2"),
    "bulk fetch": lambda site: site.bulk_fetch(["ENG-1"]),
    "settings": lambda site: site.get("configuration"),
}
WRITES: dict[str, Operation] = {
    "create": lambda site: site.perform(create_write("ENG-1", RECORD)),
    "update": lambda site: site.perform(update_write("ENG-1", 7, RECORD)),
    "delete": lambda site: site.perform(delete_write("ENG-1", 7)),
    "delete by globalId": lambda site: site.perform(delete_by_global_id_write("ENG-1", "g=1&i=2")),
}


def failing(operation: Operation, script: Script, clock: VirtualClock) -> Exception:
    """Return the error that an operation ends with."""
    with pytest.raises(Exception, match=r".") as caught:
        asyncio.run(operation(client(script, clock)))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("status", [400, 403, 404, 413, 410, 422])
@pytest.mark.parametrize("operation", [*READS.values(), *WRITES.values()])
def test_a_refusal_is_asked_for_once_and_told_in_atlassians_words(
    operation: Operation, status: int, clock: VirtualClock
) -> None:
    script = Script(answer(status, SAID, atl_traceid="abc123"))
    error = failing(operation, script, clock)
    assert isinstance(error, JiraRefusedError)
    assert (error.status, error.trace) == (status, "abc123")
    assert error.messages == ("Nein.", "title: 'title' is required.")
    assert error.exit_code is ExitCode.REMOTE
    assert len(script.asked) == 1
    assert error.exchange["answer"]["status"] == status


@pytest.mark.parametrize("operation", [*READS.values(), *WRITES.values()])
def test_a_refusal_with_an_empty_body_is_one_too(operation: Operation, clock: VirtualClock) -> None:
    error = failing(operation, Script(answer(404)), clock)
    assert isinstance(error, JiraRefusedError)
    assert error.messages == ()
    assert error.hint


@pytest.mark.parametrize("operation", [*READS.values(), *WRITES.values()])
def test_401_with_a_login_that_is_gone_is_a_lost_credential(
    operation: Operation, clock: VirtualClock
) -> None:
    error = failing(operation, Script(answer(401), me=[ME, answer(401)]), clock)
    assert isinstance(error, LoginLostError)
    assert error.exit_code is ExitCode.CREDENTIAL


@pytest.mark.parametrize("operation", [*READS.values(), *WRITES.values()])
def test_401_with_a_login_that_works_is_a_matter_of_scopes(
    operation: Operation, clock: VirtualClock
) -> None:
    error = failing(operation, Script(answer(401)), clock)
    assert isinstance(error, JiraRefusedError)
    assert "scopes" in error.hint


LOGGED_OUT = {"failed": "AUTHENTICATED_FAILED", "denied": "AUTHENTICATION_DENIED"}


@pytest.mark.parametrize("reason", LOGGED_OUT.values(), ids=LOGGED_OUT.keys())
@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("operation", READS.values(), ids=READS.keys())
def test_an_answer_to_nobody_is_a_lost_login_even_where_it_looks_fine(
    operation: Operation, status: int, reason: str, clock: VirtualClock
) -> None:
    script = Script(answer(status, [], x_seraph_loginreason=reason))
    error = failing(operation, script, clock)
    assert isinstance(error, LoginLostError)
    assert ("CAPTCHA" in error.hint) == (reason == "AUTHENTICATION_DENIED")


PASSING = {
    "no connection": CUT,
    "connection lost": LOST,
    "408": answer(408),
    "500": answer(500),
    "502 as a web page": html(502),
    "503": answer(503),
}


@pytest.mark.parametrize("outcome", PASSING.values(), ids=PASSING.keys())
def test_a_read_is_repeated_until_it_is_answered(outcome: Any, clock: VirtualClock) -> None:
    script = Script(outcome, outcome, answer(200, []))
    assert asyncio.run(client(script, clock).remote_links("ENG-1")) == ()
    waits = [b - a for a, b in zip(script.moments_s, script.moments_s[1:], strict=False)]
    assert waits == pytest.approx([2.0, 4.0])  # chance 0.5 is a factor of 1


@pytest.mark.parametrize("outcome", PASSING.values(), ids=PASSING.keys())
def test_a_read_that_is_never_answered_ends_as_not_reached(
    outcome: Any, clock: VirtualClock
) -> None:
    script = Script(*[outcome] * 3)
    error = failing(READS["list"], script, clock)
    assert isinstance(error, NotReachedError)
    assert error.exit_code is ExitCode.REMOTE
    assert error.hint
    assert "3 times" in str(error)


UNKNOWN = {
    "connection lost": LOST,
    "a redirect": answer(302, location="https://elsewhere.example/login"),
    "408": answer(408),
    "500": answer(500, SAID),
    "503 that says when to come again": answer(503, retry_after="1"),
    "a web page that looks fine": html(200),
}


@pytest.mark.parametrize("outcome", UNKNOWN.values(), ids=UNKNOWN.keys())
@pytest.mark.parametrize("operation", WRITES.values(), ids=WRITES.keys())
def test_a_write_that_may_have_arrived_is_never_sent_again(
    operation: Operation, outcome: Any, clock: VirtualClock
) -> None:
    script = Script(outcome)
    error = failing(operation, script, clock)
    assert isinstance(error, WriteUnknownError)
    assert error.exit_code is ExitCode.UNKNOWN
    assert len(script.asked) == 1


@pytest.mark.parametrize("body", [None, b"{}", b"[]", b'{"id": "x"}', b"created"])
def test_a_created_link_without_an_id_is_unknown(body: bytes | None, clock: VirtualClock) -> None:
    error = failing(WRITES["create"], Script(answer(201, body)), clock)
    assert isinstance(error, WriteUnknownError)


@pytest.mark.parametrize("operation", WRITES.values(), ids=WRITES.keys())
def test_a_write_without_a_connection_is_sent_when_there_is_one(
    operation: Operation, clock: VirtualClock
) -> None:
    script = Script(CUT, CUT, answer(200, {"id": 7, "self": "x"}))
    asyncio.run(operation(client(script, clock)))  # type: ignore[arg-type]
    assert len(script.asked) == 3
    error = failing(operation, Script(CUT, CUT, CUT), clock)
    assert isinstance(error, NotReachedError)


LIMITED = {
    "seconds": {"retry_after": "40"},
    "a date": {"retry_after": "Sun, 22 Nov 2026 19:00:40 GMT"},
    "a reset": {"x_ratelimit_reset": "2026-11-22T19:00:40Z"},
}
REASONS = ["jira-burst-based", "jira-quota-tenant-based", "jira-per-issue-on-write", None]


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("told", LIMITED.values(), ids=LIMITED.keys())
@pytest.mark.parametrize("operation", [READS["list"], *WRITES.values()])
def test_after_429_the_next_request_comes_no_earlier_than_told(
    operation: Operation, told: dict[str, str], reason: str | None, clock: VirtualClock
) -> None:
    headers = told if reason is None else told | {"ratelimit_reason": reason}
    script = Script(answer(429, SAID, **headers), answer(200, {"id": 7, "object": {}}))
    asyncio.run(operation(client(script, clock)))  # type: ignore[arg-type]
    assert 40.0 <= script.moments_s[1] - script.moments_s[0] <= 45.0


def test_429_without_a_word_backs_off(clock: VirtualClock) -> None:
    script = Script(*[answer(429)] * 3, answer(200, []))
    asyncio.run(client(script, clock).remote_links("ENG-1"))
    waits = [b - a for a, b in zip(script.moments_s, script.moments_s[1:], strict=False)]
    assert waits == pytest.approx([2.0, 4.0, 8.0], abs=0.5)


def test_429_that_tells_to_wait_no_time_backs_off_all_the_same(clock: VirtualClock) -> None:
    script = Script(*[answer(429, retry_after="0")] * 3, answer(200, []))
    asyncio.run(client(script, clock).remote_links("ENG-1"))
    assert script.moments_s[-1] - script.moments_s[0] >= 13.0


def test_429_without_end_ends_as_not_reached(clock: VirtualClock) -> None:
    error = failing(READS["list"], Script(*[answer(429, retry_after="1")] * 4), clock)
    assert isinstance(error, NotReachedError)
    assert error.answer is not None
    assert error.answer.status == 429


def test_nobody_waits_for_days(clock: VirtualClock) -> None:
    script = Script(answer(429, retry_after="90000", ratelimit_reason="jira-quota-tenant-based"))
    error = failing(READS["list"], script, clock)
    assert isinstance(error, NotReachedError)
    assert "90000 s" in str(error)
    assert clock.monotonic_s() < 10


ODD = {
    "a web page": (html(200), "a web page"),
    "a web page that refuses": (html(403), "a web page"),
    "a web page that finds nothing": (html(404), "a web page"),
    "a redirect": (answer(302, location="https://id.example/login?x=1"), "to id.example"),
    "no JSON": (answer(200, b"ok"), "documented JSON"),
    "nothing": (answer(200), "documented JSON"),
    "a text": (answer(200, "ok"), "documented JSON"),
    "a list of texts": (answer(200, ["ok"]), "documented JSON"),
    "JSON without bottom": (answer(200, b"[" * 100_000), "documented JSON"),
}


@pytest.mark.parametrize("case", ODD.values(), ids=ODD.keys())
def test_an_answer_that_is_no_api_is_said_to_be_none(case: Any, clock: VirtualClock) -> None:
    outcome, words = case
    error = failing(READS["list"], Script(outcome), clock)
    assert isinstance(error, NotDocumentedError)
    assert words in str(error)
    assert error.hint


def test_words_from_outside_cannot_move_the_cursor(clock: VirtualClock) -> None:
    said = {"errorMessages": ["\x1b[2Jgone\u202e" + "x" * 5000]}
    error = failing(READS["list"], Script(answer(400, said)), clock)
    assert "\x1b" not in str(error)
    assert "\u202e" not in str(error)
    assert len(str(error)) < 600


def test_many_404_in_a_row_are_a_reason_to_ask_who_we_are(clock: VirtualClock) -> None:
    script = Script(*[answer(404)] * 10, me=[ME, answer(401)])
    site = client(script, clock)

    async def read_all() -> None:
        for number in range(10):
            try:
                await site.remote_links(f"ENG-{number}")
            except JiraRefusedError:
                continue

    with pytest.raises(LoginLostError):
        asyncio.run(read_all())

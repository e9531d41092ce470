"""The stand-in that asks for an intent before each write says so where there is none."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from runbook.clock import VirtualClock
from runbook.ledger.events import SubmitIntended, SubmitLost
from runbook.ledger.events.links import WriteEnded, WriteIntended
from runbook.ledger.store import Ledger, create_ledger
from runbook.secrets import Mask
from tests.intents import IntentsFirst, Watch

JOB = ("POST", "https://api.atlassian.com/x/jobs/cma", "{}")
LINK = ("PUT", "https://a.atlassian.net/rest/api/3/issue/A-1/remotelink/7", '{"a": 1}')
SEARCH = ("POST", "https://a.atlassian.net/rest/api/3/search/jql", "{}")
LOOK = ("GET", "https://a.atlassian.net/rest/api/3/issue/A-1/remotelink", "")
OTHER_BODY = (*LINK[:2], '{"a": 2}')
OTHER_PLACE = (LINK[0], LINK[1] + "1", LINK[2])
Words = tuple[str, str, str]


def submit(words: Words) -> SubmitIntended:
    return SubmitIntended(number=1, request=kept(words))


def kept(words: Words) -> dict[str, object]:
    method, url, body = words
    return {"method": method, "url": url, "headers": {}, "body": body, "account": "default"}


def write(words: Words) -> WriteIntended:
    return WriteIntended(
        purpose="links",
        write="w1",
        action="update",
        site="https://a.atlassian.net",
        issue="A-1",
        link_id="7",
        global_id=None,
        before=None,
        after=None,
        request=kept(words),
    )


def nothing(_: Ledger) -> None:
    pass


def intended(ledger: Ledger) -> None:
    ledger.append(submit(JOB), run="r", job="j")
    ledger.append(write(LINK), run="r")


def ended(ledger: Ledger) -> None:
    intended(ledger)
    ledger.append(SubmitLost(reason="no answer"), run="r", job="j")
    end = WriteEnded(
        purpose="links", write="w1", result="done", link_id="7", detail="", exchange=None
    )
    ledger.append(end, run="r")


def intended_again(ledger: Ledger) -> None:
    ended(ledger)
    intended(ledger)


CASES: dict[str, tuple[Callable[[Ledger], None], Words, str]] = {
    "a job without an intent": (nothing, JOB, "unannounced"),
    "a write of a link without an intent": (nothing, LINK, "unannounced"),
    "a job whose intent is there": (intended, JOB, "announced"),
    "a write of a link whose intent is there": (intended, LINK, "announced"),
    "a job whose only intent has its end": (ended, JOB, "unannounced"),
    "a write of a link whose only intent has its end": (ended, LINK, "unannounced"),
    "a job that is sent again with an intent of its own": (intended_again, JOB, "announced"),
    "a write with another body than was intended": (intended, OTHER_BODY, "unannounced"),
    "a write to another place than was intended": (intended, OTHER_PLACE, "unannounced"),
    "a search by POST": (nothing, SEARCH, "not a write"),
    "a look": (nothing, LOOK, "not a write"),
}


def noted(ledger: Path, words: Words) -> str:
    """Return where the stand-in notes a request."""
    watch = Watch()
    method, url, body = words

    async def send() -> None:
        inner = httpx.MockTransport(lambda _: httpx.Response(200))
        async with httpx.AsyncClient(transport=IntentsFirst(inner, lambda: ledger, watch)) as one:
            await one.request(method, url, content=body)

    asyncio.run(send())
    if watch.announced:
        return "announced"
    return "unannounced" if watch.unannounced else "not a write"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_write_counts_as_announced_only_with_an_open_intent_for_it(
    case: tuple[Callable[[Ledger], None], Words, str], ledger_path: Path, clock: VirtualClock
) -> None:
    events, words, expected = case
    with create_ledger(ledger_path, clock=clock, mask=Mask()) as ledger:
        events(ledger)
        assert noted(ledger_path, words) == expected


def test_an_intent_that_is_not_committed_does_not_count(
    ledger_path: Path, clock: VirtualClock
) -> None:
    with create_ledger(ledger_path, clock=clock, mask=Mask()) as ledger:
        row = ledger.append(write(LINK), run="r")
        ledger._db.execute("BEGIN")
        ledger._db.execute(
            "INSERT INTO event SELECT 2, at, kind, run, job, ?, hash FROM event",
            (row.payload.replace("/remotelink/7", "/remotelink/71"),),
        )
        assert noted(ledger_path, OTHER_PLACE) == "unannounced"
        ledger._db.execute("COMMIT")
        assert noted(ledger_path, OTHER_PLACE) == "announced"


def test_without_a_ledger_nothing_is_announced(tmp_path: Path) -> None:
    assert noted(tmp_path / "absent.ledger", JOB) == "unannounced"
    assert not (tmp_path / "absent.ledger").exists()

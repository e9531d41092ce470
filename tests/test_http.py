"""What goes over the wire as values, and what every failure of the network means."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from inspect import getmembers, isclass
from types import ModuleType

import httpcore
import httpx
import pytest

from runbook.atlassian.transport import ANSWER_LIMIT_BYTES, HttpTransport, checked_endpoint
from runbook.clock import VirtualClock
from runbook.errors import CredentialError, UsageError
from runbook.http import Answer, Lost, NotSent, Outcome, Request
from runbook.secrets import Account, Secret

AT = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
CANARY = "canary-T0ken/with+odd=chars"
ACCOUNT = Account("default", "j@x.example", Secret(CANARY))


def answer(body: bytes = b"", *headers: tuple[str, str], status: int = 200) -> Answer:
    return Answer(status=status, headers=headers, body=body, at=AT)


def test_headers_are_found_in_any_case() -> None:
    """The first of several; None where absent."""
    one = answer(b"", ("retry-after", "5"), ("retry-after", "9"))
    assert one.header("Retry-After") == "5"
    assert one.header("Date") is None


HTML = {
    "a doctype": (answer(b"  <!DOCTYPE HTML><html>"), True),
    "an html element": (answer(b"\n<html lang='en'>"), True),
    "said to be html": (answer(b"login", ("content-type", "text/html; charset=utf-8")), True),
    "JSON": (answer(b'{"a": "<html>"}', ("content-type", "application/json")), False),
    "nothing": (answer(b"", ("content-type", "text/html")), False),
    "plain text": (answer(b"Pending"), False),
}


@pytest.mark.parametrize("case", HTML.values(), ids=HTML.keys())
def test_a_web_page_is_recognised(case: tuple[Answer, bool]) -> None:
    """A login page or a proxy's page is never an API's answer."""
    assert case[0].is_html() is case[1]


def test_an_answer_is_kept_byte_for_byte() -> None:
    """Text as text, anything else in base64."""
    kept = answer(b"\xff\x00", ("date", "d")).as_json()
    assert base64.b64decode(kept["body_base64"]) == b"\xff\x00"
    assert kept["body"] is None
    assert answer("grün".encode()).as_json()["body"] == "grün"
    assert answer(b"\xffx").text() == "\ufffdx"
    with pytest.raises(ValueError, match=r"."):
        answer(b"<html>").json()


def test_a_request_is_kept_without_a_credential() -> None:
    """The account's name goes into the ledger, its token does not."""
    kept = Request(method="POST", url="https://x", body=b"{}", account="contoso").as_json()
    assert kept == {
        "method": "POST",
        "url": "https://x",
        "headers": {},
        "body": "{}",
        "account": "contoso",
    }


# Whether a request can have arrived, for every error that httpx and httpcore export.
CANNOT_HAVE_ARRIVED = [
    "ConnectError",
    "ConnectTimeout",
    "ConnectionNotAvailable",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
]
MAY_HAVE_ARRIVED = [
    "LocalProtocolError",
    "RemoteProtocolError",
    "ProtocolError",
    "ReadError",
    "ReadTimeout",
    "WriteError",
    "WriteTimeout",
    "CloseError",
    "NetworkError",
    "TimeoutException",
    "TransportError",
]


def errors_of(library: ModuleType) -> list[type[Exception]]:
    """Return the errors of a request that a library exports."""
    root = getattr(library, "TransportError", Exception)
    return [kind for _, kind in getmembers(library, isclass) if issubclass(kind, root)]


ERRORS = errors_of(httpx) + errors_of(httpcore)


def name_of(kind: type[Exception]) -> str:
    return f"{kind.__module__.partition('.')[0]} {kind.__name__}"


@pytest.mark.parametrize("kind", ERRORS, ids=name_of)
def test_every_error_of_the_libraries_is_known(kind: type[Exception]) -> None:
    """Whether a request can have arrived is decided for each, by no accident of inheritance."""
    assert (kind.__name__ in CANNOT_HAVE_ARRIVED) != (kind.__name__ in MAY_HAVE_ARRIVED)


def send_through(handler: object, request: Request, **options: object) -> Outcome:
    async def once() -> Outcome:
        client = HttpTransport(
            accounts=(ACCOUNT,),
            clock=VirtualClock(AT),
            sockets=lambda: httpx.MockTransport(handler),
            **options,
        )
        try:
            return await client(request)
        finally:
            await client.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize("kind", ERRORS, ids=name_of)
@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "kept"])
def test_a_failing_network_becomes_a_value(kind: type[Exception], fresh: bool) -> None:
    """No exception of the network leaves the transport."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise kind("words of the system")

    outcome = send_through(
        fail, Request(method="GET", url="https://a.atlassian.net/x", fresh=fresh)
    )
    expected = NotSent if kind.__name__ in CANNOT_HAVE_ARRIVED else Lost
    assert isinstance(outcome, expected)
    assert outcome.reason == "GET to a.atlassian.net: words of the system"


def test_an_answer_without_end_is_lost() -> None:
    """A body beyond the limit is not read to its end."""

    async def endless() -> object:
        chunk = b"x" * (1 << 20)
        for _ in range(ANSWER_LIMIT_BYTES // len(chunk) + 2):
            yield chunk

    outcome = send_through(
        lambda _: httpx.Response(200, content=endless()), Request(method="GET", url="https://x/")
    )
    assert isinstance(outcome, Lost)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("method", "fresh"), [("GET", False), ("POST", False), ("POST", True)])
def test_redirects_are_not_followed(method: str, fresh: bool, status: int) -> None:
    """So no credential reaches a host it was not meant for, and nothing is sent a second time."""
    seen = []

    def redirect(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(status, headers={"Location": "https://evil.example/"})

    outcome = send_through(
        redirect,
        Request(method=method, url="https://a/x", body=b"{}", account="default", fresh=fresh),
    )
    assert isinstance(outcome, Answer)
    assert (outcome.status, seen) == (status, ["https://a/x"])


def test_the_credential_goes_into_the_header_and_nowhere_else() -> None:
    """Only a request that names an account carries one."""
    seen: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, headers={"Authorization": "echo", "Set-Cookie": "c"}, json={})

    with_account = Request(method="POST", url="https://a/x?y=1", body=b"{}", account="default")
    outcome = send_through(keep, with_account)
    send_through(keep, Request(method="GET", url="https://a/_edge/tenant_info"))
    assert seen[0].headers["Authorization"] == ACCOUNT.basic().reveal()
    assert "Authorization" not in seen[1].headers
    assert isinstance(outcome, Answer)
    assert CANARY not in json.dumps(outcome.as_json())
    assert not {"authorization", "set-cookie"} & {name for name, _ in outcome.headers}


def test_an_endpoint_stands_in_for_every_host() -> None:
    """The host it was meant for travels in `Host`; path and query stay as they are."""
    seen: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    address = (
        "https://a.atlassian.net/rest/api/3/issue/A-1/remotelink?globalId=appId%3D1%26issueId%3D2"
    )
    send_through(keep, Request(method="GET", url=address), endpoint="http://127.0.0.1:8123")
    (request,) = seen
    assert request.headers["Host"] == "a.atlassian.net"
    assert (request.url.scheme, request.url.host, request.url.port) == ("http", "127.0.0.1", 8123)
    assert request.url.raw_path == address.removeprefix("https://a.atlassian.net").encode()


GOOD_ENDPOINTS = {
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://127.0.0.1:8080/": "http://127.0.0.1:8080",
    "http://localhost:1": "http://localhost:1",
    "http://[::1]:8080": "http://[::1]:8080",
    "http://127.8.9.10": "http://127.8.9.10",
}
BAD_ENDPOINTS = [
    "https://127.0.0.1:8080",
    "http://10.0.0.1:8080",
    "http://example.com",
    "http://localhost.example.com",
    "http://127.0.0.1:8080/path",
    "http://127.0.0.1:8080?x",
    "http://user:pw@127.0.0.1:8080",
    "http://127.0.0.1:notaport",
    "http://127.0.0.1@evil.example",
    "http://0.0.0.0:80",
    "127.0.0.1:8080",
    "http://[::1",
    "",
]


@pytest.mark.parametrize("text", GOOD_ENDPOINTS)
def test_a_loopback_endpoint_is_accepted(text: str) -> None:
    """With or without its last slash."""
    assert checked_endpoint(text) == GOOD_ENDPOINTS[text]


@pytest.mark.parametrize("text", BAD_ENDPOINTS)
def test_anything_else_is_no_endpoint(text: str) -> None:
    """Refused as a mistake in the command, before anything is sent."""
    with pytest.raises(UsageError):
        checked_endpoint(text)


DEEP = {
    "an array without end": b"[" * 100_000,
    "an array that is closed": b"[" * 5000 + b"]" * 5000,
    "deeper than any answer of an API": b'{"message":' * 150 + b"1" + b"}" * 150,
}


@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP.keys())
def test_json_that_is_nested_too_deeply_is_no_json(body: bytes) -> None:
    """So that whoever reads an answer may descend into it."""
    with pytest.raises(ValueError, match=r"."):
        answer(body).json()


def test_json_that_is_wide_is_json() -> None:
    """A page of search results holds hundreds of objects."""
    value = {"issues": [{"fields": {"a": [{}]}} for _ in range(500)]}
    assert answer(json.dumps(value).encode()).json() == value
    assert answer(json.dumps("[" * 500).encode()).json() == "[" * 500


ECHOES = {
    "as it is": CANARY.encode(),
    "amid bytes that are no text": b"\xff bad: " + CANARY.encode(),
    "as Gson escapes it": CANARY.replace("=", "\\u003d").replace("+", "\\u002b").encode(),
    "inside a longer base64": base64.b64encode(b"Authorization: j@x.example:" + CANARY.encode()),
}


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "kept"])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_an_answer_holds_no_credential_however_it_was_echoed(echo: bytes, fresh: bool) -> None:
    """Neither its body nor a header; nobody behind the transport could cut or encode it."""
    outcome = send_through(
        lambda _: httpx.Response(400, headers=[(b"X-Echo", echo), (b"Date", b"d")], content=echo),
        Request(method="GET", url="https://a/x", account="default", fresh=fresh),
    )
    assert isinstance(outcome, Answer)
    assert outcome.header("date") == "d"
    assert b"***" in outcome.body
    assert "***" in (outcome.header("x-echo") or "")
    kept = json.dumps(outcome.as_json())
    assert CANARY[:6] not in kept
    assert base64.b64encode(CANARY.encode()[2:20]).decode() not in kept


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "kept"])
def test_the_words_of_a_failure_hold_no_credential(fresh: bool) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError(f"illegal header line: {CANARY}")

    outcome = send_through(fail, Request(method="GET", url="https://a/x", fresh=fresh))
    assert outcome == Lost(reason="GET to a: illegal header line: ***")


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "kept"])
def test_a_header_that_comes_twice_is_kept_twice(fresh: bool) -> None:
    """The longest of two waits can be taken; joined they are no number."""
    headers = [("Retry-After", "30"), ("Retry-After", "90")]
    outcome = send_through(
        lambda _: httpx.Response(429, headers=headers),
        Request(method="GET", url="https://a/x", fresh=fresh),
    )
    assert isinstance(outcome, Answer)
    assert [pair for pair in outcome.headers if pair[0] == "retry-after"] == [
        ("retry-after", "30"),
        ("retry-after", "90"),
    ]


def test_a_token_too_short_to_be_one_is_not_sent_to_real_hosts() -> None:
    """It is a word to practise with, and `--endpoint` was forgotten; a stand-in takes it."""
    account = Account("contoso", "j@x.example", Secret("dummy"))
    with pytest.raises(CredentialError, match="contoso"):
        HttpTransport(accounts=(account,), clock=VirtualClock(AT))
    HttpTransport(accounts=(account,), clock=VirtualClock(AT), endpoint="http://127.0.0.1:9")

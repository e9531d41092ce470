"""What really goes over the wire, through every transport: a raw socket listens."""

import asyncio
import contextlib
import gzip
import ssl
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runbook.atlassian import transport as transport_module
from runbook.atlassian.connection_pool import ConnectionPool, Origin
from runbook.atlassian.jira_values import create_write, delete_by_global_id_write
from runbook.atlassian.transport import HttpTransport
from runbook.clock import SystemClock
from runbook.errors import CredentialError, UsageError
from runbook.execute.submit_rules import request_of
from runbook.http import Answer, Lost, NotSent, Outcome, Request
from runbook.jobs import jobs_of
from tests.atlassian.scripted import ACCOUNT, ENG, client
from tests.canary import CANARY
from tests.evening import small_plan

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
NASTY = "appId=55f8&issueId=1:/?#[]@!$'()*+,; %ü\u202e"
ENCODED = (
    "globalId=appId%3D55f8%26issueId%3D1%3A%2F%3F%23%5B%5D%40%21%24%27%28%29%2A%2B%2C%3B%20%25"
    "%C3%BC%E2%80%AE"
)

Work = Callable[[HttpTransport], Awaitable[Any]]


class Listener:
    """A server that keeps what it hears and says what it was told to, then perhaps hangs up."""

    def __init__(self, *replies: bytes | None, hang_up: bool = False) -> None:
        self.replies = list(replies)
        self.hang_up = hang_up
        self.heard: list[bytes] = []
        self.connections = 0
        self.ended = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.ended.clear()
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.heard.append(head + await reader.readexactly(length))
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
                if self.hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.ended.set()


def through(
    listener: Listener, work: Work, *, tls: ssl.SSLContext | None = None, **options: Any
) -> Any:
    """Serve on loopback while some work goes through a real transport."""

    async def whole() -> Any:
        server = await asyncio.start_server(listener, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        values = {"endpoint": f"http://127.0.0.1:{port}"} if tls is None else {}
        transport = HttpTransport(accounts=(ACCOUNT,), clock=SystemClock(), **(values | options))
        transport.port = port  # type: ignore[attr-defined] - for addresses without a stand-in
        try:
            return await work(transport)
        finally:
            await transport.aclose()
            server.close()
            # The server's side of each connection notices that it was closed.
            await asyncio.sleep(0.02)

    return asyncio.run(whole())


def get(fresh: bool = False, url: str = f"{ENG}/rest/api/3/x") -> Work:
    async def work(transport: HttpTransport) -> Outcome:
        return await transport(Request(method="GET", url=url, account="default", fresh=fresh))

    return work


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_a_global_id_goes_out_percent_encoded(fresh: bool) -> None:
    async def work(transport: HttpTransport) -> None:
        site = client(transport, SystemClock())  # type: ignore[arg-type]
        if fresh:
            await site.perform(delete_by_global_id_write("ENG-1", NASTY))
        else:
            await site.remote_link_by_global_id("ENG-1", NASTY)

    me = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"accountId":"x"}'
    one = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"id":7}'
    listener = Listener(me, one)
    through(listener, work)
    target = listener.heard[-1].split(b" ")[1].decode()
    assert target == f"/rest/api/3/issue/ENG-1/remotelink?{ENCODED}"


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_a_request_names_its_own_host_and_carries_the_credential_once(fresh: bool) -> None:
    listener = Listener(OK)
    outcome = through(listener, get(fresh))
    assert isinstance(outcome, Answer)
    head = listener.heard[0].decode().lower()
    assert "host: contoso-eng.atlassian.net\r\n" in head
    assert head.count("authorization: basic") == 1
    assert CANARY.lower() not in head


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_a_body_arrives_whole(fresh: bool) -> None:
    body = create_write("ENG-1", {"object": {"title": "ü" * 100_000}}).body

    async def work(transport: HttpTransport) -> Outcome:
        import json

        raw = json.dumps(body, ensure_ascii=False).encode()
        request = Request(method="POST", url=f"{ENG}/x", body=raw, fresh=fresh)
        return await transport(request)

    listener = Listener(OK)
    through(listener, work)
    assert listener.heard[0].partition(b"\r\n\r\n")[2].decode().count("ü") == 100_000


def test_a_connection_is_kept_and_the_last_one_is_taken_first() -> None:
    listener = Listener(OK)

    async def work(transport: HttpTransport) -> None:
        await asyncio.gather(*(get()(transport) for _ in range(5)))
        for _ in range(20):
            await get()(transport)

    through(listener, work)
    assert listener.connections == 5
    assert len(listener.heard) == 25


def test_a_connection_that_was_ended_meanwhile_is_not_used() -> None:
    listener = Listener(OK, hang_up=True)

    async def work(transport: HttpTransport) -> list[Outcome]:
        outcomes = []
        for _ in range(3):
            outcomes.append(await get()(transport))
            await listener.ended.wait()
            # The end travels through the system before the client's loop can see it.
            await asyncio.sleep(0.05)
        return outcomes

    assert all(isinstance(outcome, Answer) for outcome in through(listener, work))
    assert listener.connections == 3


BROKEN = {
    "hangs up without a word": None,
    "hangs up in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "hangs up in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]",
    "speaks something else": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "sends a body that is not packed as it says": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]"
    ),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_breaks_off_is_lost(reply: bytes | None) -> None:
    outcome = through(Listener(reply, hang_up=True), get())
    assert isinstance(outcome, Lost)
    assert "contoso-eng.atlassian.net" in outcome.reason


def test_nobody_listening_means_not_sent() -> None:
    async def work(transport: HttpTransport) -> Outcome:
        return await transport(Request(method="GET", url=f"{ENG}/x"))

    outcome = through(Listener(OK), work, endpoint="http://127.0.0.1:9")
    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize("url", ["ftp://x.example/", "https://", "x", "https://u:p@x.example/"])
def test_what_is_no_address_is_not_sent(url: str) -> None:
    assert isinstance(through(Listener(OK), get(url=url), endpoint=None), NotSent)


def test_an_account_that_was_not_read_is_said() -> None:
    async def work(transport: HttpTransport) -> None:
        await transport(Request(method="GET", url=f"{ENG}/x", account="contoso-ops"))

    with pytest.raises(CredentialError, match="contoso-ops"):
        through(Listener(OK), work)


def test_a_packed_body_is_unpacked_and_a_bomb_is_not() -> None:
    packed = gzip.compress(b'{"a": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    outcome = through(Listener(head % len(packed) + packed), get())
    assert isinstance(outcome, Answer)
    assert outcome.json() == {"a": 1}
    bomb = gzip.compress(b"0" * (65 * 1024 * 1024), 9)
    outcome = through(Listener(head % len(bomb) + bomb), get())
    assert isinstance(outcome, Lost)
    assert "larger" in outcome.reason


def test_a_chunked_body_and_a_redirect_are_answers() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n"
    outcome = through(Listener(chunked), get())
    assert isinstance(outcome, Answer)
    assert outcome.body == b"[]"
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"
    listener = Listener(moved)
    outcome = through(listener, get())
    assert isinstance(outcome, Answer)
    assert outcome.status == 302
    assert len(listener.heard) == 1


def test_time_that_runs_out_loses_the_answer() -> None:
    async def work(transport: HttpTransport) -> Outcome:
        return await transport(Request(method="GET", url=f"{ENG}/x", timeout_s=0.05))

    class Silent(Listener):
        async def __call__(
            self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await reader.read(10)
            await reader.read(-1)
            writer.close()

    assert isinstance(through(Silent(OK), work), Lost)


class Late(Listener):
    """A server that answers the first request after everybody gave it up."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.connections:
            self.connections += 1
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(1)
            writer.close()
            return
        await super().__call__(reader, writer)


def test_a_connection_that_failed_is_not_used_again() -> None:
    """A late answer would be taken for that of the next request."""

    async def work(transport: HttpTransport) -> list[Outcome]:
        hasty = Request(method="GET", url=f"{ENG}/x", timeout_s=0.2)
        return [await transport(hasty), await get()(transport), await get()(transport)]

    listener = Late(OK)
    first, *others = through(listener, work)
    assert first == Lost(reason="GET to contoso-eng.atlassian.net: no answer in time")
    assert all(isinstance(outcome, Answer) for outcome in others)
    assert listener.connections == 2


class Early(Listener):
    """A server that answers the first request before its body has arrived."""

    reads_on = True

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.connections:
            await super().__call__(reader, writer)
            return
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        if self.reads_on:
            with contextlib.suppress(ConnectionError):
                while await reader.read(1 << 16):
                    pass
        writer.close()


class EarlyAndGone(Early):
    """The same, gone before the body has arrived, so that the system may drop the answer."""

    reads_on = False


EARLY = {"and reads on": (Early, (Answer,)), "and hangs up": (EarlyAndGone, (Answer, Lost))}


@pytest.mark.parametrize("case", EARLY.values(), ids=EARLY.keys())
def test_an_early_answer_counts_and_its_connection_is_not_used_again(
    case: tuple[type[Early], tuple[type[Outcome], ...]],
) -> None:
    """Whoever answers while the body is still being written has had the request."""
    server, expected = case
    listener = server(OK)

    async def work(transport: HttpTransport) -> list[Outcome]:
        large = Request(method="POST", url=f"{ENG}/x", body=b" " * 8_000_000, timeout_s=5)
        return [await transport(large), await get()(transport)]

    first, second = through(listener, work)
    assert isinstance(first, expected)
    assert not isinstance(first, Answer) or first.status == 413
    assert isinstance(second, Answer)
    assert second.status == 200
    assert listener.connections == 2


class Dripping(Listener):
    """A server that begins an answer and goes on byte by byte, for ever."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            for part in self.replies:
                writer.write(part or b"")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()


DRIPPING = {
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
    "in the head": b"HTTP/1.1 200 OK\r\nX-Slow: ",
}


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
@pytest.mark.parametrize("begun", DRIPPING.values(), ids=DRIPPING.keys())
def test_an_answer_that_drips_for_ever_is_lost(
    begun: bytes, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, the whole never does."""
    # A busy machine may hold up one byte for long, but not for as long as the whole may take.
    monkeypatch.setattr(transport_module, "DEADLINE_WAITS", 0.5)

    async def work(transport: HttpTransport) -> Outcome:
        return await transport(
            Request(method="GET", url=f"{ENG}/x", timeout_s=1.0, fresh=fresh, account="default")
        )

    outcome = through(Dripping(begun), work)
    assert outcome == Lost(reason="GET to contoso-eng.atlassian.net: no complete answer in 0.5 s")


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_an_echoed_credential_is_masked_in_head_and_body(fresh: bool) -> None:
    """Also where it comes packed."""
    body = gzip.compress(b"\xff" + CANARY.encode())
    head = f"HTTP/1.1 400 No\r\nX-Echo: {CANARY}\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    outcome = through(Listener(head.encode() + body), get(fresh))
    assert isinstance(outcome, Answer)
    assert outcome.header("x-echo") == "***"
    assert outcome.body == b"\xff***"


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_headers_that_come_twice_stay_two(fresh: bool) -> None:
    twice = b"HTTP/1.1 429 No\r\nRetry-After: 30\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"
    outcome = through(Listener(twice), get(fresh))
    assert isinstance(outcome, Answer)
    assert [text for name, text in outcome.headers if name == "retry-after"] == ["30", "90"]


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's TLS context for localhost and the file of the authority behind it."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    return context, bundle


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_tls_is_trusted_by_the_bundle_and_by_nothing_less(
    fresh: bool, certified: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    context, bundle = certified

    async def work(transport: HttpTransport) -> Outcome:
        url = f"https://localhost:{transport.port}/x"  # type: ignore[attr-defined]
        return await transport(Request(method="GET", url=url, fresh=fresh))

    trusted = through(Listener(OK), work, tls=context, ca_bundle=bundle)
    assert isinstance(trusted, Answer)
    outcome = through(Listener(OK), work, tls=context)
    assert isinstance(outcome, NotSent)
    assert "--ca-bundle" in outcome.hint


def test_a_proxy_of_the_environment_is_asked_for_other_hosts_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "contoso-ops.atlassian.net,localhost")
    pool = ConnectionPool()
    proxy = pool.proxy(Origin("https", "contoso-eng.atlassian.net", 443))
    assert proxy is not None
    assert (proxy.url.host, proxy.url.port, proxy.raw_auth) == (
        "proxy.example",
        3128,
        (b"me", b"secret"),
    )
    assert pool.proxy(Origin("https", "contoso-ops.atlassian.net", 443)) is None
    assert ConnectionPool(trust_env=False).proxy(Origin("https", "x.example", 443)) is None


ODD_PROXIES = {
    "another protocol": ("socks5://me:pr0xyPass@proxy.example:1080", "`socks5://`"),
    "no protocol that is known": ("foo://me:pr0xyPass@proxy.example:1080", "`foo://`"),
    "no port": ("http://me:pr0xyPass@proxy.example:pr0xyPass", "no address"),
    "no host": ("http://", "`http://`"),
}


@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
@pytest.mark.parametrize(("address", "words"), ODD_PROXIES.values(), ids=ODD_PROXIES.keys())
def test_a_proxy_that_cannot_be_used_is_a_mistake_in_the_settings(
    address: str, words: str, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named, its password is not."""
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UsageError) as caught:
        through(Listener(OK), get(fresh, "https://contoso-eng.atlassian.net/x"), endpoint=None)
    assert "`HTTPS_PROXY`" in str(caught.value)
    assert words in str(caught.value)
    assert "http://[user:password@]host:port" in caught.value.hint
    shown = "".join(traceback.format_exception(caught.value))
    assert "pr0xyPass" not in shown


def test_a_proxy_for_all_matters_only_where_there_is_none_for_the_protocol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("all_proxy", "socks5://proxy.example:1080")
    monkeypatch.setenv("no_proxy", "contoso-ops.atlassian.net")
    pool = ConnectionPool()
    assert pool.proxy(Origin("https", "contoso-ops.atlassian.net", 443)) is None
    proxy = pool.proxy(Origin("https", "contoso-eng.atlassian.net", 443))
    assert proxy is not None
    assert str(proxy.url) == "http://proxy.example:3128"


@pytest.mark.parametrize("status", [407, 403, 502])
def test_a_proxy_that_refuses_means_not_sent(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

    async def work(transport: HttpTransport) -> Outcome:
        return await transport(Request(method="GET", url=f"{ENG}/x", account="default"))

    async def whole() -> Outcome:
        server = await asyncio.start_server(listener, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        transport = HttpTransport(accounts=(ACCOUNT,), clock=SystemClock())
        try:
            return await work(transport)
        finally:
            await transport.aclose()
            server.close()

    outcome = asyncio.run(whole())
    assert isinstance(outcome, NotSent)
    assert listener.heard[0].startswith(b"CONNECT contoso-eng.atlassian.net:443")
    assert b"uthorization" not in listener.heard[0]


def test_moments_are_those_of_the_clock() -> None:
    outcome = through(Listener(OK), get())
    assert isinstance(outcome, Answer)
    assert abs((datetime.now(UTC) - outcome.at).total_seconds()) < 60


def test_every_submission_opens_a_connection_of_its_own() -> None:
    """One that was kept may be dead already, and nobody could say whether the job had arrived."""
    job, *_ = jobs_of(small_plan())
    post = request_of(job, {job.site: "6f1c2a52"})

    async def work(transport: HttpTransport) -> list[int]:
        counted = []
        for request in (Request(method="GET", url=f"{ENG}/x"), post, post, post):
            assert isinstance(await transport(request), Answer)
            counted.append(listener.connections)
        return counted

    listener = Listener(OK)
    assert through(listener, work) == [1, 2, 3, 4]
    assert [head.split(b" ")[0] for head in listener.heard] == [b"GET", b"POST", b"POST", b"POST"]

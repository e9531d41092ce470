"""Keep-alive connections, one request each at a time, for reading a site at its documented limit.

httpcore's own pool looks through all of its connections for each request, so it costs more with every
connection: ten sites of twenty connections came to 292 requests per second in one process. Here the
connections to an origin lie on a stack, and the one used last is taken first (decision 0008). Behind a
proxy a connection is a pool of one of httpcore's, which speaks CONNECT.
"""

import os
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from runbook.errors import UsageError

# An idle connection is not used again after this: servers and firewalls close theirs after a minute
# or more, and one that was closed meanwhile would lose a request.
_IDLE_S = 30.0
_IDLE_CONNECTIONS = 128

_PROXY_HINT = "give it as `http://[user:password@]host:port`; `NO_PROXY` names hosts that need none"

_Connection = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool


class Origin(NamedTuple):
    """Where a connection leads; the host is in ASCII."""

    scheme: str
    host: str
    port: int


class RawAnswer(NamedTuple):
    """Status, headers as they came, and the body; `reused` tells whether the connection was kept."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    reused: bool = False


class AnswerTooLargeError(Exception):
    """The body is larger than it may be."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the answer is larger than {limit_bytes} bytes")


@dataclass(slots=True)
class ConnectionPool:
    """The connections of a process; `trust_env` lets proxies of the environment apply.

    Raises httpcore's errors, which the transport turns into values.
    """

    tls: ssl.SSLContext | None = None
    trust_env: bool = True
    body_limit_bytes: int = 64 * 1024 * 1024
    _idle: dict[Origin, list[_Connection]] = field(default_factory=dict)
    _proxies: Mapping[str, str] | None = None

    async def send(self, origin: Origin, request: httpcore.Request, *, fresh: bool) -> RawAnswer:
        """Send one request and return its whole answer, the body unpacked.

        A `fresh` request gets a connection of its own, which nobody used before or uses after.
        """
        kept = None if fresh else await self._kept(origin)
        connection = kept or self._new(origin)
        whole = False
        try:
            response = await connection.handle_async_request(request)
            try:
                body = bytearray()
                async for chunk in response.aiter_stream():
                    body += chunk
                    if len(body) > self.body_limit_bytes:
                        raise AnswerTooLargeError(self.body_limit_bytes)
            finally:
                await response.aclose()
            whole = True
        finally:
            # After a failure nobody knows what still comes on a connection, so it is not kept.
            if whole and not fresh:
                self._idle.setdefault(origin, []).append(connection)
            else:
                await connection.aclose()
        answer = RawAnswer(response.status, response.headers, bytes(body), kept is not None)
        return _unpacked(answer, self.body_limit_bytes)

    async def aclose(self) -> None:
        """Close every connection."""
        for connections in self._idle.values():
            for connection in connections:
                await connection.aclose()
        self._idle.clear()

    def proxy(self, origin: Origin) -> httpx.Proxy | None:
        """Return the proxy to an origin, None where it is reached directly.

        The variables are `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case, as
        they are at the first question. On Windows and macOS the system's own settings count too.

        Raises:
            UsageError: the environment names a proxy that does not speak HTTP or cannot be read.
        """
        if self._proxies is None:
            self._proxies = getproxies() if self.trust_env else {}
        kind = origin.scheme if self._proxies.get(origin.scheme) else "all"
        address = self._proxies.get(kind)
        return _proxy_at(address, kind) if address and not proxy_bypass(origin.host) else None

    async def _kept(self, origin: Origin) -> _Connection | None:
        idle = self._idle.get(origin, [])
        while idle:
            # The one used last: the others grow old and are closed.
            connection = idle.pop()
            if isinstance(connection, httpcore.AsyncConnectionPool) or (
                connection.is_available() and not connection.has_expired()
            ):
                while len(idle) > _IDLE_CONNECTIONS:
                    await idle.pop(0).aclose()
                return connection
            await connection.aclose()
        return None

    def _new(self, origin: Origin) -> _Connection:
        proxy = self.proxy(origin)
        if proxy is not None:
            through = httpcore.Proxy(str(proxy.url), auth=proxy.raw_auth)
            return httpcore.AsyncConnectionPool(
                ssl_context=self.tls, proxy=through, max_connections=1, keepalive_expiry=_IDLE_S
            )
        return httpcore.AsyncHTTPConnection(
            httpcore.Origin(origin.scheme.encode(), origin.host.encode(), origin.port),
            ssl_context=self.tls,
            keepalive_expiry=_IDLE_S,
        )


def _unpacked(answer: RawAnswer, limit_bytes: int) -> RawAnswer:
    coding = next((v for name, v in answer.headers if name.lower() == b"content-encoding"), b"")
    if coding.strip().lower() not in (b"gzip", b"x-gzip", b"deflate"):
        return answer
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        body = unpacker.decompress(answer.body, limit_bytes)
    except zlib.error as problem:
        raise httpcore.RemoteProtocolError(
            f"the body is not packed as it says: {problem}"
        ) from problem
    if unpacker.unconsumed_tail:
        raise AnswerTooLargeError(limit_bytes)
    return answer._replace(body=body)


def _proxy_at(address: str, kind: str) -> httpx.Proxy:
    """Return the proxy at an address, which may hold a password, so that no message repeats it."""
    name = f"{kind}_proxy"
    variable = next((key for key in (name, name.upper()) if os.environ.get(key)), None)
    named = f"`{variable}`" if variable else f"the system's setting of a proxy for {kind}"
    try:
        url = httpx.URL(address if "://" in address else f"http://{address}")
        # `from None`, since the words of the cause may repeat the password.
        given = httpx.Proxy(url) if url.scheme in ("http", "https") and url.host else None
    except (httpx.InvalidURL, ValueError):
        raise UsageError(f"{named} holds no address of a proxy", hint=_PROXY_HINT) from None
    if given is None:
        scheme = url.scheme if url.scheme.isalnum() else "?"
        raise UsageError(
            f"{named} names a proxy of the kind `{scheme}://`, which this tool does not speak",
            hint=f"name the HTTP proxy of your network instead: {_PROXY_HINT}",
        )
    return given

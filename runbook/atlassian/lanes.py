"""Keep-alive connections, one request each at a time, for reading a site at its documented limit.

httpx looks through all of its connections for each request, so a pool costs more with every
connection: ten sites of twenty connections came to 292 requests per second in one process. Here
each connection is a lane of its own and the one used last is taken first. Only the sockets are
httpcore's; everything else about a request is made by the caller.
"""

import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

import httpcore

# An idle connection is not used again after this: servers and firewalls close theirs after a minute
# or more, and one that was closed meanwhile would lose a request.
_IDLE_S = 30.0
_IDLE_LANES = 128


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """Status, headers as they came, and the decoded body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class AnswerTooLargeError(Exception):
    """The body is larger than it may be."""


@dataclass(slots=True)
class _Lane:
    """One connection; behind a proxy, a pool of one, since that speaks CONNECT."""

    link: httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool

    def usable(self) -> bool:
        if isinstance(self.link, httpcore.AsyncConnectionPool):
            return True
        return self.link.is_available() and not self.link.has_expired()


@dataclass(slots=True)
class Lanes:
    """The lanes of a process; `trust_env` lets proxies of the environment apply.

    Raises httpcore's own errors, which the transport turns into values.
    """

    tls: ssl.SSLContext | None = None
    trust_env: bool = True
    body_limit_bytes: int = 64 * 1024 * 1024
    _idle: dict[str, list[_Lane]] = field(default_factory=dict)
    _proxies: Mapping[str, str] | None = None

    async def send(
        self,
        method: str,
        url: httpcore.URL,
        headers: list[tuple[bytes, bytes]],
        body: bytes | None,
        timeouts_s: Mapping[str, float],
    ) -> RawAnswer:
        """Send one request on a lane that is free, or on a new one."""
        origin = url.origin
        lane = await self._take(origin)
        request = httpcore.Request(
            method,
            url,
            headers=headers,
            content=body or b"",
            extensions={"timeout": dict(timeouts_s)},
        )
        try:
            response = await lane.link.handle_async_request(request)
            try:
                content = await self._read(response)
            finally:
                await response.aclose()
        except BaseException:
            await _close(lane)
            raise
        self._idle.setdefault(str(origin), []).append(lane)
        decoded = _decoded(response.headers, content, self.body_limit_bytes)
        return RawAnswer(response.status, response.headers, decoded)

    async def aclose(self) -> None:
        """Close every lane."""
        for lanes in self._idle.values():
            for lane in lanes:
                await _close(lane)
        self._idle.clear()

    async def _read(self, response: httpcore.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > self.body_limit_bytes:
                raise AnswerTooLargeError(
                    f"the answer is larger than {self.body_limit_bytes} bytes"
                )
        return bytes(body)

    async def _take(self, origin: httpcore.Origin) -> _Lane:
        idle = self._idle.get(str(origin), [])
        while idle:
            # The one used last: the others grow old and are closed.
            lane = idle.pop()
            if lane.usable():
                while len(idle) > _IDLE_LANES:
                    await _close(idle.pop(0))
                return lane
            await _close(lane)
        return self._new(origin)

    def _new(self, origin: httpcore.Origin) -> _Lane:
        proxy = self._proxy(origin)
        if proxy is None:
            return _Lane(
                httpcore.AsyncHTTPConnection(
                    origin=origin, ssl_context=self.tls, keepalive_expiry=_IDLE_S
                )
            )
        return _Lane(
            httpcore.AsyncConnectionPool(
                ssl_context=self.tls,
                proxy=proxy,
                max_connections=1,
                keepalive_expiry=_IDLE_S,
            )
        )

    def _proxy(self, origin: httpcore.Origin) -> httpcore.Proxy | None:
        """Return the proxy of the environment (on Windows also of the system's settings)."""
        if not self.trust_env:
            return None
        if self._proxies is None:
            self._proxies = getproxies()
        scheme, host = origin.scheme.decode("ascii"), origin.host.decode("ascii")
        address = self._proxies.get(scheme) or self._proxies.get("all")
        if not address or proxy_bypass(host):
            return None
        return _proxy_of(address if "://" in address else f"http://{address}")


def _proxy_of(address: str) -> httpcore.Proxy:
    import httpx

    given = httpx.Proxy(address)
    return httpcore.Proxy(str(given.url), auth=given.raw_auth)


async def _close(lane: _Lane) -> None:
    await lane.link.aclose()


def _decoded(headers: list[tuple[bytes, bytes]], content: bytes, limit_bytes: int) -> bytes:
    coding = next((value for name, value in headers if name.lower() == b"content-encoding"), b"")
    if coding.strip().lower() not in (b"gzip", b"x-gzip", b"deflate"):
        return content
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        decoded = unpacker.decompress(content, limit_bytes)
    except zlib.error as problem:
        raise httpcore.RemoteProtocolError(
            f"the body is not packed as it says: {problem}"
        ) from problem
    if unpacker.unconsumed_tail:
        raise AnswerTooLargeError(f"the answer is larger than {limit_bytes} bytes")
    return decoded

"""Keep-alive connections, one request each at a time, for reading a site at its documented limit.

httpx looks through all of its connections for each request, so its pool costs more with every
connection: ten sites of twenty connections came to 292 requests per second in one process. Here
each connection is a lane of its own, and the one used last is taken first. Behind a proxy a lane is
a pool of one of httpcore's, which speaks CONNECT.
"""

import ssl
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import httpcore
import httpx

from runbook.atlassian.connection import AnswerTooLargeError, Connection, Message, RawAnswer
from runbook.atlassian.proxies import Proxies

# An idle connection is not used again after this: servers and firewalls close theirs after a minute
# or more, and one that was closed meanwhile would lose a request.
_IDLE_S = 30.0
_IDLE_LANES = 128


class Origin(NamedTuple):
    """Where a connection leads; the host is in ASCII."""

    scheme: str
    host: str
    port: int


@dataclass(slots=True)
class ConnectionPool:
    """The lanes of a process; `trust_env` lets proxies of the environment apply.

    Raises httpcore's errors, which the transport turns into values.
    """

    tls: ssl.SSLContext | None = None
    trust_env: bool = True
    body_limit_bytes: int = 64 * 1024 * 1024
    _idle: dict[Origin, list[Connection]] = field(default_factory=dict)
    _proxies: Proxies = field(default_factory=Proxies)
    _proxied: dict[Origin, list[httpcore.AsyncConnectionPool]] = field(default_factory=dict)

    async def send(self, origin: Origin, message: Message) -> RawAnswer:
        """Send one request on a lane that is free, or on a new one; the body comes unpacked."""
        proxy = self.proxy(origin)
        if proxy is not None:
            through = httpcore.Proxy(str(proxy.url), auth=proxy.raw_auth)
            answer = await self._send_proxied(origin, through, message)
        else:
            lane = self._free(origin) or await Connection.open(
                origin.host,
                origin.port,
                self.tls if origin.scheme == "https" else None,
                message.connect_s,
            )
            try:
                answer = await lane.exchange(message, self.body_limit_bytes)
            except BaseException:
                lane.close()
                raise
            self._idle.setdefault(origin, []).append(lane)
        return _unpacked(answer, self.body_limit_bytes)

    async def aclose(self) -> None:
        """Close every lane."""
        for lanes in self._idle.values():
            for lane in lanes:
                lane.close()
        for pools in self._proxied.values():
            for pool in pools:
                await pool.aclose()
        self._idle.clear()
        self._proxied.clear()

    def _free(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin, [])
        while idle:
            # The one used last: the others grow old and are closed.
            lane = idle.pop()
            if lane.usable(_IDLE_S):
                while len(idle) > _IDLE_LANES:
                    idle.pop(0).close()
                return lane
            lane.close()
        return None

    async def _send_proxied(
        self, origin: Origin, proxy: httpcore.Proxy, message: Message
    ) -> RawAnswer:
        idle = self._proxied.setdefault(origin, [])
        pool = (
            idle.pop()
            if idle
            else httpcore.AsyncConnectionPool(
                ssl_context=self.tls, proxy=proxy, max_connections=1, keepalive_expiry=_IDLE_S
            )
        )
        url = httpcore.URL(
            scheme=origin.scheme, host=origin.host, port=origin.port, target=message.target
        )
        waits_s = dict.fromkeys(("read", "write", "pool"), message.wait_s)
        request = httpcore.Request(
            message.method,
            url,
            headers=message.headers,
            content=message.body or b"",
            extensions={"timeout": {"connect": message.connect_s, **waits_s}},
        )
        try:
            response = await pool.handle_async_request(request)
            try:
                content = bytearray()
                async for chunk in response.aiter_stream():
                    content += chunk
                    if len(content) > self.body_limit_bytes:
                        raise AnswerTooLargeError(_too_large(self.body_limit_bytes))
            finally:
                await response.aclose()
        finally:
            idle.append(pool)
        return RawAnswer(response.status, response.headers, bytes(content))

    def proxy(self, origin: Origin) -> httpx.Proxy | None:
        """Return the proxy to a origin, None where it is reached directly.

        Raises:
            UsageError: the environment names a proxy that cannot be used.
        """
        return self._proxies.to(origin.scheme, origin.host) if self.trust_env else None


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
        raise AnswerTooLargeError(_too_large(limit_bytes))
    return RawAnswer(answer.status, answer.headers, body)


def _too_large(limit_bytes: int) -> str:
    return f"the answer is larger than {limit_bytes} bytes"

"""One HTTP/1.1 connection: h11 for the protocol, asyncio's streams for the bytes.

In: the parts of a request. Out: status, headers, body. Time-outs are in seconds; errors are
httpcore's, so that the transport keeps one table of what they mean.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import h11
import httpcore

_READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """Status, headers as they came, and the body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it goes out: target and headers are complete and encoded."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | None
    connect_s: float
    wait_s: float


class AnswerTooLargeError(Exception):
    """The body is larger than it may be."""


class Connection:
    """A connection to one host; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT)
        self._used_s = asyncio.get_running_loop().time()

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, within_s: float) -> Self:
        """Connect, with TLS where a context is given; both address families are tried."""
        with _translated(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(within_s):
                reader, writer = await asyncio.open_connection(
                    host,
                    port,
                    ssl=tls,
                    server_hostname=None if tls is None else host,
                    happy_eyeballs_delay=0.25,
                )
        return cls(reader, writer)

    def usable(self, idle_s: float) -> bool:
        """Return whether another request may be sent: nothing ended it, and it was used within `idle_s`."""
        return (
            self._protocol.our_state is h11.IDLE
            and not self._reader.at_eof()
            and self._reader.exception() is None
            and not self._writer.transport.is_closing()
            and asyncio.get_running_loop().time() - self._used_s < idle_s
        )

    def close(self) -> None:
        """End the connection at once."""
        self._writer.transport.abort()

    async def exchange(self, message: Message, limit_bytes: int) -> RawAnswer:
        """Send one request and return its whole answer."""
        try:
            await self._write(message)
            answer = await self._read(message.wait_s, limit_bytes)
            if self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE:
                self._protocol.start_next_cycle()
        except h11.RemoteProtocolError as problem:
            raise httpcore.RemoteProtocolError(str(problem)) from problem
        except h11.LocalProtocolError as problem:
            raise httpcore.LocalProtocolError(str(problem)) from problem
        self._used_s = asyncio.get_running_loop().time()
        return answer

    async def _write(self, message: Message) -> None:
        protocol = self._protocol
        head = h11.Request(method=message.method, target=message.target, headers=message.headers)
        sent = protocol.send(head) or b""
        if message.body:
            sent += protocol.send(h11.Data(data=message.body)) or b""
        sent += protocol.send(h11.EndOfMessage()) or b""
        with _translated(httpcore.WriteTimeout, httpcore.WriteError):
            self._writer.write(sent)
            if self._writer.transport.get_write_buffer_size():
                async with asyncio.timeout(message.wait_s):
                    await self._writer.drain()

    async def _read(self, within_s: float, limit_bytes: int) -> RawAnswer:
        protocol, body = self._protocol, bytearray()
        status, headers = 0, list[tuple[bytes, bytes]]()
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                with _translated(httpcore.ReadTimeout, httpcore.ReadError):
                    async with asyncio.timeout(within_s):
                        data = await self._reader.read(_READ_BYTES)
                if not data and protocol.their_state is h11.SEND_RESPONSE:
                    raise httpcore.RemoteProtocolError(
                        "the server ended the connection without an answer"
                    )
                protocol.receive_data(data)
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, list(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > limit_bytes:
                    raise AnswerTooLargeError(f"the answer is larger than {limit_bytes} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return RawAnswer(status, headers, bytes(body))
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise httpcore.RemoteProtocolError("the server ended the connection")


@contextlib.contextmanager
def _translated(too_late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as problem:
        raise too_late(str(problem) or "no answer in time") from problem
    except OSError as problem:
        raise broken(str(problem) or type(problem).__name__) from problem

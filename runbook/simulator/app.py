"""The simulator as an ASGI application: a thin adapter between a server and `exchange`.

In process, `httpx.ASGITransport(app=make_app(world))` reaches it; there an interrupted connection
raises httpx's own error inside the application, which passes through the transport to the client.
On real sockets `server` offers `scope["extensions"]["runbook.abort"]`, which ends the connection.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook.errors import UsageError
from runbook.simulator.exchange import exchange
from runbook.simulator.messages import Call, Closed, Ending, Reply
from runbook.simulator.world import World

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ABORT = "runbook.abort"
BODY_LIMIT_BYTES = 16 * 1024 * 1024


def missing_extra(problem: ImportError) -> UsageError:
    """Return the error to raise where the libraries of the extra `rehearsal` are not installed."""
    return UsageError(
        f"the simulator's server needs `{problem.name}`, which is not installed",
        hint='install it with `pip install "link-runbook[rehearsal]"`',
    )


def make_app(world: World) -> "ASGIApp":
    """Return the ASGI application that answers for every site of a world.

    Raises:
        UsageError: the extra `rehearsal` is not installed.
    """
    try:
        from starlette.responses import Response
    except ImportError as problem:
        raise missing_extra(problem) from problem

    async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            return
        got = await exchange(world, await _call(scope, receive))
        if isinstance(got, Closed):
            await _end(scope, receive, send, got)
            return
        response = Response(content=got.body, status_code=got.status)
        response.raw_headers = _raw_headers(got)
        await response(scope, receive, send)

    return app


async def _call(scope: "Scope", receive: "Receive") -> Call:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    if scope["method"] not in ("GET", "DELETE", "HEAD"):
        body = await _body(receive)
    return Call(
        method=scope["method"],
        host=headers.get("host", "").partition(":")[0].lower(),
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
    )


async def _body(receive: "Receive") -> bytes:
    chunks = bytearray()
    while len(chunks) <= BODY_LIMIT_BYTES:
        message = await receive()
        chunks += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            break
    return bytes(chunks)


def _raw_headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    raw = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers
    ]
    if reply.status != 204:
        raw.append((b"content-length", str(len(reply.body)).encode("ascii")))
    return raw


async def _end(scope: "Scope", receive: "Receive", send: "Send", closed: Closed) -> None:
    """End the connection without a complete answer, on a socket or in process."""
    abort: Callable[[], None] | None = (scope.get("extensions") or {}).get(ABORT)
    if closed.partial is not None:
        await send(
            {
                "type": "http.response.start",
                "status": closed.partial.status,
                "headers": _raw_headers(closed.partial),
            }
        )
        half = closed.partial.body[: len(closed.partial.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
    if abort is None:
        raise _httpx_error(closed)
    abort()
    # The server takes a return without an answer for a bug, unless it knows of the disconnect.
    while (await receive())["type"] != "http.disconnect":
        pass


def _httpx_error(closed: Closed) -> Any:
    import httpx

    match closed.ending:
        case Ending.REFUSED:
            return httpx.ConnectError("connection refused")
        case Ending.BEFORE:
            return httpx.ReadError("connection reset")
        case _:
            return httpx.RemoteProtocolError("server disconnected without sending a response")

"""The simulator as an ASGI application: one request from arrival to answer, with faults and pauses.

In process, `httpx.ASGITransport(app=make_app(world))` reaches it; there an interrupted connection
raises httpx's own error inside the application, which passes through the transport to the client.
On real sockets `server` offers `scope["extensions"]["runbook.abort"]`, which ends the connection.
"""

from collections.abc import Callable
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx

from runbook.errors import UsageError
from runbook.simulator.faults import ASKS_THE_WORLD, FaultKind, arriving
from runbook.simulator.messages import NO_CONTENT, Closed, Reply, SimRequest
from runbook.simulator.model import LoggedRequest
from runbook.simulator.router import answer, template_of
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
        if scope["type"] != "http" or (request := await _request(scope, receive)) is None:
            return
        got = await _exchange(world, request)
        if isinstance(got, Closed):
            await _end(scope, receive, send, got)
            return
        response = Response(content=got.body, status_code=got.status)
        response.raw_headers = _raw_headers(got)
        await response(scope, receive, send)

    return app


async def _exchange(world: World, request: SimRequest) -> Reply | Closed:
    """Return what the client of this request gets."""
    if world.is_dark():
        return Closed(ending="refused")
    if world.settings.latency_s > 0.0:
        await _pause(world, world.settings.latency_s)
    fault, account, submitted = None, None, len(world.submissions)
    if world.faults.rules:
        template = template_of(world, request)
        fault = world.faults.hit(request, template)
    reply = NO_CONTENT
    asked = fault is None or fault.kind in ASKS_THE_WORLD
    if asked:
        if fault is not None and fault.kind is FaultKind.SLOW:
            await _pause(world, fault.amount_s)
        reply, template, account = answer(world, request)
    got = reply if fault is None else arriving(fault, reply, world.clock.now())
    logged = reply if asked else got
    world.log.append(
        LoggedRequest(
            at=world.clock.now(),
            method=request.method,
            host=request.host,
            path=request.path,
            query=request.query,
            template=template,
            account=account,
            body=request.body,
            status=logged.status if isinstance(logged, Reply) else None,
            fault=None if fault is None else fault.kind.value,
        )
    )
    if len(world.submissions) > submitted:
        world.submissions[-1].answer_arrived = got is reply
    if isinstance(got, Closed):
        return got
    if fault is not None and fault.kind is FaultKind.OUTAGE:
        world.go_dark(fault.amount_s)
        # The connection goes with the outage; keeping it would let later requests pass.
        got = got.with_headers([("Connection", "close")])
    date = format_datetime(world.clock.now().replace(microsecond=0), usegmt=True)
    trace = f"{world.seed:08x}{world.next_number():024x}"
    return got.with_headers((("Date", date), ("Atl-Traceid", trace)))


async def _pause(world: World, seconds: float) -> None:
    # Inside `answering()`, so that virtual time goes on although the client counts as busy.
    with world.clock.answering():
        await world.clock.sleep(seconds)


async def _request(scope: "Scope", receive: "Receive") -> SimRequest | None:
    # None: the client died before its body was whole, and no server acts on half a request.
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = bytearray()
    more = scope["method"] not in ("GET", "DELETE", "HEAD")
    while more and len(body) <= BODY_LIMIT_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return SimRequest(
        method=scope["method"],
        host=headers.get("host", "").partition(":")[0].lower(),
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=bytes(body),
    )


def _raw_headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    length = [] if reply.status == 204 else [("Content-Length", str(len(reply.body)))]
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in (*reply.headers, *length)
    ]


async def _end(scope: "Scope", receive: "Receive", send: "Send", closed: Closed) -> None:
    """End the connection without a complete answer, on a socket or in process."""
    abort: Callable[[], None] | None = (scope.get("extensions") or {}).get(ABORT)
    if (partial := closed.partial) is not None:
        start = {"status": partial.status, "headers": _raw_headers(partial)}
        await send({"type": "http.response.start", **start})
        half = partial.body[: len(partial.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
    if abort is None:
        raise _httpx_error(closed)
    abort()
    # The server takes a return without an answer for a bug, unless it knows of the disconnect.
    while (await receive())["type"] != "http.disconnect":
        pass


def _httpx_error(closed: Closed) -> httpx.TransportError:
    match closed.ending:
        case "refused":
            return httpx.ConnectError("connection refused")
        case "before":
            return httpx.ReadError("connection reset")
        case "after":
            return httpx.RemoteProtocolError("server disconnected without sending a response")

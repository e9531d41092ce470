"""The simulator on a real loopback socket: inside the caller's event loop, or blocking.

uvicorn speaks HTTP; this module owns the listening socket, since an outage must close it and open
it again on the same port. Nothing but a loopback address is ever listened on.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from runbook.errors import UsageError
from runbook.simulator.app import ABORT, make_app, missing_extra
from runbook.simulator.world import World

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
KEEP_ALIVE_S = 120
_GOODBYE_S = 2.0


@contextlib.asynccontextmanager
async def serving(world: World, port: int = 0) -> AsyncIterator[str]:
    """Serve a world inside the running event loop; yield the endpoint, such as `http://127.0.0.1:8080`.

    Raises:
        UsageError: the port is taken, or the extra `rehearsal` is not installed.
    """
    listener = _Listener(world)
    endpoint = await listener.open(port)
    try:
        yield endpoint
    finally:
        await listener.close()


def run_server(world: World, port: int = 0, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve a world until Ctrl-C; `ready` is called with the endpoint.

    Raises:
        UsageError: the port is taken, or the extra `rehearsal` is not installed.
    """

    async def forever() -> None:
        async with serving(world, port) as endpoint:
            if ready is not None:
                ready(endpoint)
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forever())


class _Listener:
    """The listening socket, its connections and its outages."""

    def __init__(self, world: World) -> None:
        try:
            import uvicorn
            from uvicorn.server import ServerState
        except ImportError as problem:
            raise missing_extra(problem) from problem
        self._world = world
        self._config = uvicorn.Config(
            make_app(world),
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._outage: asyncio.Task[None] | None = None

    async def open(self, port: int) -> str:
        """Listen; return the endpoint."""
        try:
            await self._listen(port)
        except (OSError, OverflowError) as problem:
            raise UsageError(
                f"cannot listen on port {port} of this machine: {problem}",
                hint="name another one with `--port`, or leave it out for a free one",
            ) from problem
        self._world.on_dark = self._darken
        return f"http://{LOOPBACK}:{self._port}"

    async def close(self) -> None:
        """Stop listening and end every connection; requests that are being answered get a moment."""
        self._world.on_dark = None
        if self._outage is not None:
            self._outage.cancel()
            await asyncio.gather(self._outage, return_exceptions=True)
        self._hang_up()
        if self._state.tasks:
            _, late = await asyncio.wait(tuple(self._state.tasks), timeout=_GOODBYE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.sleep(0)  # noqa: TID251 - lets the transports close, takes no time

    async def _listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, LOOPBACK, port, backlog=2048)
        self._port = self._server.sockets[0].getsockname()[1]

    def _hang_up(self) -> None:
        """Stop listening; end idle connections now, the others after their answer."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._state.connections):
            connection.shutdown()

    def _protocol(self) -> Any:
        make: Any = self._config.http_protocol_class
        protocol = make(config=self._config, server_state=self._state, app_state={})
        app: ASGIApp = protocol.app

        async def abortable(scope: "Scope", receive: "Receive", send: "Send") -> None:
            scope["extensions"] = {ABORT: protocol.transport.abort}
            await app(scope, receive, send)

        protocol.app = abortable
        return protocol

    def _darken(self) -> None:
        """Close the listening socket and idle connections until the outage is over."""
        self._hang_up()
        if self._outage is None or self._outage.done():
            self._outage = asyncio.get_running_loop().create_task(self._until_light())

    async def _until_light(self) -> None:
        clock = self._world.clock
        while self._world.is_dark():
            await clock.sleep(max(0.001, self._world.dark_until_s - clock.monotonic_s()))
        await self._listen(self._port)

"""The simulator served in a thread, for tests whose client blocks."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from runbook.errors import UsageError
from runbook.simulator.server import serving
from runbook.simulator.world import World


@contextlib.contextmanager
def serving_in_thread(world: World, port: int = 0) -> Iterator[str]:
    """Serve a world in a thread of its own, for callers that block; yield the endpoint.

    The world belongs to that thread: its clock must be real, and it is looked at when nothing is
    being asked.

    Raises:
        UsageError: the port is taken.
    """
    begun = threading.Event()
    state: dict[str, Any] = {}

    async def until_stopped() -> None:
        stop = asyncio.Event()
        try:
            async with serving(world, port) as endpoint:
                state.update(endpoint=endpoint, loop=asyncio.get_running_loop(), stop=stop)
                begun.set()
                await stop.wait()
        except UsageError as problem:
            state["problem"] = problem
            begun.set()

    thread = threading.Thread(target=lambda: asyncio.run(until_stopped()), name="simulator")
    thread.start()
    begun.wait()
    if "problem" in state:
        thread.join()
        raise state["problem"]
    try:
        yield state["endpoint"]
    finally:
        state["loop"].call_soon_threadsafe(state["stop"].set)
        thread.join()

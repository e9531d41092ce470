"""The operator's Ctrl-C as a value; signals stay at the edge, so that tests need none."""

import asyncio


class Interrupts:
    """The operator's Ctrl-C: once drains, twice cancels. No signals in here, so tests need none."""

    def __init__(self) -> None:
        self.count = 0
        self._drain = asyncio.Event()
        self._cancel = asyncio.Event()

    def interrupt(self) -> None:
        """Count one Ctrl-C; from here on nothing new begins, even before anybody is woken."""
        self.count += 1

    def wake(self) -> None:
        """Wake who waits for a Ctrl-C; called inside the event loop, after `interrupt`."""
        self._drain.set()
        if self.count > 1:
            self._cancel.set()

    @property
    def draining(self) -> bool:
        """Whether nothing new may begin."""
        return self.count > 0

    async def drained(self) -> None:
        """Return at the first Ctrl-C."""
        await self._drain.wait()

    async def cancelled(self) -> None:
        """Return at the second Ctrl-C."""
        await self._cancel.wait()

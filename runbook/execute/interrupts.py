"""The operator's Ctrl-C as a value; signals stay at the edge, so that tests need none."""

import asyncio


class Interrupts:
    """The operator's Ctrl-C: once drains, twice cancels. No signals in here, so tests need none."""

    def __init__(self) -> None:
        self.count = 0
        self._drain = asyncio.Event()
        self._cancel = asyncio.Event()

    def interrupt(self) -> None:
        """Count one Ctrl-C."""
        self.count += 1
        self._drain.set()
        if self.count > 1:
            self._cancel.set()

    @property
    def draining(self) -> bool:
        """Whether nothing new may begin."""
        return self._drain.is_set()

    async def drained(self) -> None:
        """Return at the first Ctrl-C."""
        await self._drain.wait()

    async def cancelled(self) -> None:
        """Return at the second Ctrl-C."""
        await self._cancel.wait()

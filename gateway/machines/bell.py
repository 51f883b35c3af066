"""Wakes the one who waits for a condition, each time that it may have come to hold.

Flows in: that something happened. Flows out: the return of ``wait``. Less than an asyncio.Event,
whose queue of waiters takes a kilobyte at each of ten thousand streams that rest.
"""

import asyncio


class Bell:
    """For one who waits. It remembers nothing: look at the condition, then wait, without an await
    between them.
    """

    __slots__ = ("_awaited",)

    def __init__(self) -> None:
        self._awaited: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Let whoever waits look again."""
        awaited, self._awaited = self._awaited, None
        if awaited is not None and not awaited.done():
            awaited.set_result(None)

    async def wait(self) -> None:
        """Return at the next ring."""
        self._awaited = asyncio.get_running_loop().create_future()
        await self._awaited

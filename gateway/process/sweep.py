"""What is kept for a number of days goes after them, unasked.

Flows in: the time. Flows out: deletions, a bounded number in each transaction, so that nobody else
waits long for one. Every gateway sweeps, at its start and some times a day; what one of them has
locked the others pass over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from actors.ports import Clock, StoreError

log = structlog.get_logger()

EVERY_S = 6 * 3_600.0
PAUSE_S = 1.0
"""Between two transactions of one sweep: others write meanwhile."""
DAY_MS = 86_400_000


class Forget(Protocol):
    """One transaction of a sweep."""

    async def __call__(self, *, before_ms: int) -> int:
        """Delete what is older than this moment, at most a fixed number of it, and return how many.
        Raises StoreError.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Forgets ``what`` after ``days``; ``at_once`` are deleted by one ``forget``, if there are."""

    what: str
    forget: Forget
    at_once: int
    days: int
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Sweep, from time to time, until cancelled."""
        while True:
            await self.once()
            await self.sleep(EVERY_S)

    async def once(self) -> int:
        """Delete all that are due, and return how many; those that the database does not give now
        go the next time.
        """
        gone = 0
        try:
            while True:
                before_ms = self.clock.now_ms() - self.days * DAY_MS
                some = await self.forget(before_ms=before_ms)
                gone += some
                if some < self.at_once:
                    break
                await self.sleep(PAUSE_S)
        except StoreError as error:
            log.warning("what is due is not deleted yet", what=self.what, error=str(error))
        if gone:
            log.info("what was due is deleted", what=self.what, count=gone)
        return gone

"""What is kept for a number of days goes after them, unasked.

Flows in: the time. Flows out: deletions, a bounded number in each transaction, so that nobody else
waits long for one. Every gateway sweeps, at its start and some times a day; what one of them has
locked the others pass over. Nobody takes a deletion back, so that none is made by one computer's
clock alone (``gateway.process.skew.AgreedClock``).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from actors.ports import StoreError
from storage.machines.rows import DAY_MS

log = structlog.get_logger()

EVERY_S = 6 * 3_600.0
UNSURE_EVERY_S = 600.0
"""So often it looks whether the time is known by now."""
PAUSE_S = 1.0
"""Between two transactions of one sweep: others write meanwhile."""


class Forget(Protocol):
    """One transaction of a sweep."""

    async def __call__(self, *, before_ms: int) -> int:
        """Delete what is older than this moment, at most a fixed number of it, and return how many.
        Raises StoreError.
        """


class DueClock(Protocol):
    """The time by which something is due."""

    async def now_ms(self) -> int | None:
        """Return milliseconds since 1970 UTC; None: nobody is sure what time it is. Raises
        StoreError.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Sweep:
    """Forgets ``what`` after ``days``; ``at_once`` are deleted by one ``forget``, if there are."""

    what: str
    forget: Forget
    at_once: int
    days: int
    clock: DueClock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _waits: bool = False

    async def run(self) -> None:
        """Sweep, from time to time, until cancelled."""
        while True:
            await self.once()
            await self.sleep(UNSURE_EVERY_S if self._waits else EVERY_S)

    async def once(self) -> int:
        """Delete all that are due, and return how many; those that the database does not give now
        go the next time, and so does everything while nobody is sure what time it is.
        """
        gone = 0
        try:
            while (now_ms := await self._now_ms()) is not None:
                some = await self.forget(before_ms=now_ms - self.days * DAY_MS)
                gone += some
                if some < self.at_once:
                    break
                await self.sleep(PAUSE_S)
        except StoreError as error:
            log.warning("what is due is not deleted yet", what=self.what, error=str(error))
        if gone:
            log.info("what was due is deleted", what=self.what, count=gone)
        return gone

    async def _now_ms(self) -> int | None:
        """Return the time, and say it once if nobody is sure of it."""
        now_ms = await self.clock.now_ms()
        if now_ms is None and not self._waits:
            log.info("what is due waits until Alipay has said what time it is", what=self.what)
        self._waits = now_ms is None
        return now_ms

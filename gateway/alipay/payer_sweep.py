"""Payers who have not paid for a long time are forgotten, unasked.

Flows in: the time. Flows out: deleted mappings, a bounded number in each transaction, so that no
notification waits long for one. Every gateway does it, at its start and some times a day; what one
of them has locked the others pass over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from actors.ports import Clock, StoreError
from storage.machines.payers import DAY_MS, SWEPT_MAX, Payers

log = structlog.get_logger()

EVERY_S = 6 * 3_600.0
PAUSE_S = 1.0
"""Between two transactions of one sweep: others write meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerSweep:
    """``unused_days``: a payer who has not paid for so long is forgotten."""

    payers: Payers
    clock: Clock
    unused_days: int
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Sweep, from time to time, until cancelled."""
        while True:
            await self.once()
            await self.sleep(EVERY_S)

    async def once(self) -> int:
        """Forget all who are due, and return how many; those that the database does not give now
        are forgotten the next time.
        """
        forgotten = 0
        try:
            while True:
                before_ms = self.clock.now_ms() - self.unused_days * DAY_MS
                gone = await self.payers.forget_unused(before_ms=before_ms)
                forgotten += gone
                if gone < SWEPT_MAX:
                    break
                await self.sleep(PAUSE_S)
        except StoreError as error:
            log.warning("unused payers are not forgotten yet", error=str(error))
        if forgotten:
            log.info("unused payers are forgotten", count=forgotten)
        return forgotten

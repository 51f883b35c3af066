"""Lines of imports and applications that ended long ago go, unasked.

Flows in: the time. Flows out: deleted lines, a bounded number in each transaction. Every gateway
does it, at its start and some times a day; what one of them has locked the others pass over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from actors.ports import Clock, StoreError
from storage.database.engine import Database
from storage.office import import_lines

log = structlog.get_logger()

EVERY_S = 6 * 3_600.0
PAUSE_S = 1.0
"""Between two transactions of one sweep: others write meanwhile."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSweep:
    """Deletes what is older than ``import_lines.KEPT_DAYS``."""

    db: Database
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Sweep, from time to time, until cancelled."""
        while True:
            await self.once()
            await self.sleep(EVERY_S)

    async def once(self) -> int:
        """Delete all lines that are due, and return how many; those that the database does not give
        now go the next time.
        """
        gone = 0
        try:
            while True:
                before_ms = self.clock.now_ms() - import_lines.KEPT_DAYS * DAY_MS
                some = await import_lines.forget(self.db, before_ms=before_ms)
                gone += some
                if some < import_lines.AT_ONCE:
                    break
                await self.sleep(PAUSE_S)
        except StoreError as error:
            log.warning("old lines of imports are not deleted yet", error=str(error))
        if gone:
            log.info("old lines of imports are deleted", count=gone)
        return gone

"""A read that does not end by itself, for the tests of the readers and of the engine."""

import asyncio

from sqlalchemy import Connection, text

ENDLESS = text(
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) "
    "SELECT count(*) FROM numbers WHERE n < 0"
)
"""Works in the database until it is stopped, and returns no row before."""


class Endless:
    """A unit of work that reads without end."""

    def __init__(self) -> None:
        self._begun = asyncio.Semaphore(0)

    def __call__(self, connection: Connection) -> object:
        self._begun.release()
        return connection.scalar(ENDLESS)

    async def begun(self, times: int = 1) -> None:
        """Return when it has begun this often more, each time on a connection of its own."""
        for _ in range(times):
            await self._begun.acquire()

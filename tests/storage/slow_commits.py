"""A process whose transactions hold what they have locked: what others do meanwhile is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.util import await_

from storage.database.engine import Database, StorageConfig
from storage.database.reader import T, Work
from tests.storage.conftest import ON_POSTGRES
from tests.storage.owner import Owner


def on_postgres(test: Any) -> Any:
    """Mark a test as one that needs a PostgreSQL."""
    for mark in ON_POSTGRES:
        test = mark(test)
    return test


class SlowCommit(Database):
    """A host's database whose transactions, once ``held``, have written all and do not commit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held, self.written, self.go_on = False, asyncio.Event(), asyncio.Event()

    async def write(self, work: Work[T], *, proves: bool = True) -> T:
        """Run the work, and wait before the COMMIT."""
        if not self.held:
            return await super().write(work, proves=proves)

        def slow(connection: Connection) -> T:
            done = work(connection)
            self.written.set()
            await_(self.go_on.wait())
            return done

        return await super().write(slow)


@asynccontextmanager
async def held_beside(url: str) -> AsyncIterator[tuple[Owner, SlowCommit]]:
    """The host of machine VM-1, and a gateway whose transactions are held."""
    host = await Database.open(StorageConfig(url=url))
    gateway = await SlowCommit.open(StorageConfig(url=url))
    try:
        owner = await Owner.of(host, "VM-1")
        gateway.held = True
        yield owner, gateway
    finally:
        gateway.go_on.set()
        await gateway.close()
        await host.close()


async def waiting(db: Database, count: int) -> None:
    """Return when so many transactions wait for another one."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database()"
    )
    async with asyncio.timeout(30):
        while (await db.read(lambda connection: connection.scalar(asked)) or 0) < count:
            await asyncio.sleep(0.01)

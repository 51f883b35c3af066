"""Machines that sell, and a follower of what they sold."""

from sqlalchemy import Table, select

from storage.database.engine import Database
from storage.insight.follower import Follower
from storage.tables import sale_facts
from tests.storage.owner import START_MS, Owner


class StillClock:
    """A clock that stands still."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        """Its time."""
        return self.at_ms


def follower(db: Database, holder: str = "f1", *, lines_at_once: int = 500) -> Follower:
    """A follower that waits for nobody."""
    return Follower(db=db, clock=StillClock(), holder=holder, lines_at_once=lines_at_once)


async def sold(db: Database, *machine_ids: str, times: int = 2) -> Owner:
    """Machines that have sold a few colas for 5.00 each."""
    owner = await Owner.of(db, *machine_ids)
    for number in range(1, times + 1):
        for machine_id in machine_ids:
            await owner.buy(machine_id, number)
    return owner


async def rows(db: Database, table: Table) -> list[tuple[object, ...]]:
    """All rows of a table, in the order of its key."""
    wanted = select(table).order_by(*table.primary_key)
    return [tuple(row) for row in await db.read(lambda connection: connection.execute(wanted))]


async def positions(db: Database) -> list[int]:
    """Of all facts, in their order."""
    wanted = select(sale_facts.c.position).order_by(sale_facts.c.position)
    return list(await db.read(lambda connection: connection.scalars(wanted).all()))

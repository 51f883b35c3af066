"""Machines that sell, and a follower of what they sold."""

from sqlalchemy import Table, select

from actors.machine.events import Disconnected, StockCounted
from actors.machine.ids import StreamId
from storage.database.engine import Database
from storage.insight.follower import Follower
from storage.tables import sale_facts
from tests.storage.owner import START_MS, Owner

HOUR_MS = 3_600_000
LATER_MS = START_MS + 10 * 365 * 24 * HOUR_MS
"""When all that tests let happen is over."""


class StillClock:
    """A clock that stands still."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        """Its time."""
        return self.at_ms


def follower(
    db: Database, holder: str = "f1", *, lines_at_once: int = 500, now_ms: int = LATER_MS
) -> Follower:
    """A follower that waits for nobody."""
    clock = StillClock(now_ms)
    return Follower(db=db, clock=clock, holder=holder, lines_at_once=lines_at_once)


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


async def a_day(db: Database) -> Owner:
    """A machine that sells, another that is silent, and one that goes at last."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    owner.now_ms = START_MS + HOUR_MS // 2
    await owner.buy("VM-1", 1)
    await owner.do("VM-1", StockCounted(column="A2", stock=0))
    owner.now_ms = START_MS + 30 * HOUR_MS
    await owner.do("VM-1", Disconnected(stream_id=StreamId("g-VM-1")))
    return owner

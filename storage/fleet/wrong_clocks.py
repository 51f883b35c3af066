"""Processes whose clock is not Alipay's, as rows for as long as that is so: together they are one
work item.

Flows in: what a process knows of its own clock, again and again. Flows out: nothing; ListWorkItems
reads the rows. A process takes its row away when its clock is right, or when it ends; one that was
killed says nothing any more, and its row goes with the next word of any other process.
"""

from sqlalchemy import Connection, delete, select

from storage.database import dialects
from storage.database.engine import Database
from storage.item_ids import CLOCK_ITEM, not_closed
from storage.tables import wrong_clocks

KEPT_MS = 900_000
"""Who has not said it again for this long is gone, or right."""
IS_THE_FIRST = wrong_clocks.c.teller == (
    select(wrong_clocks.c.teller)
    .where(not_closed(CLOCK_ITEM))
    .order_by(wrong_clocks.c.since_at_ms, wrong_clocks.c.teller)
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)
"""Of all processes whose clock is wrong the first one that nobody has closed: one item."""


def in_words(ahead_ms: int) -> str:
    """Return what people are told of a clock."""
    where = "ahead of" if ahead_ms > 0 else "behind"
    return (
        f"the clock of this process is {abs(ahead_ms) // 1_000} s {where} Alipay's; payments are "
        "judged by Alipay's time meanwhile"
    )


class WrongClocks:
    """Those of an installation. Times are by Alipay's clock. Raises StoreError when the database
    does not answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def told(self, teller: str, *, ahead_ms: int, at_ms: int) -> None:
        """Say that the clock of ``teller`` is wrong by so much; a row that is there keeps its
        beginning.
        """

        def work(connection: Connection) -> None:
            _forget(connection, at_ms)
            row = {
                "teller": teller,
                "ahead_ms": ahead_ms,
                "since_at_ms": at_ms,
                "told_at_ms": at_ms,
            }
            changing = ("ahead_ms", "told_at_ms")
            name = connection.dialect.name
            connection.execute(dialects.upsert(name, wrong_clocks, "teller", changing).values(row))

        await self._db.write(work)

    async def right(self, teller: str, *, at_ms: int) -> None:
        """Say that the clock of ``teller`` is Alipay's, or is not read any more."""

        def work(connection: Connection) -> None:
            _forget(connection, at_ms)
            connection.execute(delete(wrong_clocks).where(wrong_clocks.c.teller == teller))

        await self._db.write(work)


def _forget(connection: Connection, at_ms: int) -> None:
    connection.execute(delete(wrong_clocks).where(wrong_clocks.c.told_at_ms < at_ms - KEPT_MS))

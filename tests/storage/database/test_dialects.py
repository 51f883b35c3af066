"""The statements that each database has in its own form do the same in both."""

import csv
import io
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    SmallInteger,
    cast,
    literal,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from actors.ports import StoreError
from storage.database import dialects
from storage.database.engine import Database
from storage.tables import partitions, trades
from tests.storage.owner import Owner, paid

UNOWNED = {"owner": "", "holder": "", "claimed_at_ms": 0}


async def test_texts_are_a_table(db: Database) -> None:
    """Whatever is in them; none at all is a table, too."""
    texts = ["a", 'b"', "\\c,{d}", "é\u202e", "NULL", ""]

    def work(connection: Connection) -> list[list[str]]:
        name = connection.dialect.name
        asked = (dialects.each_of(name, some) for some in (texts, []))
        return [list(connection.scalars(select(one.c.key))) for one in asked]

    assert [texts, []] == await db.read(work)


async def test_an_upsert_overwrites_what_may_change(db: Database) -> None:
    """Other columns keep their first value."""

    def work(connection: Connection) -> tuple[object, ...]:
        statement = dialects.upsert(connection.dialect.name, partitions, "partition", ["epoch"])
        connection.execute(statement, [{"partition": 1, "epoch": 5, **UNOWNED, "owner": "new"}])
        row = connection.execute(select(partitions).where(partitions.c.partition == 1)).one()
        return (row.epoch, row.owner)

    assert (5, "") == await db.write(work)


async def test_an_upsert_breaks_on_another_s_row(db: Database) -> None:
    """One machine can never write another's record."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))

    def work(connection: Connection) -> None:
        row = connection.execute(select(trades)).one()
        statement = dialects.upsert(
            connection.dialect.name, trades, "trade_id", ["sold_minor"], owned_by="machine_id"
        )
        connection.execute(statement, [{**row._mapping, "machine_id": "VM-2"}])

    with pytest.raises(StoreError) as caught:
        await db.write(work)
    assert isinstance(caught.value.__cause__, IntegrityError)


async def test_an_insert_can_be_ignored(db: Database) -> None:
    """The row that is there stays as it is."""

    def work(connection: Connection) -> list[object]:
        statement = dialects.insert_or_ignore(connection.dialect.name, partitions, ["partition"])
        added = [
            connection.scalar(
                statement.values(partition=number, epoch=9, **UNOWNED).returning(
                    partitions.c.partition
                )
            )
            for number in (1, 8)
        ]
        return [
            *added,
            connection.scalar(select(partitions.c.epoch).where(partitions.c.partition == 1)),
        ]

    assert [None, 8, 0] == await db.write(work)


async def test_upgrades_can_be_made_to_wait(db: Database) -> None:
    """Asking for it twice in a transaction does no harm, on either database."""

    def work(connection: Connection) -> None:
        dialects.upgrade_alone(connection)
        dialects.upgrade_alone(connection)

    await db.write(work)


def test_the_fence_locks_where_rows_have_locks() -> None:
    """PostgreSQL makes a claim wait for the transactions that have proved the epoch."""
    fence = select(partitions.c.epoch).with_for_update(read=True)
    assert "FOR SHARE" in str(fence.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def test_other_databases_are_refused() -> None:
    """There is no guess at their upserts."""
    with pytest.raises(ValueError, match="SQLite or PostgreSQL"):
        dialects.upsert("oracle", partitions, "partition", ["epoch"])


async def test_values_become_a_line_of_text(db: Database) -> None:
    """Whole numbers as they are, texts in quotes, whatever is in them."""
    texts = ['a "b", %s', "", "it's\n"]
    values: list[tuple[ColumnElement[Any], bool]] = [(literal(one), True) for one in texts]
    values += [
        (cast(literal(-(2**60)), BigInteger), False),
        (cast(literal(7), SmallInteger), False),
    ]
    line = dialects.comma_separated(db.dialect.name, values)
    told = await db.read(lambda connection: connection.scalar(select(line)))
    assert [[*texts, str(-(2**60)), "7"]] == list(csv.reader(io.StringIO(told)))


async def test_texts_come_in_the_order_of_python(db: Database) -> None:
    """Which is not the one of a dictionary: some databases have that one."""
    texts = ["b", "A", "a", "-b", "_", "10", "9", "\u00e9"]

    def work(connection: Connection) -> list[str]:
        some = union_all(*(select(literal(one).label("said")) for one in texts)).subquery()
        order = dialects.by_characters(connection.dialect.name, some.c.said)
        return list(connection.scalars(select(some.c.said).order_by(order)))

    assert sorted(texts) == await db.read(work)

"""Prepared statements take rows in our order, whatever the dialect's."""

import pytest
from sqlalchemy import bindparam, select, update

from storage.database.engine import Database
from storage.machines.statements import CommitStatements, Prepared
from storage.tables import partitions


async def test_values_find_their_places(db: Database) -> None:
    """The order of the names is ours, not that of the statement's text."""
    statement = (
        update(partitions)
        .where(partitions.c.partition == bindparam("which"))
        .values(epoch=bindparam("new"))
    )
    prepared = Prepared(statement, ("which", "new"), db.dialect)
    await db.write(lambda connection: prepared.run(connection, [(1, 10), (2, 20), (3, 30)]))
    found = await db.read(
        lambda connection: connection.scalars(
            select(partitions.c.epoch).order_by(partitions.c.partition)
        ).all()
    )
    assert [0, 10, 20, 30, 0, 0, 0, 0] == list(found)


async def test_no_rows_are_no_statement(db: Database) -> None:
    """A batch without refunds asks nothing of the refunds' table."""
    statements = CommitStatements(db.dialect)
    await db.write(lambda connection: statements.refunds.run(connection, []))


async def test_names_must_be_those_of_the_statement(db: Database) -> None:
    """A mistake shows when the program starts, not when money moves."""
    statement = (
        update(partitions)
        .where(partitions.c.partition == bindparam("which"))
        .values(epoch=bindparam("new"))
    )
    with pytest.raises(AssertionError):
        Prepared(statement, ("which",), db.dialect)

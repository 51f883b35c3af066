"""Prepared statements take rows in our order, whatever the dialect's."""

import pytest
from sqlalchemy import bindparam, func, select, update

from actors.machine.incident import FaultReported
from storage.database.engine import Database
from storage.machines.statements import CommitStatements, Prepared, Row
from storage.tables import inbox, journal, machine_states, partitions, transfers
from tests.storage.owner import START_MS, Owner


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


async def test_no_rows_are_no_rows(db: Database) -> None:
    """A batch that only takes from the inbox, or nothing at all, writes nothing else."""
    statements = CommitStatements(db.dialect)
    nothing: list[list[Row]] = [[] for _ in range(13)]
    await db.write(lambda connection: statements.save(connection, nothing))
    taken: list[list[Row]] = [*nothing[2:], [(START_MS, 7, 404)], []]
    await db.write(lambda connection: statements.save(connection, taken))
    for table in (journal, transfers, machine_states, inbox):
        wanted = select(func.count()).select_from(table)
        assert 0 == await db.read(lambda connection, wanted=wanted: connection.scalar(wanted) or 0)  # type: ignore[misc]


async def test_lines_of_a_batch_are_counted_in_their_order(db: Database) -> None:
    """Whoever follows the journal by its ids hears of a machine's lines as they were decided, and
    of no other order than the batch's.
    """
    names = ["VM-1", "VM-2", "VM-3"]
    owner = await Owner.of(db, *names)
    changes = [
        owner.decide(name, owner.frame(name, FaultReported(code=f"E{number}")))
        for number in range(40)
        for name in names
    ]
    await owner.commit(changes)
    wanted = select(*journal.c["machine_id", "version"]).order_by(journal.c.id.desc())
    rows = await db.read(lambda connection: connection.execute(wanted.limit(len(changes))).all())
    assert [(change.machine_id, change.decision.state.version) for change in changes] == [
        tuple(row) for row in reversed(rows)
    ]


async def test_names_must_be_those_of_the_statement(db: Database) -> None:
    """A mistake shows when the program starts, not when money moves."""
    statement = (
        update(partitions)
        .where(partitions.c.partition == bindparam("which"))
        .values(epoch=bindparam("new"))
    )
    with pytest.raises(AssertionError):
        Prepared(statement, ("which",), db.dialect)

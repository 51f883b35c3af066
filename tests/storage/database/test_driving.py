"""What SQLite's own connection is told is told within SQLAlchemy's transaction, and its errors are
SQLAlchemy's.
"""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError, OperationalError

from actors.ports import StoreError
from storage.database import driving
from storage.database.engine import Database
from storage.tables import partitions


@pytest.fixture
def url(tmp_path: Path, upgraded_file: Path) -> str:
    """An upgraded file; these tests are SQLite's alone."""
    path = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, path)
    return f"sqlite:///{path}"


async def _epoch(db: Database, partition: int) -> int:
    wanted = select(partitions.c.epoch).where(partitions.c.partition == partition)
    return await db.read(lambda connection: connection.scalar(wanted) or 0)


async def test_all_three_are_of_one_transaction(db: Database) -> None:
    """What the first two write the third one sees, and all of it is saved."""

    def work(connection: Connection) -> list[int]:
        driving.execute(connection, "UPDATE partitions SET epoch = 7")
        raising = "UPDATE partitions SET epoch = epoch + 1 WHERE partition = ?"
        driving.execute_each(connection, raising, [(1,), (2,), (1,)])
        wanted = "SELECT epoch FROM partitions WHERE partition < ? ORDER BY partition"
        return [epoch for (epoch,) in driving.fetch(connection, wanted, (4,))]

    assert [7, 9, 8, 7] == await db.write(work)
    assert 9 == await _epoch(db, 1)


async def test_what_fails_takes_all_of_it_back(db: Database) -> None:
    """A broken constraint is SQLAlchemy's IntegrityError, in the driver's words, and nothing of its
    transaction is left; the next one begins as if nothing had been.
    """

    def work(connection: Connection) -> None:
        driving.execute(connection, "UPDATE partitions SET epoch = 7")
        wanted = "INSERT INTO partitions (partition) VALUES (?)"
        with pytest.raises(IntegrityError) as broken:
            driving.execute_each(connection, wanted, [(1,)])
        assert "partitions" in str(broken.value.orig)
        raise broken.value

    with pytest.raises(StoreError):
        await db.write(work)
    assert 0 == await _epoch(db, 1)
    await db.write(
        lambda connection: driving.execute(connection, "UPDATE partitions SET epoch = 8")
    )
    assert 8 == await _epoch(db, 1)


async def test_a_statement_that_is_none_is_the_databases_error(db: Database) -> None:
    """Whichever way it is run."""

    def work(connection: Connection) -> None:
        for run in (
            lambda: driving.execute(connection, "UPDATE nothing"),
            lambda: driving.execute_each(connection, "UPDATE nothing", [()]),
            lambda: driving.fetch(connection, "SELECT nothing", ()),
        ):
            with pytest.raises(OperationalError):
                run()

    await db.write(work)


async def test_without_rows_nothing_is_asked(db: Database) -> None:
    """Not even whether the statement is one."""
    await db.write(lambda connection: driving.execute_each(connection, "UPDATE nothing", []))

"""What SQLite's own connection is told is told within SQLAlchemy's transaction, and its errors are
SQLAlchemy's.
"""

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError, OperationalError

from actors.ports import StoreError
from storage.database import dialects, driving
from storage.database.engine import Database
from storage.tables import answers, partitions


def _mark(connection: Connection) -> str:
    """Return how the driver writes its first parameter."""
    return "?" if connection.dialect.name == dialects.SQLITE else "$1"


async def _epoch(db: Database, partition: int) -> int:
    wanted = select(partitions.c.epoch).where(partitions.c.partition == partition)
    return await db.read(lambda connection: connection.scalar(wanted) or 0)


async def test_all_three_are_of_one_transaction(db: Database) -> None:
    """What the first two write the third one sees, and all of it is saved."""

    def work(connection: Connection) -> list[int]:
        mark = _mark(connection)
        driving.execute(connection, f"UPDATE partitions SET epoch = {mark}", (7,))
        raising = f"UPDATE partitions SET epoch = epoch + 1 WHERE partition = {mark}"
        driving.execute_each(connection, raising, [(1,), (2,), (1,)])
        wanted = f"SELECT epoch FROM partitions WHERE partition < {mark} ORDER BY partition"
        return [epoch for (epoch,) in driving.fetch(connection, wanted, (4,))]

    assert [7, 9, 8, 7] == await db.write(work)
    assert 9 == await _epoch(db, 1)


async def test_what_fails_takes_all_of_it_back(db: Database) -> None:
    """A broken constraint is SQLAlchemy's IntegrityError, in the driver's words, and nothing of its
    transaction is left; the next one begins as if nothing had been.
    """

    def work(connection: Connection) -> None:
        driving.execute(connection, "UPDATE partitions SET epoch = 7")
        wanted = f"INSERT INTO partitions (partition) VALUES ({_mark(connection)})"
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
    if db.dialect.name != dialects.SQLITE:
        pytest.skip("PostgreSQL's errors come through SQLAlchemy itself")

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


@pytest.mark.parametrize("count", [0, 1, 3, 300])
async def test_any_number_of_values_is_one_parameter(db: Database, count: int) -> None:
    """Numbers and texts alike, also such as are to be escaped."""
    texts = [f"a '\"\\{{}},é\n{number}" for number in range(count)]
    await db.write(
        lambda connection: [
            connection.execute(answers.insert().values(_answer(told))) for told in texts
        ]
    )

    def found(connection: Connection) -> tuple[int, int]:
        name = connection.dialect.name
        of_texts = dialects.is_among(name, answers.c.request_id, "asked")
        of_numbers = dialects.is_among(name, partitions.c.partition, "asked")
        wanted = select(func.count()).where(of_texts)
        given = {"asked": dialects.together(name, texts)}
        numbers = {"asked": dialects.together(name, list(range(1, count + 1)))}
        return (
            connection.scalar(wanted, given) or 0,
            connection.scalar(select(func.count()).where(of_numbers), numbers) or 0,
        )

    assert (count, min(count, 7)) == await db.read(found)


def _answer(request_id: str) -> dict[str, object]:
    texts = dict.fromkeys(("caller", "rpc", "content_sha256", "token"), "")
    numbers = dict.fromkeys(("at_ms", "until_ms", "machine_version"), 0)
    return {**texts, **numbers, "request_id": request_id, "done": True, "answer": b""}

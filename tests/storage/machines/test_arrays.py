"""Many tables are written by one statement, whose parameters are arrays."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy import BigInteger, Connection, Update, event, insert, update
from sqlalchemy.dialects.postgresql import asyncpg

from storage.database import dialects
from storage.database.engine import Database
from storage.machines.arrays import ArrayPart, Together, Values, array_insert
from storage.tables import journal, partitions, vends
from tests.storage.owner import Owner, paid

DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]


def _vends() -> ArrayPart:
    return array_insert(
        dialects.upsert(dialects.POSTGRESQL, vends, "vend_id", ("status",)),
        list(vends.columns),
        DIALECT,
    )


def _epochs(rows: Values) -> Update:
    statement = update(partitions).where(partitions.c.partition == rows["which"])
    return statement.values(epoch=rows["new"])


class Said:
    """Stands for a connection and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[object, ...]]] = []

    def exec_driver_sql(self, sql: str, parameters: tuple[object, ...]) -> None:
        """Keep it."""
        self.told.append((sql, parameters))


def test_each_part_has_its_own_parameters() -> None:
    """They are counted through, the values of each column are one array, and a part without rows is
    left out.
    """
    part = ArrayPart({"which": BigInteger(), "new": BigInteger()}, _epochs, DIALECT)
    together = Together([part, _vends(), part])
    said = Said()
    together.run(said, [[(1, 10), (2, 20)], [], [(3, 30)]])  # type: ignore[arg-type]
    (sql, parameters), *_ = said.told
    assert ([1, 2], [10, 20], [3], [30]) == parameters
    assert [f"${number}" for number in range(1, 5)] == [
        word for word in sql.replace("(", " ").split() if word.startswith("$")
    ]
    assert sql.startswith("WITH part_0 AS (UPDATE partitions")
    assert "vends" not in sql


def test_json_is_sent_as_text() -> None:
    """And made JSON by the database, as it stands."""
    part = array_insert(insert(journal), [journal.c.body, journal.c.version], DIALECT)
    assert "CAST($1 AS TEXT[]), CAST($2 AS BIGINT[])" in part.sql
    assert "AS JSON" in part.sql


def test_nothing_is_not_run() -> None:
    """Without any rows the database is asked nothing."""
    said = Said()
    Together([_vends()]).run(said, [[]])  # type: ignore[arg-type]
    assert [] == said.told


async def test_a_batch_asks_the_database_few_times(db: Database) -> None:
    """On PostgreSQL a commit is two reads and one statement, however many tables it writes; on
    SQLite, where nobody waits for an answer, it is a statement for each table.
    """
    owner = await Owner.of(db, "VM-1")
    change = owner.decide("VM-1", paid("t1"))
    statements: list[str] = []
    if db.dialect.name == dialects.POSTGRESQL:

        def told(_connection: Connection, _cursor: object, sql: str, *_others: object) -> None:
            statements.append(sql)

        engine = db._writer._engine.sync_engine  # type: ignore[attr-defined]
        event.listen(engine, "before_cursor_execute", told)
        await owner.commit([change])
        event.remove(engine, "before_cursor_execute", told)
        assert 3 == len(statements)
    else:
        await db.write(lambda connection: _driver(connection).set_trace_callback(statements.append))
        await owner.commit([change])
        assert 6 < sum(sql.startswith("INSERT INTO") for sql in statements)


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def test_a_statement_without_the_rows_shows_at_the_start() -> None:
    """Its parameters would be nobody's."""
    with pytest.raises(AssertionError):
        ArrayPart(
            {"which": BigInteger()}, lambda _rows: update(partitions).values(epoch=7), DIALECT
        )

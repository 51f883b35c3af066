"""Reads on SQLite go to their connection's thread once for each statement."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import Connection, select, text, update

from actors.ports import StoreError
from storage.database.engine import Database
from storage.tables import installation


@pytest.fixture
def url(tmp_path: Path, upgraded_file: Path) -> str:
    """Only SQLite is reached so."""
    path = tmp_path / "vendgate.db"
    path.write_bytes(upgraded_file.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run on threads of connections, by name."""
    seen: list[str] = []
    run: Any = aiosqlite.Connection._execute

    async def seeing(self: aiosqlite.Connection, work: Callable[..., Any], *args: Any) -> Any:
        seen.append(work.__name__)
        return await run(self, work, *args)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", seeing)
    return seen


def created(connection: Connection) -> int:
    """The time at which the database was made."""
    value: int = connection.execute(select(installation.c.created_at_ms)).scalar_one()
    return value


@pytest.mark.parametrize("statements", [1, 3])
async def test_a_statement_is_one_hop_and_the_end_another(
    db: Database, hops: list[str], statements: int
) -> None:
    """The first one begins the transaction as it goes."""
    await db.read(lambda connection: [created(connection) for _ in range(statements)])

    assert [*["whole"] * statements, "rollback"] == hops


async def test_a_read_sees_the_moment_of_its_first_statement(db: Database) -> None:
    """What is saved between two statements of a read is not seen by it, and by the next one."""
    other = await db.read(created) + 1

    def both(connection: Connection) -> tuple[int, int]:
        before = created(connection)
        _save(db, other)
        return before, created(connection)

    assert (other - 1, other - 1) == await db.read(both)
    assert other == await db.read(created)


def _save(db: Database, created_at_ms: int) -> None:
    writer: Any = db._writer
    writer._transact(
        lambda connection: connection.execute(
            update(installation).values(created_at_ms=created_at_ms)
        )
    )


async def test_a_statement_that_fails_harms_no_other(db: Database) -> None:
    """The caller is told what the driver said, and the next read gets what it asks for."""
    with pytest.raises(StoreError, match="no such table: nowhere"):
        await db.read(lambda connection: connection.execute(text("SELECT 1 FROM nowhere")))
    with pytest.raises(StoreError, match="readonly database"):
        await db.read(lambda connection: connection.execute(text("DELETE FROM installation")))

    assert 0 < await db.read(created)


async def test_rows_are_told_by_the_names_of_their_columns(db: Database) -> None:
    """Those that the statement gives them, also where there is no row."""
    (row,) = await db.read(lambda connection: connection.execute(text("SELECT 7 AS seven")).all())
    none = await db.read(
        lambda connection: connection.execute(text("SELECT 7 AS seven WHERE 1 = 0")).keys()
    )

    assert 7 == row.seven
    assert ["seven"] == list(none)

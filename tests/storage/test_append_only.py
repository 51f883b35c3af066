"""The books are only added to: the database itself refuses everything else."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import (
    Connection,
    Table,
    create_engine,
    delete,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from actors.ports import StoreError
from storage.database import migrate
from storage.database.engine import Database
from storage.tables import audit, goods_moves, journal, kept_transfers, metadata
from tests.storage.owner import Owner

TABLES = (journal, kept_transfers, audit, goods_moves)


async def refused(db: Database, table: Table, statement: object) -> None:
    """Expect that the database refuses the statement, in words that name the table."""
    with pytest.raises(
        StoreError, match=f"{table.name} is append-only: its rows are never changed or deleted"
    ) as caught:
        await db.write(lambda connection: connection.execute(statement))  # type: ignore[call-overload]  # any statement
    assert isinstance(caught.value.__cause__, IntegrityError)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_rows_are_never_changed_or_deleted(db: Database, table: Table) -> None:
    """Neither one nor all, neither as they are nor by a value of their own, and what was there is
    there.
    """
    await (await Owner.of(db, "VM-1")).buy("VM-1")
    wanted = select(table).order_by(*table.primary_key.columns)
    one = table.c.machine_id == "VM-1"
    before = await db.read(lambda connection: connection.execute(wanted).all())
    assert before
    await refused(db, table, update(table).values(at_ms=1))
    await refused(
        db,
        table,
        update(table).values(digest="")
        if "digest" in table.c
        else update(table).values(kind=table.c.kind),
    )
    await refused(db, table, update(table).where(one).values(machine_id=table.c.machine_id))
    await refused(db, table, delete(table))
    await refused(db, table, delete(table).where(one))
    assert before == await db.read(lambda connection: connection.execute(wanted).all())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_no_row_is_put_in_the_place_of_another(db: Database, table: Table) -> None:
    """SQLite's way to delete by an insert, and PostgreSQL's to empty a table at once, are refused
    as well.
    """
    await (await Owner.of(db, "VM-1")).buy("VM-1")
    if db.dialect.name == "sqlite":
        again = select(table).where(table.c.machine_id == "VM-1")
        await refused(
            db,
            table,
            insert(table).prefix_with("OR REPLACE").from_select(table.columns.keys(), again),
        )
    else:
        await refused(db, table, text(f"TRUNCATE {table.name}"))


async def test_rows_are_added(db: Database) -> None:
    """That is what the tables are for."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    await owner.buy("VM-1", 2)


def test_tables_from_metadata_refuse_the_same(tmp_path: Path) -> None:
    """Whoever makes the schema without the migrations gets the triggers that these make, to the
    letter.
    """
    migrate.upgrade(f"sqlite:///{tmp_path}/migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/made.db")
    metadata.create_all(engine)
    engine.dispose()
    migrated, made = (_triggers(f"{tmp_path}/{name}.db") for name in ("migrated", "made"))
    assert 20 == len(migrated)
    assert migrated == made


async def test_postgresql_has_the_same_triggers_either_way(db: Database) -> None:
    """The function and the triggers of the metadata are those of the migration."""
    if db.dialect.name == "sqlite":
        pytest.skip("PostgreSQL's")
    wanted = text(
        "SELECT tgname, pg_get_triggerdef(t.oid), prosrc FROM pg_trigger t JOIN pg_proc p ON "
        "p.oid = tgfoid"
        " WHERE NOT tgisinternal ORDER BY 1"
    )

    def made_again(connection: Connection) -> object:
        for view in inspect(connection).get_view_names():  # They are of the migrations alone.
            if view.startswith("bi_"):
                connection.execute(text(f"DROP VIEW {view}"))
        metadata.drop_all(connection)
        metadata.create_all(connection)
        return connection.execute(wanted).all()

    migrated = await db.read(lambda connection: connection.execute(wanted).all())
    assert 19 == len(migrated)
    assert migrated == await db.write(made_again)


def _triggers(path: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        ).fetchall()

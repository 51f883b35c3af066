"""A month is archived once, and the books of a machine begin in one place."""

from functools import partial

import pytest
from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from actors.ports import StoreError
from storage.database.engine import Database
from storage.tables import archives, journal, kept_transfers, seals, starts
from tests.storage.owner import Owner
from tests.storage.tables.refused import refused, taken

MONTH = {
    "month": "2026-01",
    "state": "EXPORTED",
    "end_ms": 1,
    "folder": "archive",
    "manifest_sha256": "aa",
    "exported_at_ms": 1,
}
START = {
    "machine_id": "VM-1",
    "version": 5,
    "digest": "aa",
    "at_ms": 1,
    "from_day": 0,
    "balances": "{}",
    "link": "{}",
}


@pytest.mark.slow_on_postgres
async def test_a_month_has_a_state_that_is_known(db: Database) -> None:
    """It is exported or dropped, and archived once."""
    await refused(db, archives, {**MONTH, "state": "LOST"})
    await taken(db, archives, MONTH)
    await refused(db, archives, MONTH)


@pytest.mark.slow_on_postgres
async def test_a_machine_has_one_start_and_one_seal(db: Database) -> None:
    """A second one would leave open where its books begin."""
    await taken(db, starts, START)
    await refused(db, starts, {**START, "version": 6})
    await taken(db, seals, {**START, "sealed_at_ms": 1, "row_sha256": "aa"})
    await refused(db, seals, {**START, "sealed_at_ms": 2, "row_sha256": "bb"})


async def test_only_lines_that_are_archived_may_be_deleted(db: Database) -> None:
    """Up to a machine's start its lines and transfers may go; one behind it may not, nor any of
    another machine.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.buy("VM-1")
    await owner.buy("VM-2")
    await taken(db, starts, START)
    for table in (journal, kept_transfers):
        for left in (table.c.version <= 6, table.c.machine_id == "VM-2"):
            with pytest.raises(StoreError, match="is append-only"):
                await db.write(partial(_delete, table, left))
        archived = (table.c.machine_id == "VM-1") & (table.c.version <= 5)
        assert await db.read(partial(_count, table, archived))
        await db.write(partial(_delete, table, archived))
        assert 0 == await db.read(partial(_count, table, archived))


def _delete(table: Table, which: ColumnElement[bool], connection: Connection) -> None:
    connection.execute(delete(table).where(which))


def _count(table: Table, which: ColumnElement[bool], connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(which)) or 0

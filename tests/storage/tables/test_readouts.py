"""Read-outs, what differs in them and resets are only added to, and none is there twice."""

from typing import Any

import pytest
from sqlalchemy import Table, delete, select, update

from actors.ports import StoreError
from storage.database.engine import Database
from storage.office.audit_data import AuditData
from storage.office.readouts import Readouts
from storage.tables import audit_resets, readout_differences, readouts
from tests.storage.office.read_out import by, one_sale_too_many
from tests.storage.owner import Owner
from tests.storage.tables.refused import refused

TABLES = (readouts, readout_differences, audit_resets)


@pytest.fixture
async def filled(db: Database) -> Database:
    """Have one row in each."""
    await Owner.of(db, "VM-1")
    await Readouts(db).keep([one_sale_too_many()], by())
    await AuditData(db).reset("VM-1", by(), reason="x")
    return db


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_no_row_is_changed_or_deleted(filled: Database, table: Table) -> None:
    """The database itself refuses it."""
    said = f"{table.name} is append-only"
    wanted = select(table)
    before = await filled.read(lambda connection: connection.execute(wanted).all())
    assert 1 == len(before)
    for statement in (update(table).values(machine_id="VM-1"), delete(table)):
        with pytest.raises(StoreError, match=said):
            await filled.write(lambda connection, it=statement: connection.execute(it))  # type: ignore[misc]
    assert before == await filled.read(lambda connection: connection.execute(wanted).all())


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_no_row_is_there_twice(filled: Database, table: Table) -> None:
    """The same content, counter or number is refused, under whatever id."""
    (row,) = await filled.read(
        lambda connection: connection.execute(select(table)).mappings().all()
    )
    again: dict[str, Any] = {name: value for name, value in row.items() if name != "id"}
    await refused(filled, table, again)


async def test_a_reset_has_a_number(filled: Database) -> None:
    """From 1 on."""
    (row,) = await filled.read(
        lambda connection: connection.execute(select(audit_resets)).mappings().all()
    )
    await refused(filled, audit_resets, {**row, "number": 0})

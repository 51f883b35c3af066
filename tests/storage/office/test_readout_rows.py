"""What is kept of a read-out comes back as it was, by indexes."""

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.fleet.closings import Closings
from storage.office.deeds import NotThere
from storage.office.readout_rows import (
    ReadoutView,
    difference_row,
    page_of,
    read_one,
    readout_row,
)
from storage.tables import readout_differences, readouts
from tests.storage.office.plans import goes_along
from tests.storage.office.read_out import DIFFERENCE, READ_AT_MS, VIEW
from tests.storage.owner import Owner


async def kept(db: Database) -> ReadoutView:
    """Keep it, and read it."""
    await Owner.of(db, "VM-1")
    row = readout_row(VIEW, b"\x00\xff*")
    await db.write(lambda connection: connection.execute(insert(readouts), [row]))
    differs = difference_row(VIEW, VIEW.differences[0])
    await db.write(lambda connection: connection.execute(insert(readout_differences), [differs]))
    return await db.read(lambda connection: read_one(connection, VIEW.readout_id))


@pytest.mark.slow_on_postgres
async def test_it_comes_back_whole(db: Database) -> None:
    """Its bytes too, whatever they are, and what is unknown as unknown."""
    found = await kept(db)
    assert (VIEW.counters, VIEW.findings, VIEW.span) == (
        found.counters,
        found.findings,
        found.span,
    )
    assert b"\x00\xff*" == found.content
    (differs,) = found.differences
    assert DIFFERENCE == differs.difference
    assert (True, "", "") == (
        differs.item_id.startswith("readout:"),
        differs.closed_by,
        differs.closed_reason,
    )
    assert f"{READ_AT_MS}:{VIEW.readout_id}" == found.position


async def test_it_says_who_closed_what_differs(db: Database) -> None:
    """And why."""
    (differs,) = (await kept(db)).differences
    await Closings(db).close(differs.item_id, actor="bob", reason="looked", now_ms=READ_AT_MS + 2)
    found = await db.read(lambda connection: read_one(connection, VIEW.readout_id))
    assert [("bob", "looked")] == [(one.closed_by, one.closed_reason) for one in found.differences]


@pytest.mark.slow_on_postgres
async def test_one_that_is_not_there(db: Database) -> None:
    """Is not found."""
    with pytest.raises(NotThere):
        await db.read(lambda connection: read_one(connection, "c" * 64))


@pytest.mark.parametrize(
    ("machine_id", "index"),
    [
        ("VM-1", "readouts_by_machine_id_read_at_ms_readout_id"),
        ("", "readouts_by_read_at_ms_readout_id"),
    ],
)
async def test_a_page_goes_along_an_index(db: Database, machine_id: str, index: str) -> None:
    """However many there are."""
    await goes_along(db, page_of(machine_id, (READ_AT_MS, "a"), 10), index)

"""Totals hold at a line of the journal: with what is behind it they are all that was moved."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, select, update
from sqlalchemy.event import listen

from storage.database.engine import Database
from storage.fleet.balances import Totals, read_totals
from storage.fleet.fleet_totals import (
    Saved,
    moved_behind,
    read_fleet,
    read_moved,
    read_standing,
    save,
)
from storage.tables import archives, fleet_totals, journal
from tests.storage.owner import Owner, paid

NOTHING = Saved(position=0, archived="", totals=Totals())


def _all(connection: Connection) -> Totals:
    return read_totals(connection, ())


async def _positions(db: Database) -> list[int]:
    wanted = select(journal.c.id).order_by(journal.c.id)
    return await db.read(lambda connection: list(connection.scalars(wanted)))


async def test_any_line_may_be_the_position(db: Database) -> None:
    """Totals at it, and what is behind it, are the sum of all balances."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    everything = await db.read(_all)
    assert everything.sums

    def told_from(connection: Connection, position: int) -> Totals:
        upto = read_moved(connection, journal.c.id <= position)
        return upto + moved_behind(connection, position)

    for position in (0, *await _positions(db)):
        assert everything == await db.read(lambda one, at=position: told_from(one, at))  # type: ignore[misc]


async def test_who_saves_first_counts(db: Database) -> None:
    """The other one has seen a row that is there no more, or none where there is one by now."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))
    *_, before, newest = await _positions(db)
    first = Saved(position=before, archived="", totals=Totals({"HKD": {"SALES": (0, 1)}}))
    second = Saved(position=newest, archived="", totals=Totals({"HKD": {"SALES": (0, 2)}}))

    async def saved(seen: tuple[int, str] | None, now: Saved) -> bool:
        return await db.write(lambda connection: save(connection, seen=seen, now=now))

    assert await saved(None, first)
    assert not await saved(None, second)
    assert not await saved((before - 1, ""), second)
    assert not await saved((before, "2026-01"), second)
    assert first == (await db.read(read_standing)).saved
    assert await saved(first.key, second)
    assert not await saved(first.key, second)
    assert second == (await db.read(read_standing)).saved


@pytest.mark.slow_on_postgres
async def test_no_position_is_behind_the_journal(db: Database) -> None:
    """A database that took over without its last lines gives their positions to others."""
    beyond = Saved(position=1, archived="", totals=Totals())
    assert not await db.write(lambda connection: save(connection, seen=None, now=beyond))
    assert await db.write(lambda connection: save(connection, seen=None, now=NOTHING))
    assert not await db.write(lambda connection: save(connection, seen=(0, ""), now=beyond))


async def test_with_each_archived_month_it_is_void(db: Database) -> None:
    """Transfers have gone whose sums stay."""
    await db.write(lambda connection: save(connection, seen=None, now=NOTHING))
    assert Totals() == await db.read(read_fleet)
    month = {"month": "2026-01", "state": "EXPORTED", "end_ms": 1, "folder": "/a"}
    row = {**month, "manifest_sha256": "0" * 64, "exported_at_ms": 2}
    await db.write(lambda connection: connection.execute(insert(archives).values(row)))
    standing = await db.read(read_standing)
    assert ((0, ""), None, "2026-01") == (standing.key, standing.saved, standing.archived)
    assert await db.read(read_fleet) is None
    now = Saved(position=0, archived="2026-01", totals=Totals())
    assert await db.write(lambda connection: save(connection, seen=standing.key, now=now))
    assert Totals() == await db.read(read_fleet)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("said", ["", "{", '{"sums":{"HKD":{"SALES":[1]}}}', "[]"])
async def test_what_cannot_be_read_is_no_answer(db: Database, said: str) -> None:
    """Nobody is told half of it, and it can be replaced."""
    await db.write(lambda connection: save(connection, seen=None, now=NOTHING))
    spoil = update(fleet_totals).values(totals=said)
    await db.write(lambda connection: connection.execute(spoil))
    standing = await db.read(read_standing)
    assert ((0, ""), None) == (standing.key, standing.saved)
    assert await db.read(read_fleet) is None
    assert await db.write(lambda connection: save(connection, seen=standing.key, now=NOTHING))
    assert Totals() == await db.read(read_fleet)


@pytest.mark.slow_on_postgres
async def test_large_sums_stay_integers(db: Database) -> None:
    """To the last unit, and a currency in which a day was crooked stays one."""
    sums = {"HKD": {"SALES": (0, 2**62 + 1), "RECEIVABLE": (2**62 + 1, 0)}}
    crooked = Saved(position=0, archived="", totals=Totals(sums, frozenset({"HKD"})))
    await db.write(lambda connection: save(connection, seen=None, now=crooked))
    assert crooked == (await db.read(read_standing)).saved


def test_lines_before_it_are_not_read(upgraded_file: Path) -> None:
    """On SQLite the lines behind a position are looked up by it, and each line's transfers by the
    line.
    """
    sent: list[tuple[str, Any]] = []
    engine = create_engine(f"sqlite:///{upgraded_file}")
    with engine.connect() as connection:
        listen(engine, "before_cursor_execute", lambda *told: sent.append((told[2], told[3])))
        moved_behind(connection, 5)
        ((sql, given),) = list(sent)
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
    engine.dispose()
    assert "SEARCH journal USING INTEGER PRIMARY KEY (rowid>?)" == plan[0]
    assert plan[1].startswith("SEARCH kept_transfers USING INDEX")
    assert plan[1].endswith("(machine_id=? AND version=?)")

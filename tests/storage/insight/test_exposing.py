"""The follower counts machines' time on as it goes along, and the same when it begins again."""

from functools import partial

import pytest
from sqlalchemy import Connection, Table, delete, update

from actors.machine.events import ConfigurationChanged, StockCounted, TimePassed
from actors.machine.state import Configuration
from storage.database.engine import Database
from storage.insight import exposing
from storage.insight.exposing import Exposed, read_exposed
from storage.insight.exposure import Ready
from storage.insight.rollups import Sums
from storage.tables import (
    followers,
    machine_exposures,
    machine_hours,
    scope_exposures,
)
from tests.storage.insight.shop import HOUR_MS, a_day, follower, rows
from tests.storage.owner import Owner

TABLES = (machine_hours, scope_exposures, machine_exposures)


def forget(connection: Connection, table: Table) -> None:
    """Nothing of it is known."""
    connection.execute(delete(table))


async def told(db: Database) -> list[list[tuple[object, ...]]]:
    """All that is kept of machines' time."""
    return [await rows(db, table) for table in TABLES]


async def hours(db: Database, machine_id: str) -> list[tuple[object, ...]]:
    """A machine's hours."""
    return [row[1:] for row in await rows(db, machine_hours) if row[0] == machine_id]


@pytest.mark.slow_on_postgres
async def test_time_is_counted_up_to_the_last_full_hour_of_the_books(db: Database) -> None:
    """Of a machine to which nothing happened as well."""
    owner = await a_day(db)
    await follower(db).catch_up()
    spent = await hours(db, "VM-1")
    assert 30 == len(spent)
    assert (20260101, 0, 3_600, 3_600, 3_600, 3_600, 7_200, 1_800) == spent[0]
    assert (20260101, 1, 3_600, 3_600, 3_600, 3_600, 7_200, 3_600) == spent[1]
    assert 30 == len(await hours(db, "VM-2"))
    fleet = [row for row in await rows(db, scope_exposures) if row[0] == "FLEET"]
    assert 2 * 30 * 3_600 == sum(int(str(row[4])) for row in fleet)
    assert owner.states["VM-1"].link.online is False


@pytest.mark.slow_on_postgres
async def test_it_is_the_same_however_it_is_cut(db: Database) -> None:
    """Line by line while machines sell, or all at once from the first line on."""
    owner = await a_day(db)
    ours = follower(db, lines_at_once=1)
    for number in (2, 3):
        while await ours.once():
            pass
        owner.now_ms += HOUR_MS
        await owner.buy("VM-2", number)
    while await ours.once():
        pass
    made = await told(db)
    await ours.rebuild()
    ours.lines_at_once = 500
    while await ours.once():
        pass
    assert made == await told(db)


async def test_moves_of_later_lines_are_left_where_they_are(db: Database) -> None:
    """Who is far behind would read the next hundred of each machine again with each batch."""
    await a_day(db)
    ours = follower(db, lines_at_once=1)
    while not await rows(db, machine_exposures):
        await ours.once()
    assert ours.held is not None
    after = ours.held.position

    def read(connection: Connection, upto: int) -> tuple[dict[str, int], list[tuple[str, int]]]:
        span = {"after": after, "upto": upto}
        last = {row.machine_id: row.last for row in connection.execute(exposing._SPANS, span)}
        some = connection.execute(exposing._MOVES, span)
        return last, [(row.machine_id, row.version) for row in some]

    all_of_them = (await db.read(partial(read, upto=1 << 30)))[1]
    some = [await db.read(partial(read, upto=upto)) for upto in range(after, after + 20)]
    assert [last for last, found in some if found and len(found) < len(all_of_them)]
    assert all(version <= last[machine] for last, found in some for machine, version in found)


@pytest.mark.slow_on_postgres
async def test_who_is_taken_out_of_service_goes_when_the_last_money_has_gone(db: Database) -> None:
    """In a line that says nothing of the machine: that of a wait that is over."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", owner.purchase("VM-1", 1)[0])
    disabled = ConfigurationChanged(configuration=Configuration(revision=99, enabled=False))
    await owner.do("VM-1", disabled)
    kept = owner.states["VM-1"].link.online
    owner.now_ms += HOUR_MS
    await owner.do("VM-1", TimePassed())
    assert (True, False) == (kept, owner.states["VM-1"].link.online)
    exposed = await db.read(lambda connection: read_exposed(connection, after_position=0, upto=99))
    (counted,) = exposed.counted(Sums())
    assert not counted.ready.online


@pytest.mark.slow_on_postgres
async def test_it_begins_in_the_middle_with_what_is_known_by_then(db: Database) -> None:
    """Where an older program followed the lines before: what was before is not told."""
    owner = await a_day(db)
    ours = follower(db)
    while await ours.once():
        pass
    kept = {row[0]: row for row in await rows(db, machine_exposures)}
    for table in TABLES:
        await db.write(partial(forget, table=table))
    owner.now_ms += HOUR_MS
    await owner.start("VM-1")
    owner.now_ms += HOUR_MS
    await owner.buy("VM-2", 1)
    while await ours.once():
        pass
    again = {row[0]: row for row in await rows(db, machine_exposures)}
    names = [column.name for column in machine_exposures.columns]
    same = [names.index(name) for name in ("locked", "planned", "enabled", "revision", "boot_id")]
    for machine_id in ("VM-1", "VM-2"):
        assert [kept[machine_id][at] for at in same] == [again[machine_id][at] for at in same]
    assert '{"A1": 4}' == again["VM-1"][names.index("stocks")]
    assert '{"A1": 4, "A2": 5}' == again["VM-2"][names.index("stocks")]
    assert [(20260102, 7)] == [row[:2] for row in await hours(db, "VM-1")]


async def test_many_moves_of_one_machine_are_all_read(db: Database) -> None:
    """More of them than are read at a time, and not those of lines that are not there yet."""
    owner = await Owner.of(db, "VM-1")
    for number in range(120):
        await owner.do("VM-1", StockCounted(column="A1", stock=number % 2 + 1))
    first = await db.read(lambda connection: read_exposed(connection, after_position=0, upto=60))
    assert ready(first).stocks["A1"] in {1, 2}
    await follower(db, lines_at_once=500).catch_up()
    back = update(followers).values(holder="")
    await db.write(lambda connection: connection.execute(back))
    (row,) = await rows(db, machine_exposures)
    assert '"A1": 2' in str(row)


def ready(of: Exposed) -> Ready:
    """What the one machine is ready for at the end."""
    (counted,) = of.counted(Sums())
    return counted.ready

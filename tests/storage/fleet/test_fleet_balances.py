"""The money of the fleet is what each machine's days say, however few rows are read for it."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import Connection, func, insert, select

from storage.database.engine import Database, StorageConfig
from storage.fleet import fleet_balances
from storage.fleet.balances import Totals, read_balances, read_totals
from storage.fleet.fleet_balances import FleetBalances
from storage.fleet.totals_keeper import TotalsKeeper
from storage.machines.rows import DAY_MS
from storage.tables import fleet_totals, journal
from tests.storage.owner import Owner, paid
from tests.storage.slow_commits import SlowCommit, on_postgres


async def _all(db: Database) -> object:
    return await db.read(lambda connection: read_balances(connection, ""))


@pytest.mark.slow_on_postgres
async def test_what_is_told_is_what_all_days_say(db: Database) -> None:
    """Before totals are saved and after it; each sale at once, also of a host whose clock is a day
    behind.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    fleet, keeper = FleetBalances(db), TotalsKeeper(db=db, lines_behind=1)
    assert [] == await fleet.read()
    for trade, days in enumerate((0, 1, -1, 3)):
        owner.now_ms += days * DAY_MS
        await owner.buy("VM-1", trade + 1)
        assert await _all(db) == await fleet.read()
        await keeper.once()
        await owner.do("VM-2", paid(f"t{trade}", at_ms=owner.now_ms))
        assert await _all(db) == await fleet.read()


@pytest.mark.slow_on_postgres
async def test_days_are_summed_before_totals_are_saved_alone(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one who asks at a time; whoever waited for their turn has the totals if they are saved by
    then.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    fleet, sums = FleetBalances(db), 0

    def counted(connection: Connection, where: tuple[()]) -> Totals:
        nonlocal sums
        sums += 1
        return read_totals(connection, where)

    monkeypatch.setattr(fleet_balances, "read_totals", counted)
    expected = await fleet.read()
    assert 1 == sums
    async with fleet._one_at_a_time:
        waits = asyncio.create_task(fleet.read())
        await asyncio.sleep(0)
        await TotalsKeeper(db=db).once()
    assert expected == await waits
    assert expected == await fleet.read()
    assert 1 == sums


@pytest.mark.slow_on_postgres
async def test_days_are_summed_where_totals_are_far_behind(db: Database) -> None:
    """A program of before, which keeps no totals, may have run for weeks: what was moved behind
    them is more than a read can add up. Until a gateway has brought them near they are not used.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    nothing = {"id": 1, "position": 0, "archived": "", "totals": '{"sums":{"HKD":{"SALES":[0,7]}}}'}
    await db.write(lambda connection: connection.execute(insert(fleet_totals), nothing))
    lines = await db.read(lambda connection: connection.scalar(select(func.max(journal.c.id))) or 0)
    assert await _all(db) != await FleetBalances(db, behind_max=lines).read()
    assert await _all(db) == await FleetBalances(db, behind_max=lines - 1).read()


@on_postgres
async def test_a_line_with_a_lower_position_is_told_once(on_server: str) -> None:
    """One that is saved later than those behind it, on a day that is over for others: it is not in
    what is told before its COMMIT, and in all that is told after it.
    """
    config = StorageConfig(url=on_server)
    async with AsyncExitStack() as stack:
        slow_db, db = await SlowCommit.open(config), await Database.open(config)
        for one in (slow_db, db):
            stack.push_async_callback(one.close)
        slow = await Owner.of(slow_db, "VM-1", holder="h0", host="host-0")
        quick = await Owner.of(db, "VM-2", holder="h1", host="host-1")
        await quick.buy("VM-2")
        fleet = FleetBalances(db)

        async def soon(_: float) -> None:
            """Waits for nobody."""

        keeper = TotalsKeeper(db=db, lines_behind=1, sleep=soon)
        await keeper.once()
        quick.now_ms += 2 * DAY_MS
        slow_db.held = True
        late = asyncio.create_task(slow.do("VM-1", paid("late")))
        await slow_db.written.wait()
        for trade in (2, 3):
            await quick.buy("VM-2", trade)
            await keeper.once()
            assert await _all(db) == await fleet.read()
        slow_db.go_on.set()
        slow_db.held = False
        await late
        assert await _all(db) == await fleet.read()
        await quick.buy("VM-2", 4)
        await keeper.once()
        assert await _all(db) == await fleet.read()

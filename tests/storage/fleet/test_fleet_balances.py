"""The money of the fleet is what each machine's days say, however few of them are read again."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, update
from sqlalchemy.event import listen

from actors.ports import StoreError
from storage.database.engine import Database, StorageConfig
from storage.fleet import fleet_balances
from storage.fleet.balances import Totals, read_balances, read_totals
from storage.fleet.fleet_balances import GRACE_MS, FleetBalances, open_days
from storage.fleet.horizon import Horizon
from storage.tables import balances
from tests.storage.owner import START_MS, Owner, paid
from tests.storage.slow_commits import SlowCommit, on_postgres

DAY_MS = 86_400_000


def _fleet(db: Database, **at_once: int) -> FleetBalances:
    return FleetBalances(db, Horizon(db), **at_once)


async def _all(db: Database) -> object:
    return await db.read(lambda connection: read_balances(connection, ""))


async def test_days_that_are_over_are_added_once(db: Database) -> None:
    """On each day sales are told at once; what is told is what all rows say, with one machine at a
    time or all at once.
    """
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3")
    each, together = _fleet(db, machines_at_once=1), _fleet(db)
    assert [] == await together.read(now_ms=owner.now_ms)
    for day in range(4):
        owner.now_ms = START_MS + day * DAY_MS
        for machine_id in ("VM-1", "VM-3"):
            await owner.buy(machine_id, day + 1)
            assert await _all(db) == await together.read(now_ms=owner.now_ms)
        assert await _all(db) == await each.read(now_ms=owner.now_ms)


async def test_who_asks_again_goes_on(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that is ended in the middle is not begun anew: of three machines each is read once."""
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3")
    for machine_id in ("VM-1", "VM-2", "VM-3"):
        await owner.buy(machine_id)
    owner.now_ms += 2 * DAY_MS
    await owner.buy("VM-1", 2)
    fleet, reads = _fleet(db, machines_at_once=1), 0

    def ended_at_times(connection: Connection, **about: Any) -> Totals:
        nonlocal reads
        reads += 1
        if reads in {2, 4}:
            raise StoreError("it takes too long")
        return read_totals(connection, **about)

    monkeypatch.setattr(fleet_balances, "read_totals", ended_at_times)
    for _ in range(2):
        with pytest.raises(StoreError):
            await fleet.read(now_ms=owner.now_ms)
    monkeypatch.setattr(fleet_balances, "open_days", lambda *_: Totals())
    await fleet.read(now_ms=owner.now_ms)
    assert 5 == reads, "three of machines, and two that were ended"
    monkeypatch.undo()
    assert await _all(db) == await fleet.read(now_ms=owner.now_ms)


async def _add(db: Database, day: int, minor: int) -> None:
    """Say more of a machine's first account on a day."""
    row = {"machine_id": "VM-1", "day": day, "account": "SALES", "currency": "HKD"}

    def work(connection: Connection) -> None:
        ours = (balances.c.machine_id == "VM-1", balances.c.day == day)
        more = update(balances).where(*ours, balances.c.account == "SALES")
        both = {"debit_minor": 0, "credit_minor": balances.c.credit_minor + minor}
        if not connection.execute(more.values(both)).rowcount:
            connection.execute(insert(balances).values(**row, debit_minor=0, credit_minor=minor))

    await db.write(work)


@pytest.mark.parametrize(("late_ms", "is_read_again"), [(-1, True), (0, False)])
async def test_a_day_is_open_for_hours_after_its_end(
    db: Database, late_ms: int, *, is_read_again: bool
) -> None:
    """Until then it is read each time; afterwards it is read again by another start alone."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.buy("VM-1")
    first_day = owner.now_ms // DAY_MS
    owner.now_ms = (first_day + 1) * DAY_MS + GRACE_MS + late_ms
    await owner.buy("VM-2")
    fleet = _fleet(db)
    (before,) = await fleet.read(now_ms=owner.now_ms)
    await _add(db, first_day, 7)
    (told,) = await fleet.read(now_ms=owner.now_ms)
    expected = (7, False) if is_read_again else (0, True)
    assert expected == (told.money_sold_minor - before.money_sold_minor, told.ledger_balanced)
    (restarted,) = await _fleet(db).read(now_ms=owner.now_ms)
    assert (7, False) == (
        restarted.money_sold_minor - before.money_sold_minor,
        restarted.ledger_balanced,
    )


async def test_a_clock_that_is_ahead_ends_no_day(db: Database) -> None:
    """Neither ours nor that of the books: a day must be over by both."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    fleet = _fleet(db)
    (before,) = await fleet.read(now_ms=owner.now_ms + 30 * DAY_MS)
    await owner.buy("VM-1", 2)
    (after,) = await fleet.read(now_ms=owner.now_ms + 30 * DAY_MS)
    assert after.money_sold_minor > before.money_sold_minor
    behind = _fleet(db)
    assert [after] == await behind.read(now_ms=owner.now_ms - 30 * DAY_MS)
    await _add(db, owner.now_ms // DAY_MS, 7)
    (more,) = await behind.read(now_ms=owner.now_ms - 30 * DAY_MS)
    assert 7 == more.money_sold_minor - after.money_sold_minor


async def test_days_that_are_over_are_not_read(upgraded_file: Path) -> None:
    """Neither for the sums nor to see whether they are balanced: of each machine's days those are
    looked for that are open.
    """
    sent: list[tuple[str, Any]] = []
    engine = create_engine(f"sqlite:///{upgraded_file}")
    with engine.connect() as connection:
        listen(engine, "before_cursor_execute", lambda *told: sent.append((told[2], told[3])))
        open_days(connection, 5)
        statements = list(sent)
        plans = [
            detail
            for sql, given in statements
            for *_, detail in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)
        ]
    engine.dispose()
    assert 2 == len(statements)
    looked = [line for line in plans if "balances" in line]
    assert 2 == len(looked)
    assert all(" (machine_id=? AND day>?)" in line for line in looked)


async def test_a_clock_that_was_ahead_is_set_right(db: Database) -> None:
    """Ours and that of the books, by days: what is booked afterwards falls on days that were taken
    for over, and is told all the same.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.buy("VM-1")
    right_ms = owner.now_ms
    owner.now_ms += 3 * DAY_MS
    await owner.buy("VM-1", 2)
    fleet = _fleet(db)
    assert await _all(db) == await fleet.read(now_ms=owner.now_ms)
    owner.now_ms = right_ms + 1_000
    await owner.buy("VM-2")
    assert await _all(db) == await fleet.read(now_ms=owner.now_ms)


async def test_who_books_late_is_found(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lines others wrote since; and all days are not summed anew for each late one."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.buy("VM-1")
    late_ms = owner.now_ms
    owner.now_ms = right_ms = (late_ms // DAY_MS + 1) * DAY_MS + GRACE_MS
    await owner.buy("VM-1", 2)
    fleet, sums = _fleet(db, lines_at_once=3), 0
    ended = fleet._ended

    async def counted(from_day: int, until_day: int) -> Totals:
        nonlocal sums
        sums += 1
        return await ended(from_day, until_day)

    monkeypatch.setattr(fleet, "_ended", counted)
    assert await _all(db) == await fleet.read(now_ms=right_ms)
    for trade in range(2):
        owner.now_ms = late_ms + trade
        await owner.buy("VM-2", trade + 1)
        owner.now_ms = right_ms + trade
        await owner.buy("VM-1", 2 * trade + 3)
        await owner.buy("VM-1", 2 * trade + 4)
        assert await _all(db) == await fleet.read(now_ms=owner.now_ms)
    assert 2 == sums


async def test_lines_are_looked_at_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some at a time; who asks again without a new line looks at none."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    fleet, looks = _fleet(db, lines_at_once=3), []
    earliest = fleet_balances._earliest

    def counted(connection: Connection, **between: int) -> int | None:
        looks.append(between["after"])
        return earliest(connection, **between)

    monkeypatch.setattr(fleet_balances, "_earliest", counted)
    for _ in range(2):
        await fleet.read(now_ms=owner.now_ms)
    assert [] == looks
    owner.now_ms += DAY_MS
    await owner.buy("VM-1", 2)
    for _ in range(2):
        assert await _all(db) == await fleet.read(now_ms=owner.now_ms)
    first = looks[0]
    assert [first, first + 3] == looks


@pytest.fixture(name="url")
def _url(fresh_postgres: Callable[[], str]) -> str:
    """A PostgreSQL database."""
    return fresh_postgres()


@on_postgres
async def test_a_slow_commit_on_a_day_that_is_over_is_found(url: str) -> None:
    """It has a lower position than what was told already, and its host's clock is behind: the
    next read has it.
    """
    config = StorageConfig(url=url)
    async with AsyncExitStack() as stack:
        slow_db, db = await SlowCommit.open(config), await Database.open(config)
        for one in (slow_db, db):
            stack.push_async_callback(one.close)
        slow = await Owner.of(slow_db, "VM-1", holder="h0", host="host-0")
        quick = await Owner.of(db, "VM-2", holder="h1", host="host-1")
        await quick.buy("VM-2")
        fleet = _fleet(db)
        assert await _all(db) == await fleet.read(now_ms=quick.now_ms)
        quick.now_ms += 2 * DAY_MS
        slow_db.held = True
        late = asyncio.create_task(slow.do("VM-1", paid("late")))
        await slow_db.written.wait()
        await quick.buy("VM-2", 2)
        for _ in range(2):
            assert await _all(db) == await fleet.read(now_ms=quick.now_ms)
        slow_db.go_on.set()
        slow_db.held = False
        await late
        await quick.buy("VM-2", 3)
        assert await _all(db) == await fleet.read(now_ms=quick.now_ms)
        assert await _all(db) == await fleet.read(now_ms=quick.now_ms)

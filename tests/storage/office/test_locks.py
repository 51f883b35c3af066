"""Columns are locked while what was recalled is in them, and machines are told in one revision."""

import json

import pytest
from sqlalchemy import insert, select, update

from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.office import locks as locks_module
from storage.office import stays
from storage.office.deeds import NotPossible
from storage.office.locks import Locks, LockView, locks_page
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.recalls import NewRecall, RecallCause, Recalls
from storage.office.sites import Sites
from storage.tables import (
    audit,
    column_locks,
    goods_lots,
    goods_moves,
    machine_sites,
    machine_states,
    machines,
)
from tests.storage.office import locking as of
from tests.storage.office.places import a_site, by, some_districts
from tests.storage.office.plans import goes_along
from tests.storage.owner import Owner

ALL = NewRecall(product="cola", lot="", reason="glass")


async def told(db: Database, machine_id: str = "VM-1") -> tuple[int, list[str] | None]:
    """Return a machine's revision and what its actor must obey."""
    rows = select(machines.c.revision, machines.c.locked).where(machines.c.machine_id == machine_id)
    row = await db.read(lambda connection: connection.execute(rows).one())
    return row.revision, None if row.locked is None else json.loads(row.locked)


async def test_a_recall_locks_the_columns_that_hold_the_lot_and_no_others(db: Database) -> None:
    """Of three machines: one has it, of one it is sold, one never had it."""
    await of.machines(db, "VM-1", "VM-2", "VM-3")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.moved(db, 2, "LOADED", "L2", 3, column="A2")
    await of.moved(db, 3, "LOADED", "L1", 2, machine_id="VM-2")
    await of.moved(db, 4, "LOADED", "L2", 2, machine_id="VM-2")
    await of.moved(db, 5, "SOLD", "", 2, machine_id="VM-2")
    recall = await of.recalled(db)
    held, more = await Locks(db).held("cola", "L1", limit=9)
    assert ([("VM-1", "A1", 3, 3)], "") == (
        [(one.machine_id, one.column, one.quantity, one.stock) for one in held],
        more,
    )
    assert ["VM-1/A1"] == await of.locked_for(db, recall)
    assert (2, ["A1"]) == await told(db)
    assert (1, None) == await told(db, "VM-2")
    # Once more: nothing differs, and nothing is written.
    assert [] == await Locks(db).differing(recall, 10)
    said = select(audit.c.detail).where(audit.c.action == "LockColumns")
    assert ["locked none -> A1"] == list(await db.read(lambda c: c.scalars(said).all()))


@pytest.mark.slow_on_postgres
async def test_a_column_sells_again_when_the_lot_was_taken_out(db: Database) -> None:
    """By its name, from in front of newer goods; and is locked again when it is back."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.moved(db, 2, "LOADED", "L2", 3)
    recall = await of.recalled(db)
    assert ["VM-1/A1"] == await of.locked_for(db, recall)
    await of.moved(db, 3, "WASTED", "L1", 2)
    assert ["VM-1/A1"] == await of.locked_for(db, recall)
    await of.moved(db, 4, "EXPIRED", "L1", 1)
    assert [] == await of.locked_for(db, recall)
    assert (3, []) == await told(db)
    await of.moved(db, 5, "BACK", "L1", 1, reverses=4)
    assert ["VM-1/A1"] == await of.locked_for(db, recall)


@pytest.mark.slow_on_postgres
async def test_what_lies_behind_goods_that_were_taken_out_is_still_there(db: Database) -> None:
    """Somebody took the newer goods out of the front: the older ones of the lot are locked."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.moved(db, 2, "LOADED", "L2", 5)
    await of.moved(db, 3, "WASTED", "L2", 5)
    assert ["VM-1/A1"] == await of.locked_for(db, await of.recalled(db))


@pytest.mark.slow_on_postgres
async def test_a_release_unlocks_what_no_other_recall_locks(db: Database) -> None:
    """One column is locked for its lot and for all of the product; the other for the product."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.moved(db, 2, "LOADED", "L2", 3, column="A2")
    lot = await of.recalled(db)
    product = await of.recalled(db, ALL, "r-2")
    assert ["VM-1/A1"] == await of.locked_for(db, lot)
    assert ["VM-1/A1", "VM-1/A2"] == await of.locked_for(db, product)
    assert (3, ["A1", "A2"]) == await told(db)
    released = await Recalls(db).release("r-2", by(), reason="tested")
    assert [] == await of.locked_for(db, released)
    assert (4, ["A1"]) == await told(db)


async def test_a_second_recall_of_a_locked_column_needs_no_new_revision(db: Database) -> None:
    """The actor knows already: the lock says so under the revision that is there."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.locked_for(db, await of.recalled(db))
    await of.locked_for(db, await of.recalled(db, ALL, "r-2"))
    assert (2, ["A1"]) == await told(db)
    known_at = select(column_locks.c.revision)
    assert [2, 2] == await db.read(lambda connection: list(connection.scalars(known_at)))


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    ("utc", "zone", "due"),
    [
        ("2027-01-31T15:59", "Asia/Hong_Kong", False),
        ("2027-01-31T16:00", "Asia/Hong_Kong", True),
        ("2027-02-01T04:59", "America/New_York", False),
        ("2027-02-01T05:00", "America/New_York", True),
        ("2027-01-31T23:59", "", False),
        ("2027-02-01T00:00", "", True),
    ],
)
async def test_a_lot_expires_when_its_last_day_is_over_where_the_machine_stands(
    db: Database, utc: str, zone: str, due: bool
) -> None:
    """By the site's time zone; by UTC for one that stands at no site."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await _expires(db, "2027-01-31")
    if zone:
        await _stands(db, zone)
    day, hour = utc.split("T")
    hours, minutes = map(int, hour.split(":"))
    now_ms = stays.begins_ms(day, "UTC") + (hours * 60 + minutes) * 60_000
    (recall,) = await Recalls(db).expire(by(now_ms=now_ms))
    assert (RecallCause.EXPIRED, "2027-01-31") == (recall.cause, recall.expires_on)
    assert (["VM-1/A1"] if due else []) == await of.locked_for(db, recall, now_ms)


async def _expires(db: Database, day: str) -> None:
    row = {
        "product": "cola",
        "lot": "L1",
        "expires_on": day,
        "unit_cost_minor": None,
        "currency": "",
        "received_at_ms": 1,
    }
    await db.write(lambda connection: connection.execute(insert(goods_lots), row))


async def _stands(db: Database, zone: str) -> None:
    await some_districts(db, ("hk", ""))
    await Sites(db).create("pier", a_site(time_zone=zone), by())
    row = {
        "machine_id": "VM-1",
        "from_day": "2026-01-01",
        "site": "pier",
        "from_at_ms": 1,
        "until_at_ms": None,
    }
    await db.write(lambda connection: connection.execute(insert(machine_sites), row))


@pytest.mark.slow_on_postgres
async def test_goods_of_a_recall_are_not_loaded(db: Database) -> None:
    """Neither the lot nor, of a whole product, any; another lot is."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.recalled(db)
    locks = Locks(db)
    await locks.check_loading("VM-1", "cola", "L2", 9)
    with pytest.raises(NotPossible, match="recall r-1: glass"):
        await locks.check_loading("VM-1", "cola", "L1", 9)
    await of.recalled(db, ALL, "r-2")
    with pytest.raises(NotPossible, match="r-2"):
        await locks.check_loading("VM-1", "cola", "L2", 9)


async def test_a_lot_that_has_expired_there_is_not_loaded(db: Database) -> None:
    """Whether somebody has made its recall yet or not; what a person has released is."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await _expires(db, "2027-01-31")
    await _stands(db, "Asia/Hong_Kong")
    locks, over_ms = Locks(db), stays.begins_ms("2027-02-01", "Asia/Hong_Kong")
    await locks.check_loading("VM-1", "cola", "L1", over_ms - 1)
    with pytest.raises(NotPossible, match="2027-01-31, is over where machine VM-1") as refused:
        await locks.check_loading("VM-1", "cola", "L1", over_ms)
    assert "LOT_EXPIRED" == refused.value.reason
    (recall,) = await Recalls(db).expire(by(now_ms=over_ms - 1))
    await locks.check_loading("VM-1", "cola", "L1", over_ms - 1)
    with pytest.raises(NotPossible, match=recall.recall_id) as refused:
        await locks.check_loading("VM-1", "cola", "L1", over_ms)
    assert "LOT_EXPIRED" == refused.value.reason
    await Recalls(db).release(recall.recall_id, by(now_ms=over_ms), reason="it keeps")
    await locks.check_loading("VM-1", "cola", "L1", over_ms)


@pytest.mark.slow_on_postgres
async def test_what_came_into_a_column_late_is_locked_without_waiting_for_the_hour(
    db: Database,
) -> None:
    """The recall of what has expired is made at once, of that product alone; at rest nothing is."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await _expires(db, "2027-01-31")
    locks, over_ms = Locks(db), stays.begins_ms("2027-02-01", "UTC")
    await locks.look_again("tea", over_ms)
    assert [] == await Recalls(db).page(released=True, before=None, limit=9)
    await locks.look_again("cola", over_ms)
    await locks.look_again("cola", over_ms)
    (recall,) = await Recalls(db).page(released=True, before=None, limit=9)
    assert (RecallCause.EXPIRED, "L1", over_ms) == (recall.cause, recall.lot, recall.look_at_ms)
    assert ["VM-1/A1"] == await of.locked_for(db, recall, over_ms)


async def test_a_lock_is_obeyed_when_the_actor_knows_its_revision(db: Database) -> None:
    """Not before, and it is noted once; until then it is in the list of those that were not."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await _a_product(db)
    for number, machine_id in enumerate(("VM-1", "VM-2"), 101):
        await of.moved(db, number, "LOADED", "L1", 3, machine_id=machine_id)
    await of.locked_for(db, await of.recalled(db))
    locks = Locks(db)
    assert 0 == await locks.mark_obeyed(20)
    assert ["VM-1", "VM-2"] == [one.machine_id for one in await _waiting(locks)]
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert ("A1",) == loaded.configuration.configuration.locked
    await owner.do("VM-1", loaded.configuration)
    assert 1 == await locks.mark_obeyed(21)
    assert 0 == await locks.mark_obeyed(22)
    (left,) = await _waiting(locks)
    assert ("VM-2", None, True) == (left.machine_id, left.obeyed_at_ms, left.online)
    (done,) = await locks.page(machine_id="VM-1", after=("", "", ""), limit=9)
    assert (21, "A1", "L1", RecallCause.RECALLED) == (
        done.obeyed_at_ms,
        done.column,
        done.lot,
        done.cause,
    )
    counted = await Recalls(db).get("r-1")
    assert (2, 1) == (counted.locked, counted.not_obeyed)
    away = update(machine_states).values(online=False)
    await db.write(lambda connection: connection.execute(away))
    assert [False] == [one.online for one in await _waiting(locks)]


async def _a_product(db: Database) -> None:
    await Products(db).create("cola", ProductContent(), by())


async def _waiting(locks: Locks) -> list[LockView]:
    return await locks.page(not_obeyed=True, after=("", "", ""), limit=9)


async def _loaded(db: Database, count: int) -> None:
    """Load so many lots into one column, L1 first, one of each; a thousand at a time."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 1)
    of_first = await db.read(lambda connection: connection.execute(select(goods_moves)).one())
    rows = [
        {**of_first._asdict(), "id": one, "lot": f"L{one}", "cause": str(one), "version": one}
        for one in range(2, count + 1)
    ]

    async def enter(some: list[dict[str, object]]) -> None:
        await db.write(lambda connection: connection.execute(insert(goods_moves), some))

    for start in range(0, len(rows), 1_000):
        await enter(rows[start : start + 1_000])


async def test_of_many_lots_each_that_was_taken_out_is_seen(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whichever of several statements its name stands: of seven loads two were taken out again,
    and of the five that are left the oldest is sold.
    """
    monkeypatch.setattr(locks_module, "LOTS_AT_ONCE", 2)
    await _loaded(db, 7)
    await of.moved(db, 8, "UNLOADED", "L7", 1)
    await of.moved(db, 9, "UNLOADED", "L3", 1)
    assert 1 == (await Locks(db).held("cola", "L1", limit=9))[0][0].quantity
    await of.moved(db, 10, "SOLD", "", 1)
    assert [] == (await Locks(db).held("cola", "L1", limit=9))[0]


@pytest.mark.slow
async def test_more_lots_than_a_statement_can_name_are_recalled(db: Database) -> None:
    """A lot of each load, for years: PostgreSQL takes 32767 arguments."""
    await _loaded(db, 33_000)
    assert 1 == (await Locks(db).held("cola", "L1", limit=9))[0][0].quantity


@pytest.mark.slow_on_postgres
async def test_a_machine_that_left_the_fleet_is_locked_no_more(db: Database) -> None:
    """It sells nothing, and takes no change."""
    await of.machines(db, "VM-1")
    await of.moved(db, 1, "LOADED", "L1", 3)
    gone = update(machines).values(retired_at_ms=5)
    await db.write(lambda connection: connection.execute(gone))
    recall = await of.recalled(db)
    assert [] == await Locks(db).differing(recall, 9)


async def test_locks_are_listed_along_an_index_from_where_a_page_begins(db: Database) -> None:
    """All, of a recall, of a machine, and those that were not obeyed."""
    key = ("VM-1", "A1", "r-1")
    for asked, index in (
        (("", "", False), "column_locks_key"),
        (("r-1", "", False), "column_locks_by_recall_id_machine_id_column"),
        (("", "VM-1", False), "column_locks_key"),
        (("", "", True), "column_locks_not_obeyed"),
    ):
        await goes_along(db, locks_page(*asked, key, 9), index)


async def test_a_retired_machine_has_no_locks(db: Database) -> None:
    """Nobody could take them off it, so that the recall would be looked at for ever, also when it
    was released.
    """
    await of.machines(db, "VM-1", "VM-2")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.moved(db, 2, "LOADED", "L1", 3, machine_id="VM-2")
    recall = await of.recalled(db)
    assert ["VM-1/A1", "VM-2/A1"] == await of.locked_for(db, recall)
    await Registry(db).change(
        MachineId("VM-1"),
        MachineChange(retire=True),
        actor="ann",
        action="RetireMachine",
        now_ms=9,
    )
    assert ["VM-2/A1"] == await of.locked_for(db, recall)
    released = await Recalls(db).release(recall.recall_id, by(), reason="tested")
    assert [] == await of.locked_for(db, released)

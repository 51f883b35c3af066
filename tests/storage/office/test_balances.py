"""Goods at the office's places: what machines bring is there at once, no commit of a machine waits
for who moves them, and no two who move them wait for each other.
"""

import asyncio

import pytest
from sqlalchemy import func, insert, select

from actors.machine.events import GoodsMoved
from actors.machine.goods import GoodsKind
from actors.machine.values import replace
from storage.database.engine import Database, StorageConfig
from storage.office.balances import balances_at
from storage.office.deeds import NotPossible
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.visits import Visits
from storage.tables import goods_arrivals, goods_balances
from tests.storage.office.places import by
from tests.storage.owner import Owner
from tests.storage.slow_commits import SlowCommit, held_beside, on_postgres, waiting

VAN, NORTH = "VAN:7", "WAREHOUSE:north"
REMOVED = "REMOVED:VM-1"


def unloaded(number: int, place: str, quantity: int = 1) -> GoodsMoved:
    """Cola of column A1 goes somewhere."""
    return GoodsMoved(
        kind=GoodsKind.UNLOADED,
        cause=f"u{number}",
        version=0,
        column="A1",
        product="cola",
        quantity=quantity,
        into=False,
        place=place,
        lot="",
        visit="",
        actor="ann",
        reason="",
    )


def goes(cause: str, come_from: str, to: str, *lines: tuple[str, int]) -> Errand:
    """An errand."""
    goods = [GoodsLine(product=product, quantity=quantity) for product, quantity in lines]
    return Errand(cause=cause, from_place=come_from, to_place=to, lines=goods)


async def there(db: Database, place: str, product: str = "cola") -> int:
    """Return how many are there."""
    key = (place, product, "")
    found = await db.read(lambda connection: balances_at(connection, [key], lock=False))
    return found.get(key, 0)


async def arrived(db: Database) -> int:
    """Return how many arrivals nobody has taken in."""
    wanted = select(func.count()).select_from(goods_arrivals)
    return await db.read(lambda connection: connection.scalar(wanted) or 0)


@pytest.mark.slow_on_postgres
async def test_what_a_machine_brings_is_there_at_once(db: Database) -> None:
    """It can be seen and taken, by as many as there are; the move that takes some takes in all."""
    owner = await Owner.of(db, "VM-1")
    goods = Goods(db)
    await owner.do("VM-1", unloaded(1, VAN, 2))
    await owner.do("VM-1", unloaded(2, VAN))
    for about in ({"place": VAN}, {"product": "cola"}, {}):
        rows = await goods.balances(after=("", "", ""), limit=5, **about)
        assert {VAN: 3} == {row.place: row.quantity for row in rows if row.place == VAN}, about
    assert 2 == await arrived(db)
    with pytest.raises(NotPossible, match="has 3 cola"):
        await goods.carry(goes("x", VAN, NORTH, ("cola", 4)), by())
    await goods.carry(goes("y", VAN, NORTH, ("cola", 2)), by())
    assert [1, 2, 0] == [await there(db, VAN), await there(db, NORTH), await arrived(db)]
    await owner.do("VM-1", unloaded(3, VAN))
    assert 2 == await there(db, VAN)


@pytest.mark.slow_on_postgres
async def test_pages_are_of_what_was_counted_and_of_what_arrived(db: Database) -> None:
    """In one order, each place once, whatever the size of the page."""
    owner = await Owner.of(db, "VM-1")
    goods = Goods(db)
    for number, place in enumerate(("VAN:1", "VAN:3", "VAN:3", "VAN:4")):
        await owner.do("VM-1", unloaded(number, place))
    for place in ("VAN:2", "VAN:3", "VAN:5"):
        await goods.carry(goes(place, "FOUND", place, ("cola", 1)), by())
    expected = {"VAN:1": 1, "VAN:2": 1, "VAN:3": 3, "VAN:4": 1, "VAN:5": 1}
    for limit in (1, 2, 9):
        for about in ({}, {"product": "cola"}):
            found: dict[str, int] = {}
            after = ("", "", "")
            while rows := await goods.balances(after=after, limit=limit, **about):
                assert limit >= len(rows)
                found |= {row.place: row.quantity for row in rows if "VAN" in row.place}
                after = rows[-1].key
            assert list(expected.items()) == list(found.items()), (limit, about)


async def test_what_was_removed_bears_its_machine(db: Database) -> None:
    """As it arrived, and when some of it was taken."""
    owner = await Owner.of(db, "VM-1")
    goods = Goods(db)
    await owner.do("VM-1", unloaded(1, REMOVED, 3))
    for left in (3, 2):
        rows = await goods.balances(machine_id="VM-1", after=(REMOVED, "", ""), limit=5)
        assert [(REMOVED, left)] == [(row.place, row.quantity) for row in rows]
        if left == 3:
            await goods.carry(goes("y", REMOVED, VAN, ("cola", 1)), by())


async def office_moves(db: Database, place: str) -> None:
    """Somebody moves cola out of the place, or closes the visit that it is with."""
    if place.startswith("VISIT:"):
        await Visits(db).close("v", [GoodsLine(product="cola", quantity=1)], [], by())
    else:
        await Goods(db).carry(goes("out", place, "VAN:9", ("cola", 1)), by())


@on_postgres
@pytest.mark.parametrize("place", [VAN, NORTH, "VISIT:v", REMOVED])
async def test_no_commit_waits_for_who_moves_goods(on_server: str, place: str) -> None:
    """Who moves goods at the place to which a machine's go holds them, and may wait for the audit
    chain: the machine's host saves all its machines at once, and both count.
    """
    async with held_beside(on_server) as (owner, gateway):
        gateway.held = False
        await Visits(gateway).open("v", "VM-1", VAN, by())
        await owner.do("VM-1", unloaded(1, place))
        gateway.held = True
        moving = asyncio.create_task(office_moves(gateway, place))
        await gateway.written.wait()
        async with asyncio.timeout(20):
            await owner.do("VM-1", unloaded(2, place))
            await owner.buy("VM-1")
        gateway.go_on.set()
        await moving
        gateway.held = False
        assert 1 == await there(gateway, place)


@pytest.mark.slow_on_postgres
@on_postgres
async def test_no_commit_waits_for_who_repeats_a_load(on_server: str) -> None:
    """What is on its way into a column is the machine's to take, though its call comes again and
    waits behind somebody who has the van.
    """
    async with held_beside(on_server) as (owner, gateway):
        gateway.held = False
        goods = Goods(gateway)
        load = replace(unloaded(1, "LOADING:1"), kind=GoodsKind.LOADED, into=True, quantity=3)
        await goods.carry(goes("found", "FOUND", VAN, ("cola", 5)), by())
        there_ = Errand(
            cause="load",
            from_place=VAN,
            to_place="LOADING:1",
            lines=[GoodsLine(product="cola", quantity=3)],
            common=True,
        )
        await goods.carry(there_, by())
        gateway.held = True
        again = asyncio.create_task(goods.carry(there_, by()))
        await gateway.written.wait()
        async with asyncio.timeout(20):
            await owner.do("VM-1", load)
        gateway.go_on.set()
        await again


@on_postgres
async def test_those_who_move_the_same_goods_wait_in_one_order(on_server: str) -> None:
    """Two bring the same kinds of goods into one van, each named in another order, while somebody
    has one kind of them: both are done.
    """
    config = StorageConfig(url=on_server)
    holder = await SlowCommit.open(config)
    db, other = [await Database.open(config) for _ in range(2)]
    try:
        goods, beside = Goods(db), Goods(other)
        lines = [("apple", 9), ("pear", 9), ("quince", 9)]
        for place in ("VAN:1", "VAN:2"):
            await goods.carry(goes(place, "FOUND", place, *lines), by())
        row = {"place": VAN, "product": "pear", "lot": "", "machine_id": "", "quantity": 0}
        holder.held = True
        held = asyncio.create_task(
            holder.write(lambda connection: connection.execute(insert(goods_balances), row))
        )
        await holder.written.wait()
        one = [("apple", 1), ("pear", 1), ("quince", 1)]
        both = [
            asyncio.create_task(goods.carry(goes("a", "VAN:1", VAN, *one), by())),
            asyncio.create_task(beside.carry(goes("b", "VAN:2", VAN, *reversed(one)), by())),
        ]
        await waiting(db, 2)
        holder.go_on.set()
        await held
        await asyncio.gather(*both)
        assert [2, 2, 2] == [await there(db, VAN, product) for product, _ in one]
    finally:
        holder.go_on.set()
        for database in (holder, db, other):
            await database.close()

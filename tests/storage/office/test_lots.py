"""Lots are found in the columns that hold them, as a queue would say."""

import random
from collections import deque
from typing import Any

import pytest
from sqlalchemy import insert

from actors.machine.goods import SUPPLIER
from storage.database.engine import Database
from storage.office.deeds import Deed
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.lots import LotColumnView, Lots, columns_page, lots_page
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.tables import goods_moves
from tests.storage.office.plans import goes_along, plan_of

BY = Deed(actor="ann", action="ReceiveGoods", now_ms=7)


def row(
    number: int, kind: str, quantity: int, lot: str, come_from: str, to: str, **more: Any
) -> Any:
    """Return the row of one move."""
    return {
        "at_ms": number,
        "kind": kind,
        "cause": str(number),
        "product": "cola",
        "lot": lot,
        "quantity": quantity,
        "from_place": come_from,
        "to_place": to,
        "machine_id": "VM-1",
        "version": number,
        "visit": "",
        "actor": "",
        "reason": "",
        "reverses": None,
        **more,
    }


async def test_what_is_in_a_column_is_what_a_queue_holds(db: Database) -> None:
    """Loads of three lots into two columns and sales out of them, in one order of luck; what a load
    that was taken back had brought is not there.
    """
    luck = random.Random(7)
    queues: dict[str, deque[str]] = {f"COLUMN:VM-1/A{name}": deque() for name in (1, 2)}
    rows: list[Any] = []
    for _ in range(60):
        number = len(rows) + 1
        place = luck.choice(list(queues))
        queue = queues[place]
        lot, quantity = luck.choice(["L1", "L2", "L3"]), luck.randint(1, 4)
        what = luck.random()
        if queue and what < 0.5:
            queue.popleft()
            rows.append(row(number, "SOLD", 1, "", place, "SOLD"))
            continue
        rows.append(row(number, "LOADED", quantity, lot, "FOUND", place))
        if what < 0.6:
            taken = row(number + 1, "REVERSED", quantity, lot, place, "FOUND", reverses=number)
            rows.append(taken)
        else:
            queue.extend([lot] * quantity)
    await db.write(lambda connection: connection.execute(insert(goods_moves), rows))
    for lot in ("L1", "L2", "L3"):
        expected = [
            LotColumnView(
                machine_id="VM-1", place=place, quantity=queue.count(lot), stock=len(queue)
            )
            for place, queue in sorted(queues.items())
            if lot in queue
        ]
        assert expected == await Lots(db).columns("cola", lot, after="", limit=9)
        assert expected[1:] == await Lots(db).columns("cola", lot, after="COLUMN:VM-1/A1", limit=9)


async def test_lots_come_as_they_expire(db: Database) -> None:
    """The soonest first, along an index; what keeps for ever is never among them."""
    await Products(db).create("cola", ProductContent(), BY)
    lines = [
        GoodsLine(product="cola", lot=lot, quantity=5, expires_on=day)
        for lot, day in (("L1", "2027-01-31"), ("L2", "2026-12-31"), ("L3", ""))
    ]
    await Goods(db).carry(
        Errand(cause="r", from_place=SUPPLIER, to_place="WAREHOUSE:n", lines=lines), BY
    )
    lots = Lots(db)
    rows = await lots.page(until="2027-12-31", after=("", "", ""), limit=9)
    assert [("L2", 5), ("L1", 5)] == [(one.lot, one.in_stores) for one in rows]
    # A Decimal of 5 equals 5, and no message takes it.
    assert [int, int] == [type(one.in_stores) for one in rows]
    assert rows[1:] == await lots.page(until="2027-12-31", after=rows[0].key, limit=9)
    assert rows[:1] == await lots.page(until="2026-12-31", after=("", "", ""), limit=9)
    await goes_along(
        db,
        lots_page("2027-12-31", ("2026-12-31", "a", "b"), 9),
        "goods_lots_by_expires_on_product_lot",
    )
    plan = await plan_of(db, columns_page("cola", "L1", "a", 9))
    for index in ("goods_moves_by_lot", "goods_moves_by_loads"):
        assert any(index in line for line in plan), plan


@pytest.mark.slow_on_postgres
async def test_what_machines_brought_of_a_lot_is_in_stores(db: Database) -> None:
    """As soon as it is there, whether or not somebody moves goods there since."""
    await Products(db).create("cola", ProductContent(), BY)
    line = GoodsLine(product="cola", lot="L1", quantity=5, expires_on="2027-01-31")
    goods = Goods(db)
    errand = Errand(cause="r", from_place=SUPPLIER, to_place="VAN:7", lines=[line])
    await goods.carry(errand, BY)
    rows = [
        row(1, "LOADED", 3, "L1", "FOUND", "COLUMN:VM-1/A1"),
        row(2, "UNLOADED", 2, "L1", "COLUMN:VM-1/A1", "VAN:7"),
        row(3, "UNLOADED", 1, "L1", "COLUMN:VM-1/A1", "REMOVED:VM-1"),
    ]
    await db.write(lambda connection: connection.execute(insert(goods_moves), rows))
    (one,) = await Lots(db).page(until="2027-12-31", after=("", "", ""), limit=9)
    assert (8, int) == (one.in_stores, type(one.in_stores))

"""Machines with loads of lots, and recalls of them, for tests."""

from typing import Any

from sqlalchemy import insert

from actors.machine.ids import MachineId
from actors.machine.state import Column
from storage.database.engine import Database
from storage.fleet.registry import Registry
from storage.office.locks import Locks, locking
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.recalls import NewRecall, Recalls, RecallView
from storage.tables import goods_moves
from tests.storage.office.places import by
from tests.storage.owner import new_machine

LOT = NewRecall(product="cola", lot="L1", reason="glass")
COLUMNS = tuple(
    Column(column=name, product="cola", price_minor=500, capacity=10, stock=0)
    for name in ("A1", "A2")
)


async def machines(db: Database, *machine_ids: str) -> Registry:
    """Have the product, and machines with two columns of it."""
    await Products(db).create("cola", ProductContent(), by())
    registry = Registry(db)
    for machine_id in machine_ids:
        await registry.register(new_machine(machine_id), actor="test", now_ms=1)
    return registry


async def moved(db: Database, number: int, kind: str, lot: str, quantity: int, **more: Any) -> None:
    """Enter a move of cola into or out of a column: VM-1/A1, unless another is named."""
    place = f"COLUMN:{more.pop('machine_id', 'VM-1')}/{more.pop('column', 'A1')}"
    come_from, to = ("FOUND", place) if kind in {"LOADED", "BACK"} else (place, "WASTE")
    row = {
        "id": number,
        "at_ms": number,
        "kind": "REVERSED" if kind == "BACK" else kind,
        "cause": str(number),
        "product": "cola",
        "lot": lot,
        "quantity": quantity,
        "from_place": come_from,
        "to_place": to,
        "machine_id": place.removeprefix("COLUMN:").split("/")[0],
        "version": number,
        "visit": "",
        "actor": "",
        "reason": "",
        "reverses": None,
        **more,
    }
    await db.write(lambda connection: connection.execute(insert(goods_moves), row))


async def locked_for(db: Database, recall: RecallView, now_ms: int = 9) -> list[str]:
    """Lock what differs for a recall, as the worker does, and return what is locked then."""
    registry, locks = Registry(db), Locks(db)
    for machine_id in await locks.differing(recall, now_ms):
        await registry.change(
            MachineId(machine_id),
            locking(recall.recall_id, now_ms),
            actor="ann",
            action="LockColumns",
            now_ms=now_ms,
        )
    rows = await locks.page(recall_id=recall.recall_id, after=("", "", ""), limit=99)
    return [f"{one.machine_id}/{one.column}" for one in rows]


async def recalled(db: Database, wanted: NewRecall = LOT, recall_id: str = "r-1") -> RecallView:
    """Recall it."""
    return await Recalls(db).begin(recall_id, wanted, by())

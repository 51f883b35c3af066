"""Which moves of goods are taken back, and under which name."""

import pytest
from sqlalchemy import insert

from actors.machine.goods import SUPPLIER
from storage.database.engine import Database
from storage.office.deeds import Deed, NotPossible, NotThere
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.reversals import Reversals, errand_back
from storage.tables import goods_moves

NORTH = "WAREHOUSE:north"
BY = Deed(actor="ann", action="ReverseMove", now_ms=7)


def sold(kind: str, cause: str) -> dict[str, object]:
    """Return the row of something that was sold."""
    return {
        "at_ms": 1,
        "kind": kind,
        "cause": cause,
        "product": "cola",
        "quantity": 1,
        "version": 1,
        "from_place": "FOUND",
        "to_place": "SOLD",
        "machine_id": "VM-1",
        "lot": "",
        "visit": "",
        "actor": "",
        "reason": "",
    }


async def test_some_moves_stand(db: Database) -> None:
    """A sale's, a reversal, half of a load; each with what to do instead. Another is found with
    what takes it back, which is done once.
    """
    await Products(db).create("cola", ProductContent(), BY)
    goods, reversals = Goods(db), Reversals(db)
    line = GoodsLine(product="cola", quantity=10)
    await goods.carry(Errand(cause="r", from_place=SUPPLIER, to_place=NORTH, lines=[line]), BY)
    half = Errand(cause="l", from_place=NORTH, to_place="LOADING:x", lines=[line])
    await goods.carry(half, BY)
    sales = [sold("SOLD", "v1"), sold("CASH_SOLD", "v2")]
    await db.write(lambda connection: connection.execute(insert(goods_moves), sales))
    for move_id, said in ((2, "LOADED move"), (3, "CountColumn"), (4, "CountColumn")):
        with pytest.raises(NotPossible, match=said) as refused:
            await reversals.find(move_id)
        assert "MOVE_STANDS" == refused.value.reason
    with pytest.raises(NotThere):
        await reversals.find(99)

    back = Errand(cause="l/back", from_place="LOADING:x", to_place=NORTH, lines=[line])
    await goods.carry(back, BY)
    found = await reversals.find(1)
    assert (None, "", "reverse:1") == (found.by, found.column, found.cause)
    await goods.carry(errand_back(found.move, "twice"), BY)
    with pytest.raises(NotPossible, match="taken back already"):
        await goods.carry(errand_back(found.move, "twice"), BY)
    by = (await reversals.find(1)).by
    assert by is not None
    assert (1, NORTH, SUPPLIER) == (by.reverses, by.from_place, by.to_place)
    with pytest.raises(NotPossible, match="takes another one back"):
        await reversals.find(by.id)

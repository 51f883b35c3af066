"""Which moves of goods are taken back, and under which name."""

import asyncio

import pytest
from sqlalchemy import insert

from actors.machine.goods import SUPPLIER, visit_place
from storage.database.engine import Database, StorageConfig
from storage.office.deeds import Deed, NotPossible, NotThere
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.move_lists import MovesWanted
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.reversals import Reversals, errand_back
from storage.office.visits import Visits
from storage.tables import goods_moves
from tests.storage.owner import Owner

NORTH, VAN = "WAREHOUSE:north", "VAN:7"
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


async def on_a_visit(db: Database, visit: str) -> int:
    """Have one box brought back to the van on a visit, and return the move that did."""
    goods, line = Goods(db), GoodsLine(product="cola", quantity=1)
    await Visits(db).open(visit, "VM-1", VAN, BY)
    for step, (come_from, to) in enumerate(
        ((SUPPLIER, VAN), (VAN, visit_place(visit)), (visit_place(visit), VAN))
    ):
        cause = f"{visit}-{step}"
        await goods.carry(
            Errand(cause=cause, from_place=come_from, to_place=to, lines=[line], visit=visit), BY
        )
    (last,) = await goods.moves(MovesWanted(visit=visit), before=None, limit=1)
    return last.id


async def left_with(db: Database, visit: str) -> int:
    """How many boxes the visit has."""
    rows = await Goods(db).balances(place=visit_place(visit), after=("", "", ""), limit=9)
    return sum(one.quantity for one in rows)


@pytest.mark.slow_on_postgres
async def test_nothing_comes_back_to_a_visit_that_was_closed_meanwhile(db: Database) -> None:
    """Closed after the move was found and before it was taken back; what was done before is told
    again all the same.
    """
    await Owner.of(db, "VM-1")
    await Products(db).create("cola", ProductContent(), BY)
    reversals, goods = Reversals(db), Goods(db)
    found = await reversals.find(await on_a_visit(db, "v"))
    await Visits(db).close("v", [], [], BY)
    with pytest.raises(NotPossible, match="which was closed by ann") as refused:
        await goods.carry(errand_back(found.move, "no"), BY)
    assert "VISIT_CLOSED" == refused.value.reason
    assert 0 == await left_with(db, "v")

    back = errand_back((await reversals.find(await on_a_visit(db, "w"))).move, "no")
    await goods.carry(back, BY)
    await Visits(db).close("w", [], [GoodsLine(product="cola", quantity=1)], BY)
    with pytest.raises(NotPossible, match="taken back already"):
        await goods.carry(back, BY)


@pytest.mark.slow_on_postgres
async def test_a_move_is_taken_back_or_its_visit_closed(db: Database, url: str) -> None:
    """In the same moment, from two processes: one of them wins, and a closed visit has nothing."""
    await Owner.of(db, "VM-1")
    await Products(db).create("cola", ProductContent(), BY)
    other = await Database.open(StorageConfig(url=url))
    try:
        for number in range(5):
            visit = f"v-{number}"
            found = await Reversals(db).find(await on_a_visit(db, visit))
            taken, closed = await asyncio.gather(
                Goods(db).carry(errand_back(found.move, "no"), BY),
                Visits(other).close(visit, [], [], BY),
                return_exceptions=True,
            )
            refused = taken if isinstance(taken, BaseException) else closed
            reasons = {"VISIT_CLOSED": 0, "VISIT_NOT_ACCOUNTED": 1}
            assert isinstance(refused, NotPossible), (taken, closed)
            assert isinstance(taken, BaseException) is not isinstance(closed, BaseException)
            assert reasons[refused.reason] == await left_with(db, visit)
            if refused is closed:
                await Visits(db).close(visit, [], [GoodsLine(product="cola", quantity=1)], BY)
    finally:
        await other.close()

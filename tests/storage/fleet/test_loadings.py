"""Goods that wait between a van and a column are a work item, which says how it ends."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.fleet.loadings import UNFINISHED_AFTER_MS, in_words
from storage.fleet.queries import Queries
from storage.fleet.views import WorkItemKind
from storage.office.deeds import Deed
from storage.office.goods import Errand, Goods, GoodsLine
from storage.tables import goods_balances
from tests.storage.fleet.unfinished import LOADING, VAN, cut_off_between_van_and_column

BY = Deed(actor="bob", action="LoadColumn", now_ms=7)


async def left(db: Database) -> list[int]:
    """How many the books keep at the act's place, row by row."""
    rows = select(goods_balances.c.quantity).where(goods_balances.c.place == LOADING)
    return await db.read(lambda connection: list(connection.scalars(rows)))


async def test_what_was_cut_off_is_shown_after_some_minutes(db: Database) -> None:
    """With what waits, where it came from and which call ends it; it goes when the goods are
    elsewhere.
    """
    await cut_off_between_van_and_column(db, at_ms=7)
    late_ms = 7 + UNFINISHED_AFTER_MS

    async def shown(now_ms: int) -> list[tuple[object, ...]]:
        rows = await Queries(db).work_items(
            machine_id="VM-1", kinds=[], after="", limit=9, now_ms=now_ms
        )
        return [(row.kind, row.item_id, row.since_at_ms, row.reason) for row in rows]

    assert [] == await shown(late_ms)
    said = (
        f"3 cola of lot L1 from {VAN}, by ann: repeat LoadColumn into column A1 with request_id "
        "load-1"
    )
    item = (WorkItemKind.LOADING_UNFINISHED, f"loading:{LOADING}", 7, said)
    assert [item] == await shown(late_ms + 1)
    line = GoodsLine(product="cola", lot="L1", quantity=3)
    goods = Goods(db)
    two = [GoodsLine(product="cola", lot="L1", quantity=2)]
    await goods.carry(Errand(cause="a", from_place=LOADING, to_place=VAN, lines=two), BY)
    assert [1] == await left(db)
    one = [replace(line, quantity=1)]
    await goods.carry(Errand(cause="b", from_place=LOADING, to_place=VAN, lines=one), BY)
    assert [] == await shown(late_ms + 1)
    # Nothing is kept of a place that nobody uses again, or every look would go along all of them.
    assert [] == await left(db)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("0f:A:1:load.1/0", "repeat LoadColumn into column A:1 with request_id load.1"),
        ("reverse:12/0/0", "repeat ReverseMove of goods move 12"),
        ("reverse:12/3", "repeat ReverseMove of goods move 12"),
    ],
)
def test_the_call_is_named(cause: str, said: str) -> None:
    """Both kinds of acts that go over a place of their own."""
    assert said == in_words(cause)

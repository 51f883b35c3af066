"""Lots: until when they may be sold, and which columns hold them.

A column is first in, first out, and nobody tells lots apart in it. So what is still in it are the
newest loads that add up to its stock: those that were taken back left out, and what a count found
taken for goods of the oldest of them. Reads only.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from actors.machine.goods import GoodsKind
from storage.database.engine import Database
from storage.tables import goods_arrivals, goods_balances, goods_lots, goods_moves

LotKey = tuple[str, str, str]
"""Last day, product and lot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LotView:
    """A lot: ``expires_on`` is the last day on which it may be sold, '' if it keeps for ever.
    ``in_stores``: how many are at the office's places.
    """

    product: str
    lot: str
    expires_on: str
    unit_cost_minor: int | None
    currency: str
    received_at_ms: int
    in_stores: int

    @property
    def key(self) -> LotKey:
        """Where it stands in a list."""
        return self.expires_on, self.product, self.lot


@dataclass(frozen=True, slots=True, kw_only=True)
class LotColumnView:
    """So many of a lot are in a column, of all that is there."""

    machine_id: str
    place: str
    quantity: int
    stock: int


class Lots:
    """The lots of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, *, until: str, after: LotKey, limit: int) -> list[LotView]:
        """Return the first ``limit`` lots behind a key that expire until a day, soonest first;
        those that keep for ever never do.
        """
        query = lots_page(until, after, limit)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [LotView(**row._asdict()) for row in rows]

    async def columns(
        self, product: str, lot: str, *, after: str, limit: int
    ) -> list[LotColumnView]:
        """Return the first ``limit`` columns behind a place that hold some of a lot."""
        query = columns_page(product, lot, after, limit)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [
            LotColumnView(
                machine_id=row.machine_id,
                place=row.to_place,
                quantity=int(row.quantity),
                stock=row.stock,
            )
            for row in rows
        ]


def lots_page(until: str, after: LotKey, limit: int) -> Select[Any]:
    """Return the query for a page of lots."""
    c = goods_lots.c
    key = (c.expires_on, c.product, c.lot)
    counted, arrived = (
        # PostgreSQL sums into numeric, which Python has as a Decimal and protobuf refuses.
        select(cast(func.coalesce(func.sum(of.c.quantity), 0), BigInteger))
        .where(of.c.product == c.product, of.c.lot == c.lot)
        .scalar_subquery()
        for of in (goods_balances, goods_arrivals)
    )
    return (
        select(goods_lots, (counted + arrived).label("in_stores"))
        .where(
            c.expires_on > "",
            c.expires_on <= until,
            tuple_(*key) > tuple_(*(literal(value) for value in after)),
        )
        .order_by(*key)
        .limit(limit)
    )


def columns_page(product: str, lot: str, after: str, limit: int) -> Select[Any]:
    """Return the query for a page of the columns that hold a lot: those into which it was loaded,
    and of their loads those that are not behind the stock, newest first.
    """
    c = goods_moves.c
    mine, back = goods_moves.alias("mine"), goods_moves.alias("back")
    # Word for word that of the index.
    loaded: ColumnElement[str] = literal_column(f"'{GoodsKind.LOADED.value}'")
    theirs = (
        select(mine.c.to_place)
        .where(
            mine.c.lot == lot,
            mine.c.lot != "",
            mine.c.product == product,
            # Not as they stand, so that no database goes along all loads for these.
            mine.c.kind + "" == loaded,
            mine.c.to_place + "" > after,
        )
        .distinct()
    )
    taken_back = exists().where(back.c.reverses == c.id, back.c.reverses.is_not(None))
    loads = (
        select(
            c.to_place,
            c.machine_id,
            c.lot,
            c.quantity,
            func.sum(c.quantity).over(partition_by=c.to_place, order_by=c.id.desc()).label("upto"),
        )
        .where(c.kind == loaded, c.to_place.in_(theirs), c.product == product, ~taken_back)
        .subquery()
    )
    stock = goods_balances.c.quantity
    newer = loads.c.upto - loads.c.quantity
    still = case((stock - newer < loads.c.quantity, stock - newer), else_=loads.c.quantity)
    return (
        select(
            loads.c.to_place,
            loads.c.machine_id,
            stock.label("stock"),
            func.sum(still).label("quantity"),
        )
        .select_from(
            loads.join(
                goods_balances,
                and_(
                    goods_balances.c.place == loads.c.to_place,
                    goods_balances.c.product == product,
                    goods_balances.c.lot == "",
                ),
            )
        )
        .where(loads.c.lot == lot, stock > newer)
        .group_by(loads.c.to_place, loads.c.machine_id, stock)
        .order_by(loads.c.to_place)
        .limit(limit)
    )

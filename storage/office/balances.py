"""How many goods are where: what stands in the balances, and what has arrived and was not taken in
yet (``storage.tables.goods``).

Flows in: places, products and lots. Flows out: how many there are, and to whoever changes that at
the office's places, that nobody else of the office does meanwhile.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from actors.machine import goods as words
from storage.database import dialects
from storage.tables import goods_arrivals, goods_balances

Key = tuple[str, str, str]
"""Place, product and lot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsBalanceView:
    """How many are at one place."""

    place: str
    product: str
    lot: str
    machine_id: str
    quantity: int

    @property
    def key(self) -> Key:
        """Where it stands in a list."""
        return self.place, self.product, self.lot


def page_of(
    connection: Connection, place: str, machine_id: str, product: str, after: Key, limit: int
) -> list[GoodsBalanceView]:
    """Return the first ``limit`` balances behind a key, of one place, machine or product, or of
    all: of one product in the order of lots.
    """
    pages = balances_pages(place, machine_id, product, after, limit)
    # In one statement: what is taken in meanwhile is seen once.
    query = union_all(*(select(one.subquery()) for one in pages))
    known: dict[Key, GoodsBalanceView] = {}
    for row in connection.execute(query):
        one = GoodsBalanceView(**row._asdict())
        there = known.get(one.key)
        quantity = int(one.quantity) + (0 if there is None else there.quantity)
        known[one.key] = replace(one, quantity=quantity)
    by_lot = bool(product)
    in_order = sorted(known.values(), key=lambda one: (one.lot, one.place) if by_lot else one.key)
    return in_order[:limit]


def balances_pages(
    place: str, machine_id: str, product: str, after: Key, limit: int
) -> tuple[Select[Any], Select[Any]]:
    """Return the queries for a page of balances that are not 0, and for one of what has arrived at
    the same places and was not taken in: the first of both are among the first of either.
    """
    order = ("lot", "place") if product else ("place", "product", "lot")
    last = (after[2], after[0]) if product else after

    def first(of: Table, machine: ColumnElement[str], quantity: ColumnElement[int]) -> Select[Any]:
        # A constant's column would hide from a database that the index has this order.
        codes = [literal(product).label("product")] if product else [of.c.product]
        query = select(of.c.place, *codes, of.c.lot, machine, quantity).where(of.c.quantity > 0)
        for name, value in (("place", place), ("machine_id", machine_id), ("product", product)):
            if value:
                query = query.where(of.c[name] == value)
        keys = [of.c[name] for name in order]
        return query.where(tuple_(*keys) > tuple_(*map(literal, last))).order_by(*keys).limit(limit)

    c = goods_arrivals.c
    counted = first(goods_balances, goods_balances.c.machine_id, goods_balances.c.quantity)
    arrived = first(
        goods_arrivals,
        func.max(c.machine_id).label("machine_id"),
        cast(func.sum(c.quantity), BigInteger).label("quantity"),
    ).group_by(*(c[name] for name in order))
    return counted, arrived


def balances_at(connection: Connection, keys: Collection[Key], *, lock: bool) -> dict[Key, int]:
    """Return how many there are of each of these, in a transaction of the caller's. ``lock``: and
    nobody else of the office changes that before its end.

    Who locks locks all that they will change in one statement, in the order of the keys, rows that
    are not there yet among them: so no two of the office wait for each other. What is on its way
    into a column is not locked, because the machine's commit takes it from there, and waits for
    nobody: it is the act's alone, whose goods at the office's places are locked.
    """
    if lock:
        _lock(connection, keys)
    there = Counter[Key]()
    both = union_all(*(_of(of, keys) for of in (goods_balances, goods_arrivals)))
    for row in connection.execute(both):
        there[row.place, row.product, row.lot] += row.quantity
    return dict(there)


def _of(of: Table, keys: Collection[Key]) -> Select[Any]:
    c = of.c
    these = or_(*(and_(c.place == one[0], c.product == one[1], c.lot == one[2]) for one in keys))
    return select(*c["place", "product", "lot", "quantity"]).where(these)


def _lock(connection: Connection, keys: Collection[Key]) -> None:
    rows = [
        {"place": place, "product": product, "lot": lot, "machine_id": whose(place), "quantity": 0}
        for place, product, lot in sorted(set(keys))
        if not place.startswith(f"{words.LOADING}:")
    ]
    if rows:
        same = dialects.add_up(
            connection.dialect.name, goods_balances, ("place", "product", "lot"), ("quantity",)
        )
        connection.execute(same.values(rows))


def whose(place: str) -> str:
    """Return the machine out of which what is at a place was removed; else empty."""
    kind, _, machine_id = place.partition(":")
    return machine_id if kind == words.REMOVED else ""

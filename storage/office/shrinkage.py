"""What counts found missing in the columns of machines, and what they found too much.

Flows in: machines, and since when. Flows out: sums by machine and product. Of each machine the
newest moves are read, a bounded number, along its own index: a sale pays for no other one. Reads
only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)

from actors.machine.goods import FOUND, LOST, GoodsKind
from storage.database.engine import Database
from storage.office.stock_lists import MOVES_MAX
from storage.tables import goods_moves, products


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrinkageLine:
    """One product of one machine. ``cost_minor``: of what is lost less what was found, at the
    product's unit cost; None if nobody knows that.
    """

    machine_id: str
    product: str
    lost: int
    found: int
    cost_minor: int | None
    currency: str
    counted_at_ms: int


class Shrinkage:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def lines(self, machine_ids: Sequence[str], *, since_ms: int) -> list[ShrinkageLine]:
        """Return what counts of these machines found since then, in the order of machines and
        products.
        """

        def work(connection: Connection) -> list[ShrinkageLine]:
            return [
                line
                for machine_id in machine_ids
                for line in _of_machine(connection, machine_id, since_ms)
            ]

        return await self._db.read(work)


def _of_machine(connection: Connection, machine_id: str, since_ms: int) -> list[ShrinkageLine]:
    given = {"machine_id": machine_id, "most": MOVES_MAX, "since_ms": since_ms}
    return [
        ShrinkageLine(
            machine_id=machine_id,
            product=row.product,
            lost=int(row.lost),
            found=int(row.found),
            cost_minor=_cost(int(row.lost) - int(row.found), row.unit_cost_minor),
            currency=row.unit_cost_currency or "",
            counted_at_ms=row.counted_at_ms,
        )
        for row in connection.execute(_COUNTED, given)
        if row.lost or row.found
    ]


def _cost(missing: int, unit_cost_minor: int | None) -> int | None:
    return None if unit_cost_minor is None else missing * unit_cost_minor


def _counted() -> Select[Any]:
    # What a reversal takes back went the other way before: by a count, if it is to count here. What
    # a planogram opened is no find, and taking it back no loss.
    c, before = goods_moves.c, goods_moves.alias("before")
    newest = (
        select(c.at_ms, c.kind, c.from_place, c.to_place, c.product, c.quantity, c.reverses)
        .where(c.machine_id == bindparam("machine_id"))
        .order_by(c.id.desc())
        .limit(bindparam("most", type_=Integer))
        .subquery()
        .c
    )

    def less_taken_back(went: Any, came: Any) -> Any:
        signed = case((went, newest.quantity), (came, -newest.quantity), else_=0)
        return func.sum(signed)

    counted = newest.kind == GoodsKind.COUNTED.value
    reversed_ = and_(
        newest.kind == GoodsKind.REVERSED.value,
        exists().where(before.c.id == newest.reverses, before.c.kind == GoodsKind.COUNTED.value),
    )
    sums = (
        select(
            newest.product,
            less_taken_back(
                newest.to_place == LOST, and_(reversed_, newest.from_place == LOST)
            ).label("lost"),
            less_taken_back(
                and_(counted, newest.from_place == FOUND),
                and_(reversed_, newest.to_place == FOUND),
            ).label("found"),
            func.max(newest.at_ms).label("counted_at_ms"),
        )
        .where(or_(counted, reversed_), newest.at_ms >= bindparam("since_ms", type_=BigInteger))
        .group_by(newest.product)
        .subquery()
    )
    return (
        select(sums, products.c.unit_cost_minor, products.c.unit_cost_currency)
        .select_from(sums.outerjoin(products, products.c.product == sums.c.product))
        .order_by(sums.c.product)
    )


_COUNTED = _counted()

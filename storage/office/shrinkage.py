"""What counts found missing in the columns of machines, and what they found too much.

Flows in: machines, and since when. Flows out: sums by machine and product. Of each machine the
newest moves are read, a bounded number, along its own index: a sale pays for no other one. Reads
only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
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
from storage.office.costs import read_costs
from storage.office.stock_lists import MOVES_MAX
from storage.tables import goods_moves, machines

AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrinkageLine:
    """One product of one machine. ``cost_minor``: of what is lost less what was found, at the
    product's latest cost in the machine's currency (``storage.office.costs``), as margins have it;
    None if nobody knows that, and ``currency`` is empty then.
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
            counted = [
                (machine_id, row)
                for machine_id in machine_ids
                for row in _of_machine(connection, machine_id, since_ms)
            ]
            costs = _costs(connection, sorted({row.product for _, row in counted}))
            c = machines.c
            named = select(c.machine_id, c.currency).where(c.machine_id.in_(machine_ids))
            currencies = {row.machine_id: row.currency for row in connection.execute(named)}
            return [
                _line(machine_id, row, currencies.get(machine_id, ""), costs)
                for machine_id, row in counted
            ]

        return await self._db.read(work)


def _of_machine(connection: Connection, machine_id: str, since_ms: int) -> list[Row[Any]]:
    given = {"machine_id": machine_id, "most": MOVES_MAX, "since_ms": since_ms}
    return [row for row in connection.execute(_COUNTED, given) if row.lost or row.found]


def _costs(connection: Connection, products: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return what these cost, looked up once for all machines."""
    costs: dict[tuple[str, str], int] = {}
    for start in range(0, len(products), AT_ONCE):
        costs |= read_costs(connection, products[start : start + AT_ONCE])
    return costs


def _line(
    machine_id: str, row: Row[Any], currency: str, costs: Mapping[tuple[str, str], int]
) -> ShrinkageLine:
    lost, found = int(row.lost), int(row.found)
    unit_cost_minor = costs.get((row.product, currency))
    return ShrinkageLine(
        machine_id=machine_id,
        product=row.product,
        lost=lost,
        found=found,
        cost_minor=None if unit_cost_minor is None else (lost - found) * unit_cost_minor,
        currency="" if unit_cost_minor is None else currency,
        counted_at_ms=row.counted_at_ms,
    )


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
    return (
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
        .order_by(newest.product)
    )


_COUNTED = _counted()

"""What is in the columns of many machines, for how long it lasts, and what is to be brought.

Flows in: machines, and since when sales count. Flows out: a line for each column of their
planograms. Of each machine the newest moves are read, a bounded number: where that does not reach
back as far as was asked, less time is taken instead. Reads only.
"""

from collections import Counter
from collections.abc import Sequence
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
    func,
    literal,
    select,
)

from actors.machine.goods import COLUMN, SALES, column_place
from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.office.deeds import NotPossible
from storage.office.locks import to_take_out
from storage.office.selectors import Held, Selector, page_of
from storage.office.supply import Supply, expected, supply
from storage.tables import column_pars, goods_balances, goods_moves, machines, planogram_columns

MOVES_MAX = 5_000
"""So many moves of a machine are looked at, at most."""
PICKED_MACHINES_MAX = 200
_SALES = tuple(kind.value for kind in SALES)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLine:
    """One column. ``par`` is 0 if it has none; ``sold`` in ``span_ms``. ``take_out`` of
    the stock must be brought out: it is locked by recalls, or its machine is retired. ``expected``
    of the others are likely to be there when somebody comes with ``bring`` more; both are as of now
    in a list of what is low.
    """

    machine_id: str
    column: str
    product: str
    stock: int
    capacity: int
    par: int
    sold: int
    span_ms: int
    supply: Supply
    expected: int
    bring: int
    take_out: int = 0

    def is_low(self, below_percent: int, within_hours: int) -> bool:
        """Tell whether nothing is in it that may be sold, no more than so much of its par, or it
        will be so within so many hours (0: that is not asked).
        """
        lasts = self.supply.hours
        return (
            self.stock <= self.take_out
            or (self.par > 0 and 100 * (self.stock - self.take_out) <= below_percent * self.par)
            or (lasts is not None and lasts < within_hours)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What is to be brought to machines, and how many machines these are."""

    machines: int
    lines: list[StockLine]


class StockLists:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def lines(
        self, machine_ids: Sequence[str], *, since_ms: int, now_ms: int, ahead_ms: int = 0
    ) -> list[StockLine]:
        """Return the columns of these machines, in the order of machines and places; for somebody
        who is there in ``ahead_ms``.
        """

        def work(connection: Connection) -> list[StockLine]:
            return _of_machines(connection, machine_ids, since_ms, now_ms, ahead_ms)

        return await self._db.read(work)

    async def picked(
        self, selector: Selector, *, since_ms: int, now_ms: int, ahead_ms: int
    ) -> Picked:
        """Return the columns of all that the selector holds to which something is to be brought,
        or out of which: of retired machines too. Raises NotPossible (PICK_LIST_TOO_LONG).
        """

        def work(connection: Connection) -> Picked:
            found = _all_of(connection, selector, now_ms)
            lines = [
                line
                for line in _of_machines(connection, found, since_ms, now_ms, ahead_ms)
                if line.bring or line.take_out
            ]
            return Picked(machines=len(found), lines=lines)

        return await self._db.read(work)


def _all_of(connection: Connection, selector: Selector, now_ms: int) -> list[str]:
    found: list[str] = []
    held = Held(machine_ids=(), position="")
    while True:
        held = page_of(
            connection,
            selector,
            now_ms,
            position=held.position,
            limit=PICKED_MACHINES_MAX + 1,
            left=True,
        )
        found += held.machine_ids
        if len(found) > PICKED_MACHINES_MAX:
            raise NotPossible(
                "PICK_LIST_TOO_LONG",
                f"the selector holds more than {PICKED_MACHINES_MAX} machines, which nobody visits "
                "on one route: give a narrower one",
            )
        if not held.position:
            return found


def _of_machines(
    connection: Connection, machine_ids: Sequence[str], since_ms: int, now_ms: int, ahead_ms: int
) -> list[StockLine]:
    # Asked once for all of them, but for what was sold: of each that is bounded by its own moves.
    planned: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(_PLANNED, {"machine_ids": machine_ids}):
        planned.setdefault(row.machine_id, []).append(row)
    locked = to_take_out(connection, machine_ids)
    lines = []
    for machine_id in machine_ids:
        if rows := planned.get(machine_id):
            sold, span_ms = _sold(connection, machine_id, since_ms, now_ms)
            for row in rows:
                number = sold[column_place(MachineId(machine_id), row.column), row.product]
                out = locked.get((machine_id, row.column), 0)
                lines.append(_line(row, number, span_ms, ahead_ms, out))
    return lines


def _line(row: Row[Any], sold: int, span_ms: int, ahead_ms: int, locked: int) -> StockLine:
    retired = row.retired_at_ms is not None
    out = row.stock if retired else min(row.stock, locked)
    # Nothing is sold out of a locked column, also none of what may be sold.
    there = row.stock - out if out else expected(row.stock, sold, span_ms, ahead_ms)
    return StockLine(
        machine_id=row.machine_id,
        column=row.column,
        product=row.product,
        stock=row.stock,
        capacity=row.capacity,
        par=row.par,
        sold=sold,
        span_ms=span_ms,
        supply=supply(row.stock - out, sold, span_ms),
        expected=there,
        bring=0 if retired else max(0, min(row.par, row.capacity) - there),
        take_out=out,
    )


def _planned() -> Select[Any]:
    planned, par = planogram_columns.c, column_pars.c
    place = literal(f"{COLUMN}:") + planned.machine_id + literal("/") + planned.column
    return (
        select(
            *(planned.machine_id, planned.column, planned.product, planned.capacity),
            func.coalesce(goods_balances.c.quantity, 0).label("stock"),
            func.coalesce(par.par, 0).label("par"),
            machines.c.retired_at_ms,
        )
        .select_from(
            planogram_columns.join(machines, machines.c.machine_id == planned.machine_id)
            .outerjoin(
                goods_balances,
                and_(
                    goods_balances.c.place == place,
                    goods_balances.c.product == planned.product,
                    goods_balances.c.lot == "",
                ),
            )
            .outerjoin(
                column_pars,
                and_(
                    par.machine_id == planned.machine_id,
                    par.column == planned.column,
                    par.product == planned.product,
                ),
            )
        )
        .where(planned.machine_id.in_(bindparam("machine_ids", expanding=True)))
        .order_by(planned.machine_id, planned.place)
    )


def _sold_of_newest() -> Select[Any]:
    # To make a statement costs more than to run it.
    c = goods_moves.c
    newest = (
        select(c.at_ms, c.kind, c.from_place, c.product, c.quantity)
        .where(c.machine_id == bindparam("machine_id"))
        .order_by(c.id.desc())
        .limit(bindparam("most", type_=Integer))
        .subquery()
        .c
    )
    counts = and_(newest.kind.in_(_SALES), newest.at_ms >= bindparam("since_ms", type_=BigInteger))
    return select(
        newest.from_place,
        newest.product,
        func.sum(case((counts, newest.quantity), else_=0)).label("quantity"),
        func.min(newest.at_ms).label("first_ms"),
    ).group_by(newest.from_place, newest.product)


_PLANNED = _planned()
_SOLD = _sold_of_newest()


def _sold(
    connection: Connection, machine_id: str, since_ms: int, now_ms: int
) -> tuple[Counter[tuple[str, str]], int]:
    """Return how many of what were sold out of which column, and in how much time."""
    given = {"machine_id": machine_id, "most": MOVES_MAX, "since_ms": since_ms}
    rows = connection.execute(_SOLD, given).all()
    sold = Counter({(row.from_place, row.product): int(row.quantity) for row in rows})
    # A machine that is younger, or sold more, has less time behind it.
    first_ms = min((row.first_ms for row in rows), default=since_ms)
    return sold, max(1, now_ms - max(since_ms, first_ms))

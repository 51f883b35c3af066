"""Tried prices: which machines are to get them, which to get their own back, and what either is as
a change of a machine's registration.

A column's price before stands in ``experiment_prices`` from the transaction that changes it, so
that it comes back whatever happens in between. What somebody else has priced or filled otherwise
meanwhile stays as they want it, but for a product that was moved to another column with the tried
price: that was copied, not wanted. A machine has the prices of one experiment at a time: what
another one left would be taken for its own, and would come back for good.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from actors.machine import values
from actors.machine.state import Column
from storage.database.engine import Database
from storage.experiments.arms import Now, tried_now
from storage.experiments.content import Arm, Channel, State
from storage.experiments.experiments import there
from storage.experiments.history import parts
from storage.experiments.own_prices import remember
from storage.fleet.changes import MachineChange, Making
from storage.insight.local_time import HOUR_MS
from storage.machines.loading import read_columns, removal_agreed
from storage.tables import experiment_prices, machines, planogram_columns

AHEAD_MS_MAX = 24 * HOUR_MS
"""Clocks of two gateways that differ by no more do not make a price go to and fro."""
_P, _C = experiment_prices.c, planogram_columns.c


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWish:
    """A machine that is to have an experiment's prices, or its own again."""

    experiment: str
    machine_id: str
    tried: bool
    by: str


class TriedPrices:
    """Asks a database. Raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def wishes(self, nows: Sequence[Now]) -> list[PriceWish]:
        """Return which machines are to change their prices now: those of experiments that run, by
        their arm today, and those of experiments that do not run any more.
        """

        def work(connection: Connection) -> list[PriceWish]:
            found = []
            for now in nows:
                if now.view.content.channel is not Channel.PRICE:
                    continue
                name, by = now.view.experiment, now.view.started_by
                wanted, there = set(now.of(Arm.TREATMENT)), tried_now(connection, name)
                able = _having(connection, wanted - there, now.view.content.tried())
                changed = _changed_later(connection, now)
                tries, restores = sorted(able - changed), sorted(there - wanted - changed)
                found += [_wish(name, one, by, tried=True) for one in tries]
                found += [_wish(name, one, by, tried=False) for one in restores]
            running = {now.view.experiment for now in nows}
            left = select(_P.experiment, _P.machine_id).where(_P.restored_at_ms.is_(None))
            for row in connection.execute(left.distinct().order_by(_P.experiment, _P.machine_id)):
                if row.experiment not in running:
                    by = _started_by(connection, row.experiment)
                    found.append(_wish(row.experiment, row.machine_id, by, tried=False))
            gone = _retired(connection, sorted({one.machine_id for one in found}))
            return [one for one in found if one.machine_id not in gone]

        return await self._db.read(work)


def _having(
    connection: Connection, machine_ids: Collection[str], products: Collection[str]
) -> set[str]:
    """Return those of the machines that have one of the products: the others were given another
    planogram since they were drawn, and there is nothing to change.
    """
    found: set[str] = set()
    for some in parts(sorted(machine_ids)):
        rows = select(_C.machine_id).where(
            _C.machine_id.in_(some), _C.product.in_(sorted(products))
        )
        found.update(connection.scalars(rows.distinct()))
    return found


def _changed_later(connection: Connection, now: Now) -> set[str]:
    """Return the machines that a gateway whose clock is ahead of this one's has changed already:
    with their prices it goes on, and does not go back. Of a clock that is ahead by more than a day
    nothing is believed.
    """
    later = and_(_P.set_at_ms > now.at_ms, _P.set_at_ms <= now.at_ms + AHEAD_MS_MAX)
    back_later = and_(_P.restored_at_ms > now.at_ms, _P.restored_at_ms <= now.at_ms + AHEAD_MS_MAX)
    rows = select(_P.machine_id).where(_P.experiment == now.view.experiment, or_(later, back_later))
    return set(connection.scalars(rows.distinct()))


def _retired(connection: Connection, machine_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in parts(machine_ids):
        rows = select(machines.c.machine_id).where(
            machines.c.machine_id.in_(some), machines.c.retired_at_ms.is_not(None)
        )
        found.update(connection.scalars(rows))
    return found


def _started_by(connection: Connection, experiment: str) -> str:
    """Return who started an experiment."""
    return there(connection, experiment).started_by


def _wish(experiment: str, machine_id: str, by: str, *, tried: bool) -> PriceWish:
    return PriceWish(experiment=experiment, machine_id=machine_id, tried=tried, by=by)


def trying(wish: PriceWish, now_ms: int) -> Making:
    """Return what gives a machine the prices that are tried: nothing once the experiment was
    stopped, nor before it has its own prices back from another one.
    """

    def make(connection: Connection, row: Row[Any]) -> MachineChange:
        view = there(connection, wish.experiment)
        if view.state is not State.RUNNING or _has_tried(connection, wish.machine_id):
            return MachineChange()
        tried = view.content.tried()
        columns = read_columns(connection, [row.machine_id]).get(row.machine_id, ())
        changed = [one for one in columns if one.product in tried]
        if changed:
            remember(connection, wish.experiment, wish.machine_id, changed, now_ms)
            mine = and_(_P.experiment == wish.experiment, _P.machine_id == wish.machine_id)
            again = _P.column.in_([one.column for one in changed])
            connection.execute(delete(experiment_prices).where(mine, again))
            connection.execute(
                insert(experiment_prices),
                [
                    {
                        "experiment": wish.experiment,
                        "machine_id": wish.machine_id,
                        "column": one.column,
                        "product": one.product,
                        "price_minor": one.price_minor,
                        "tried_price_minor": tried[one.product],
                        "set_at_ms": now_ms,
                        "restored_at_ms": None,
                    }
                    for one in changed
                ],
            )
        return MachineChange(
            columns=tuple(
                _priced(one, tried[one.product]) if one.product in tried else one for one in columns
            ),
            goods_may_be_removed=_agreed(connection, row.machine_id),
            beside=bool(changed),
        )

    return make


def restoring(wish: PriceWish, now_ms: int) -> Making:
    """Return what gives a machine its own prices back."""

    def make(connection: Connection, row: Row[Any]) -> MachineChange:
        rows = {one.column: one for one in _rows(connection, wish)}
        if not rows:
            return MachineChange()
        columns = read_columns(connection, [row.machine_id]).get(row.machine_id, ())
        mine = and_(_P.experiment == wish.experiment, _P.machine_id == wish.machine_id)
        connection.execute(
            update(experiment_prices)
            .where(mine, _P.restored_at_ms.is_(None))
            .values(restored_at_ms=now_ms)
        )
        return MachineChange(
            columns=tuple(_restored(one, rows) for one in columns),
            goods_may_be_removed=_agreed(connection, row.machine_id),
            beside=True,
        )

    return make


def _rows(connection: Connection, wish: PriceWish) -> Sequence[Row[Any]]:
    return connection.execute(
        select(experiment_prices).where(
            _P.experiment == wish.experiment,
            _P.machine_id == wish.machine_id,
            _P.restored_at_ms.is_(None),
        )
    ).all()


def _agreed(connection: Connection, machine_id: str) -> bool:
    """Return whether a planogram that the machine has not put in force yet may remove goods, as
    whoever wants it said: a change of prices alone takes nothing of that back.
    """
    return machine_id in removal_agreed(connection, [machine_id])


def _has_tried(connection: Connection, machine_id: str) -> bool:
    """Return whether a machine has the prices of any experiment."""
    rows = select(_P.column).where(_P.machine_id == machine_id, _P.restored_at_ms.is_(None))
    return connection.execute(rows.limit(1)).first() is not None


def _restored(column: Column, rows: Mapping[str, Row[Any]]) -> Column:
    """Return a column with what its product cost before, if it has the tried price still; ``rows``
    are those of the machine's columns that had it. One to which the product was moved since has
    what the product cost in the first of these.
    """
    there = rows.get(column.column)
    if there is None or there.product != column.product:
        of_product = (row for _, row in sorted(rows.items()) if row.product == column.product)
        there = next(of_product, None)
    if there is None or column.price_minor != there.tried_price_minor:
        return column
    return _priced(column, there.price_minor)


def _priced(column: Column, price_minor: int) -> Column:
    return values.replace(column, price_minor=price_minor)

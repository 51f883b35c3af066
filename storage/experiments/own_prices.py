"""What products cost of themselves on each day of an experiment with prices: a cost is what
customers paid less than that, and people price machines while something is tried on their other
days.

Flows in: a machine's columns when they are given a tried price. Flows out: what a product cost
there on a local day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from actors.machine.state import Column
from storage.insight.local_time import local_hour
from storage.insight.places import read_stays, where
from storage.tables import experiment_own_prices, experiment_prices

_O, _P = experiment_own_prices.c, experiment_prices.c


def remember(
    connection: Connection,
    experiment: str,
    machine_id: str,
    columns: Sequence[Column],
    now_ms: int,
) -> None:
    """Write down what these columns cost of themselves, if it is not what was written last."""
    rows = connection.execute(
        select(experiment_own_prices)
        .where(_O.experiment == experiment, _O.machine_id == machine_id)
        .order_by(_O.set_at_ms)
    ).all()
    last_ms = rows[-1].set_at_ms if rows else None
    before = {
        (row.column, row.product, row.price_minor) for row in rows if row.set_at_ms == last_ms
    }
    if before == {(one.column, one.product, one.price_minor) for one in columns}:
        return
    # Behind what another gateway wrote, whatever its clock said.
    at_ms = now_ms if last_ms is None else max(now_ms, last_ms + 1)
    connection.execute(
        insert(experiment_own_prices),
        [
            {
                "experiment": experiment,
                "machine_id": machine_id,
                "set_at_ms": at_ms,
                "column": one.column,
                "product": one.product,
                "price_minor": one.price_minor,
            }
            for one in columns
        ],
    )


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """Of some machines: what products cost, from a local day on."""

    since: Mapping[str, Sequence[tuple[int, Mapping[str, int]]]] = field(default_factory=dict)

    def on(self, machine_id: str, d: int, product: str) -> int | None:
        """Return what a product cost of itself on a day, by what was written down last before its
        end; of a day before anything was, by what was first. None if the machine had it not.
        """
        sets = self.since.get(machine_id, ())
        there = [prices for since, prices in sets if since <= d] or [one for _, one in sets[:1]]
        return there[-1].get(product) if there else None


def read_own_prices(
    connection: Connection, experiment: str, some: Sequence[str], tried: Mapping[str, int]
) -> OwnPrices:
    """Return what products cost at these machines. Where columns of one product cost differently,
    it is what is nearest to the ``tried`` price, so that a cost is never told too high. Of a
    machine that a program of before gave its prices, it is what that wrote down last.
    """
    rows = connection.execute(
        select(experiment_own_prices)
        .where(_O.experiment == experiment, _O.machine_id.in_(some))
        .order_by(_O.machine_id, _O.set_at_ms)
    ).all()
    sets: dict[str, dict[int, list[Any]]] = {}
    for row in rows:
        sets.setdefault(row.machine_id, {}).setdefault(row.set_at_ms, []).append(row)
    stays = read_stays(connection, sets)
    since: dict[str, list[tuple[int, Mapping[str, int]]]] = {}
    for machine_id, of in sets.items():
        for at_ms, columns in of.items():
            zone = where(stays.get(machine_id, ()), at_ms).time_zone
            told = local_hour(at_ms, zone).d, _nearest(columns, tried)
            since.setdefault(machine_id, []).append(told)
    before: dict[str, list[Any]] = {}
    for row in connection.execute(
        select(experiment_prices).where(_P.experiment == experiment, _P.machine_id.in_(some))
    ):
        if row.machine_id not in since:
            before.setdefault(row.machine_id, []).append(row)
    for machine_id, columns in before.items():
        since[machine_id] = [(0, _nearest(columns, tried))]
    return OwnPrices(since)


def _nearest(columns: Sequence[Any], tried: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in columns:
        if (price := tried.get(row.product)) is not None:
            prices = (found.get(row.product, row.price_minor), row.price_minor)
            found[row.product] = min(prices, key=lambda one: (abs(one - price), one))
    return found

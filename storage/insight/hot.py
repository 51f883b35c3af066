"""Which districts sell more than others, and what a new machine may sell there: sales of each
machine for each of its sellable days, estimated by ``storage.insight.shrinkage``.

A machine counts in the district where it stands at the end of the days, if it stood there on all of
them and could sell for a day at least. Sales are of machines and not of payers: no gate is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.insight import days
from storage.insight.follower import Lag, read_lag
from storage.insight.sales import By, SalesWanted, checked
from storage.insight.sellable import DAY_S, check_kept
from storage.insight.shrinkage import Estimate, estimated, expected
from storage.office.deeds import NotPossible
from storage.tables import machine_hours, machine_sites, machines, sales_hours, sites

MINOR_MAX = 10**18
"""More is not told: it is more than 64 bits may hold."""
_H, _S = machine_hours.c, sales_hours.c


@dataclass(frozen=True, slots=True, kw_only=True)
class HotWanted:
    """The days ``first`` to ``last``, sales in a currency, of all machines or those at one type of
    site.
    """

    first: int
    last: int
    currency: str
    site_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistrictWorth:
    """A district; amounts are for a sellable machine-day, in minor units, rounded down.
    ``raw_minor`` is the geometric mean of its machines; ``mean_minor`` what is believed,
    ``low_minor`` to ``high_minor`` where it is in 95 of 100. ``new_minor`` and its interval: what a
    new machine may sell.
    """

    district: str
    machines: int
    sellable_days: int
    label: str
    above_percent: int
    raw_minor: int
    mean_minor: int
    low_minor: int
    high_minor: int
    new_minor: int
    new_low_minor: int
    new_high_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hot:
    """The districts by name; none if there are too few to say how much they differ. ``elsewhere``
    is what a new machine may sell in a district without machines: the middle, and the interval.
    ``left_out`` machines moved in these days, or could sell for less than a day.
    """

    districts: Sequence[DistrictWorth]
    fleet_minor: int
    elsewhere: tuple[int, int, int] | None
    left_out: int
    lag: Lag


class HotBooks:
    """Asks a database. Raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def hot(self, wanted: HotWanted) -> Hot:
        """Return what districts are worth. Raises NotPossible."""
        checked(SalesWanted(first=wanted.first, last=wanted.last, by=By.DAY))
        if not wanted.currency:
            raise NotPossible("NO_CURRENCY", "name the currency of the sales, for example HKD")

        def work(connection: Connection) -> Hot:
            check_kept(wanted.first, read_lag(connection))
            return _hot(connection, wanted)

        return await self._db.read(work)


def _hot(connection: Connection, wanted: HotWanted) -> Hot:
    stays = {row.machine_id: row for row in connection.execute(_stays(wanted))}
    spent = _by_machine(connection, _sellable(wanted))
    sold = {row.machine_id: row for row in connection.execute(_sold(wanted))}
    begins = days.as_date(wanted.first).isoformat()
    of = {
        machine_id: row.district
        for machine_id, row in stays.items()
        if row.from_day <= begins and spent.get(machine_id, 0) >= DAY_S
    }
    rates: dict[str, list[float]] = {}
    sellable: dict[str, int] = {}
    half = _half_an_item(sold.values())
    for machine_id, district in sorted(of.items()):
        minor = max(0, sold[machine_id].minor) if machine_id in sold else 0
        rates.setdefault(district, []).append((minor + half) * DAY_S / spent[machine_id])
        sellable[district] = sellable.get(district, 0) + spent[machine_id]
    found = estimated(rates)
    lag, left_out = read_lag(connection), len(stays) - len(of)
    if found is None:
        return Hot(districts=(), fleet_minor=0, elsewhere=None, left_out=left_out, lag=lag)
    middle, low, high = map(_minor, expected(found, ""))
    return Hot(
        districts=[
            _worth(name, one, sellable[name], expected(found, name))
            for name, one in found.districts.items()
        ],
        fleet_minor=_minor(found.fleet),
        elsewhere=(middle, low, high),
        left_out=left_out,
        lag=lag,
    )


def _worth(
    name: str, of: Estimate, sellable_s: int, new: tuple[float, float, float]
) -> DistrictWorth:
    return DistrictWorth(
        district=name,
        machines=of.machines,
        sellable_days=sellable_s // DAY_S,
        label=of.label,
        above_percent=int(100 * of.p_above),
        raw_minor=_minor(of.raw),
        mean_minor=_minor(of.mean),
        low_minor=_minor(of.low),
        high_minor=_minor(of.high),
        new_minor=_minor(new[0]),
        new_low_minor=_minor(new[1]),
        new_high_minor=_minor(new[2]),
    )


def _minor(estimate: float) -> int:
    """Return an estimate in minor units, rounded down. The end of an interval of very unlike
    machines may be more than there is money.
    """
    return int(min(estimate, MINOR_MAX))


def _half_an_item(sold: Any) -> float:
    """Return half of what an item costs on average: it is added to each machine's sales, so that
    one that sold nothing has a logarithm.
    """
    rows = list(sold)
    units = sum(row.units for row in rows)
    return max(0.5, sum(row.minor for row in rows) / units / 2) if units else 0.5


def _stays(wanted: HotWanted) -> Select[Any]:
    """Return the query for where machines stand at the end of the days: those that are paid in the
    currency. The others have not sold nothing.
    """
    m = machine_sites.c
    last = days.as_date(wanted.last).isoformat()
    newest = (
        select(m.machine_id, func.max(m.from_day).label("from_day"))
        .join_from(machine_sites, machines, machines.c.machine_id == m.machine_id)
        .where(m.from_day <= last, machines.c.currency == wanted.currency)
        .group_by(m.machine_id)
        .subquery("newest")
    )
    query = select(m.machine_id, m.from_day, sites.c.district).select_from(
        machine_sites.join(
            newest, (newest.c.machine_id == m.machine_id) & (newest.c.from_day == m.from_day)
        ).join(sites, sites.c.site == m.site)
    )
    return query.where(sites.c.site_type == wanted.site_type) if wanted.site_type else query


def _sellable(wanted: HotWanted) -> Select[Any]:
    return (
        select(_H.machine_id, total(_H.sellable_s).label("number"))
        .where(_H.d.between(wanted.first, wanted.last))
        .group_by(_H.machine_id)
    )


def _sold(wanted: HotWanted) -> Select[Any]:
    return (
        select(
            _S.machine_id,
            total(_S.sales_minor).label("minor"),
            total(_S.units).label("units"),
        )
        .where(_S.d.between(wanted.first, wanted.last), _S.currency == wanted.currency)
        .group_by(_S.machine_id)
    )


def _by_machine(connection: Connection, query: Select[Any]) -> Mapping[str, int]:
    rows: Sequence[Row[Any]] = connection.execute(query).all()
    return {row.machine_id: row.number for row in rows}

"""Which districts, or cells of one size, sell more than others, and what a new machine may sell
there: sales of each machine for each of its sellable days, estimated by
``storage.insight.shrinkage``.

A machine counts in the district or cell where it stands at the end of the days, if it stood at that
site on all of them and could sell for a day at least. Sales are of machines and not of payers: no
gate is needed, and nothing follows from the difference of a district and a cell that is not told of
each machine. No figure of payers is told by cells.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.insight import days
from storage.insight.cells import cells_of, check_cells
from storage.insight.follower import Lag, read_lag
from storage.insight.sales import By, SalesWanted, checked
from storage.insight.sellable import DAY_S, check_kept
from storage.insight.shrinkage import Estimate, estimated, expected
from storage.office.deeds import NotPossible
from storage.tables import machine_hours, machine_sites, machines, sales_hours, sites

MINOR_MAX = 10**18
"""More is not told: it is more than 64 bits may hold."""
CELLS_MAX = 500
"""Each costs a thousandth of a second of processor, and is drawn."""
_H, _S = machine_hours.c, sales_hours.c


@dataclass(frozen=True, slots=True, kw_only=True)
class HotWanted:
    """The days ``first`` to ``last``, sales in a currency, of all machines or those at one type of
    site. By districts, or by cells of a resolution (``storage.insight.cells``).
    """

    first: int
    last: int
    currency: str
    site_type: str = ""
    cell_resolution: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DistrictWorth:
    """A district, or a cell, by its name; amounts are for a sellable machine-day, in minor units,
    rounded down. ``raw_minor`` is the geometric mean of its machines; ``mean_minor`` what is
    believed, ``low_minor`` to ``high_minor`` where it is in 95 of 100. ``new_minor`` and its
    interval: what a new machine may sell.
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
    ``left_out`` machines moved in these days, or could sell for less than a day. ``unplaced``
    others stand at sites of which nobody said the position, if cells are asked for.
    """

    districts: Sequence[DistrictWorth]
    fleet_minor: int
    elsewhere: tuple[int, int, int] | None
    left_out: int
    lag: Lag
    unplaced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What SQL says: where machines stand, how long each could sell, and what it sold."""

    stays: Mapping[str, Row[Any]]
    spent: Mapping[str, int]
    sold: Mapping[str, Row[Any]]
    lag: Lag


class HotBooks:
    """Asks a database. Raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # One at a time, in a thread of their own: those that all share are for short things, and
        # names of hosts are looked up in them. Whoever goes while they wait leaves nothing to do.
        self._estimating = ThreadPoolExecutor(1, thread_name_prefix="estimates")

    async def hot(self, wanted: HotWanted) -> Hot:
        """Return what districts, or cells, are worth. Raises NotPossible."""
        checked(SalesWanted(first=wanted.first, last=wanted.last, by=By.DAY))
        if not wanted.currency:
            raise NotPossible("NO_CURRENCY", "name the currency of the sales, for example HKD")

        if wanted.cell_resolution:
            check_cells(wanted.cell_resolution)

        def work(connection: Connection) -> _Read:
            lag = read_lag(connection)
            check_kept(wanted.first, lag)
            return _Read(
                stays={row.machine_id: row for row in connection.execute(_stays(wanted))},
                spent=_by_machine(connection, _sellable(wanted)),
                sold={row.machine_id: row for row in connection.execute(_sold(wanted))},
                lag=lag,
            )

        read = await self._db.read(work)
        loop = asyncio.get_running_loop()  # It has customers.
        return await loop.run_in_executor(self._estimating, _hot, wanted, read)


def _hot(wanted: HotWanted, read: _Read) -> Hot:
    begins = days.as_date(wanted.first).isoformat()
    there = {
        machine_id: row
        for machine_id, row in read.stays.items()
        if row.from_day <= begins and read.spent.get(machine_id, 0) >= DAY_S
    }
    of = _names(there, wanted)
    rates: dict[str, list[float]] = {}
    sellable: dict[str, int] = {}
    half = _half_an_item(read.sold.values())
    for machine_id, name in sorted(of.items()):
        minor = max(0, read.sold[machine_id].minor) if machine_id in read.sold else 0
        rates.setdefault(name, []).append((minor + half) * DAY_S / read.spent[machine_id])
        sellable[name] = sellable.get(name, 0) + read.spent[machine_id]
    if wanted.cell_resolution and len(rates) > CELLS_MAX:
        raise NotPossible(
            "TOO_MANY_CELLS",
            f"machines stand in {len(rates)} cells of this size, and {CELLS_MAX} at most are told: "
            "ask for larger ones (a lower cell_resolution), or for one type of site",
        )
    found = estimated(rates)
    left_out, unplaced = len(read.stays) - len(there), len(there) - len(of)
    if found is None:
        return Hot(
            districts=(),
            fleet_minor=0,
            elsewhere=None,
            left_out=left_out,
            unplaced=unplaced,
            lag=read.lag,
        )
    middle, low, high = map(_minor, expected(found, ""))
    return Hot(
        districts=[
            _worth(name, one, sellable[name], expected(found, name))
            for name, one in found.districts.items()
        ],
        fleet_minor=_minor(found.fleet),
        elsewhere=(middle, low, high),
        left_out=left_out,
        unplaced=unplaced,
        lag=read.lag,
    )


def _names(there: Mapping[str, Row[Any]], wanted: HotWanted) -> Mapping[str, str]:
    """Return in which district, or cell, machines stand; without those of which it is not known."""
    if not wanted.cell_resolution:
        return {machine_id: row.district for machine_id, row in there.items()}
    places = {
        machine_id: (row.latitude_e6, row.longitude_e6)
        for machine_id, row in there.items()
        if row.latitude_e6 is not None
    }
    return cells_of(places, wanted.cell_resolution)


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
    columns = sites.c["district", "latitude_e6", "longitude_e6"]
    query = select(m.machine_id, m.from_day, *columns).select_from(
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

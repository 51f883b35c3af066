"""For how long machines could sell, asked in any way, and what was sold in that time: so that one
that was dark or empty does not pass for one that nobody wants.

Sales per sellable machine-day are what was sold, divided by the time in which something could be
bought, in days of 24 hours. Both are of the same machines and days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.insight.experimenting import running_experiments
from storage.insight.follower import Lag, read_lag
from storage.insight.sales import (
    By,
    SalesWanted,
    check_named,
    checked,
    key_column,
    key_of,
    told,
    which,
)
from storage.office.deeds import NotPossible
from storage.tables import machine_hours, scope_exposures

DAY_S = 86_400
_ANSWERED = {By.DAY, By.HOUR, By.WEEKDAY, By.DISTRICT, By.SITE_TYPE, By.MACHINE, By.WEEKDAY_HOUR}
SECONDS = ("known_s", "online_s", "in_service_s", "sellable_s", "column_s", "empty_column_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Machines' time in whole seconds: known, of that online, of that in service, of that with
    something to sell. Of the time in service what all their columns add up to, and the empty and
    locked ones of them.
    """

    known_s: int = 0
    online_s: int = 0
    in_service_s: int = 0
    sellable_s: int = 0
    column_s: int = 0
    empty_column_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldThere:
    """What was sold in a currency; ``per_day_minor`` for each sellable machine-day, rounded down,
    None where there was no such time.
    """

    currency: str
    units: int
    sales_minor: int
    per_day_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SellableLine:
    """``key`` as in ``storage.insight.sales.SalesLine``."""

    key: str
    spent: Spent
    sold: Sequence[SoldThere]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sellable:
    """The lines in the order of their keys. ``lag``: how complete they are; the hour that was not
    over at that time is in it for those machines alone to which something happened in it.
    ``experiments`` run on machines that are named (``storage.insight.experimenting``).
    """

    lines: Sequence[SellableLine]
    lag: Lag
    experiments: tuple[str, ...] = ()


class SellableBooks:
    """Asks a database. Raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def sellable(self, wanted: SalesWanted) -> Sellable:
        """Return the time, and the sales in it. Raises NotPossible for what cannot be answered,
        NotThere for a district or a machine that is none.
        """
        checked(wanted)
        if wanted.by not in _ANSWERED:
            raise NotPossible(
                "NO_TIME_OF_THAT", f"no time is by {wanted.by.value}: machines have it"
            )

        def work(connection: Connection) -> Sellable:
            check_named(connection, wanted)
            lag = read_lag(connection)
            check_kept(wanted.first if wanted.machine_ids else None, lag)
            spent = _spent(connection, wanted)
            sold = told(connection, wanted, wanted.first, wanted.last, 0)
            by_key: dict[str, list[SoldThere]] = {}
            for key, currency in sorted(sold):
                of = sold[key, currency]
                sellable_s = spent.get(key, Spent()).sellable_s
                by_key.setdefault(key, []).append(
                    SoldThere(
                        currency=currency,
                        units=of.units,
                        sales_minor=of.sales_minor,
                        per_day_minor=of.sales_minor * DAY_S // sellable_s if sellable_s else None,
                    )
                )
            return Sellable(
                lines=[
                    SellableLine(key=key, spent=spent.get(key, Spent()), sold=by_key.get(key, ()))
                    for key in sorted(spent.keys() | by_key.keys())
                ],
                lag=lag,
                experiments=running_experiments(
                    connection, wanted.machine_ids, wanted.first, wanted.last
                ),
            )

        return await self._db.read(work)


def check_kept(first: int | None, lag: Lag) -> None:
    """Raise NotPossible if the time of single machines is kept no more from a day on."""
    if first is not None and first < lag.hours_from_d:
        raise NotPossible(
            "NO_SUCH_DAYS",
            f"the time of single machines is kept from {lag.hours_from_d} on: ask for later days, "
            "or for the fleet, a district or a type of site",
        )


def _spent(connection: Connection, wanted: SalesWanted) -> Mapping[str, Spent]:
    spent: dict[str, list[int]] = {}
    for row in connection.execute(_query(wanted)):
        there = spent.setdefault(key_of(wanted.by, row.key, 0), [0] * len(SECONDS))
        for place, name in enumerate(SECONDS):
            there[place] += getattr(row, name)
    return {key: Spent(**dict(zip(SECONDS, values, strict=True))) for key, values in spent.items()}


def _query(wanted: SalesWanted) -> Select[Any]:
    table = machine_hours if wanted.machine_ids else scope_exposures
    key = key_column(wanted.by, table)
    return (
        select(key.label("key"), *(total(table.c[name]).label(name) for name in SECONDS))
        .where(*which(table, wanted), table.c.d >= wanted.first, table.c.d <= wanted.last)
        .group_by(key)
    )

"""What was sold, asked in any way: by day, hour, weekday, product, category, offer, district, type
of site or machine, beside an earlier time of the same length.

Answered from sums, never from sales: a question about the whole fleet reads some rows for each day,
however large the fleet. Each answer says up to which line of the books, and until when, it is
complete; both times are read in one snapshot.

What goods cost is told by products, so sums by hour and by offer do not know it (``costs``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Table,
    case,
    cast,
    func,
    literal,
    select,
)

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.insight import days
from storage.insight.experimenting import running_experiments
from storage.insight.follower import Lag, read_lag
from storage.insight.rollups import ScopeKind
from storage.office.costs import Costed, with_costs
from storage.office.deeds import NotPossible, NotThere
from storage.office.sites import SiteType
from storage.tables import (
    district_paths,
    machines,
    offer_days,
    products,
    sales_days,
    sales_hours,
    scope_days,
    scope_hours,
    scope_offers,
)

DAYS_MAX = 400
MACHINES_MAX = 200
MACHINE_DAYS_MAX = 6_000
"""200 machines for 30 days. Of 80,000 lines a gateway's loop stood still for two seconds."""
WEEKS = 8


class By(StrEnum):
    """What sales are told by. MACHINE and MACHINE_DAY are for machines that are named, DISTRICT and
    SITE_TYPE for the whole fleet.
    """

    DAY = "DAY"
    HOUR = "HOUR"
    WEEKDAY = "WEEKDAY"
    PRODUCT = "PRODUCT"
    CATEGORY = "CATEGORY"
    DISTRICT = "DISTRICT"
    SITE_TYPE = "SITE_TYPE"
    MACHINE = "MACHINE"
    WEEKDAY_HOUR = "WEEKDAY_HOUR"
    MACHINE_DAY = "MACHINE_DAY"
    OFFER = "OFFER"


class Beside(StrEnum):
    """Which earlier time stands beside it: the days right before, or the same days of the week."""

    PERIOD_BEFORE = "PERIOD_BEFORE"
    SAME_WEEKDAYS = "SAME_WEEKDAYS"


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesWanted:
    """Sales of the days ``first`` to ``last`` (yyyymmdd, both counted), ``by`` one thing; of the
    machines that are named, a district with all below it, a type of site, or the fleet.
    ``with_margin``: with what is known of costs too, where that takes sums of another kind; by
    product and category it is told anyway.
    """

    first: int
    last: int
    by: By
    beside: Beside = Beside.PERIOD_BEFORE
    machine_ids: tuple[str, ...] = ()
    district: str = ""
    site_type: str = ""
    with_margin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """``sales_minor`` is what the ledger's SALES got: less what was given back, and with the price
    of goods that were written off. ``costed``: the part of which the cost is known; None if costs
    were not looked at.
    """

    units: int = 0
    sales_minor: int = 0
    costed: Costed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesLine:
    """``key``: the day of ``now``, the hour, the day of the week (1: Monday), that and the hour
    (1-00), a product's code, a category, a district (its own machines), a type of site, a machine,
    the day of ``now`` and a machine (20260131-VM-1), or an offer: '' are all other sales, those
    too of which a program of before did not say which offer they had.
    """

    key: str
    currency: str
    now: Amounts
    before: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """``before_first`` and ``before_last`` are the days of ``before``. ``lag``: how complete it
    is. ``experiments`` run on machines that are named (``storage.insight.experimenting``).
    """

    lines: Sequence[SalesLine]
    before_first: int
    before_last: int
    lag: Lag
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """Sales of a day up to an hour, and of the same weekdays before it up to the same hour:
    ``weeks`` of them, the lowest and highest of which are left out of ``low_minor`` and
    ``high_minor`` if there are enough. No band without any.
    """

    currency: str
    now: Amounts
    weeks: int
    low_minor: int
    middle_minor: int
    high_minor: int


class SalesBooks:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def sales(self, wanted: SalesWanted) -> Sales:
        """Return the sales. Raises NotPossible for what cannot be answered, NotThere for a district
        or a machine that is none.
        """
        back = checked(wanted)
        if wanted.with_margin and wanted.by in _WITHOUT_PRODUCTS:
            raise NotPossible(
                "NO_MARGIN_OF_THAT",
                f"by {wanted.by.value} no product is known, and so no cost: ask without "
                "with_margin, or the files (vendgate lake ask)",
            )
        first, last = days.moved(wanted.first, -back), days.moved(wanted.last, -back)
        nothing = _nothing(wanted)

        def work(connection: Connection) -> Sales:
            check_named(connection, wanted)
            now = told(connection, wanted, wanted.first, wanted.last, 0)
            before = told(connection, wanted, first, last, back)
            return Sales(
                lines=[
                    SalesLine(
                        key=key,
                        currency=currency,
                        now=now.get((key, currency), nothing),
                        before=before.get((key, currency), nothing),
                    )
                    for key, currency in sorted(now.keys() | before.keys())
                ],
                before_first=first,
                before_last=last,
                lag=read_lag(connection),
                experiments=running_experiments(connection, wanted.machine_ids, first, wanted.last),
            )

        return await self._db.read(work)

    async def today(self, d: int, hour: int, *, district: str = "") -> tuple[list[Today], Lag]:
        """Return a day's sales up to and with this hour of it, by currency, beside the eight same
        weekdays before. ``district``: with all below it; empty: the fleet. Raises NotPossible for a
        day, and NotThere for a district, that is none.
        """
        wanted = SalesWanted(first=d, last=d, by=By.DAY, district=district)
        checked(wanted)
        same = [days.moved(d, -7 * week) for week in range(1, WEEKS + 1)]

        def work(connection: Connection) -> tuple[list[Today], Lag]:
            check_named(connection, wanted)
            c = scope_hours.c
            ours, of_fleet = _scope(scope_hours, wanted), (c.scope == ScopeKind.FLEET, c.name == "")
            begun = connection.scalar(select(func.min(c.d)).where(*of_fleet))
            known = [one for one in same if begun is not None and one >= begun]
            rows = connection.execute(
                select(c.currency, c.d, total(c.units), total(c.sales_minor))
                .where(*ours, c.d.in_([d, *known]), c.local_hour <= hour)
                .group_by(c.currency, c.d)
            ).all()
            told = {
                (row.currency, row.d): Amounts(units=row[2], sales_minor=row[3]) for row in rows
            }
            currencies = sorted({currency for currency, _ in told})
            return [_today(one, told, d, known) for one in currencies], read_lag(connection)

        return await self._db.read(work)


def _today(
    currency: str, told: Mapping[tuple[str, int], Amounts], d: int, known: Sequence[int]
) -> Today:
    weeks = sorted(told.get((currency, one), Amounts()).sales_minor for one in known)
    inner = weeks[1:-1] if len(weeks) > 4 else weeks
    half = len(weeks) // 2
    return Today(
        currency=currency,
        now=told.get((currency, d), Amounts()),
        weeks=len(weeks),
        low_minor=inner[0] if inner else 0,
        middle_minor=(weeks[half] + weeks[-half - 1]) // 2 if weeks else 0,
        high_minor=inner[-1] if inner else 0,
    )


def checked(wanted: SalesWanted) -> int:
    """Look whether it can be answered; return how many days before the time that stands beside it
    is. Raises NotPossible.
    """
    try:
        length = days.count(wanted.first, wanted.last)
        days.moved(wanted.first, -2 * DAYS_MAX)
    except (ValueError, OverflowError) as error:
        raise NotPossible("NO_SUCH_DAYS", "write days like 20260131") from error
    if not 0 < length <= DAYS_MAX:
        raise NotPossible("NO_SUCH_DAYS", f"ask for 1 to {DAYS_MAX} days, the first one first")
    some = [bool(wanted.machine_ids), bool(wanted.district), bool(wanted.site_type)]
    if sum(some) > 1:
        raise NotPossible("ONE_OF", "name machines, or a district, or a type of site")
    if len(wanted.machine_ids) > MACHINES_MAX:
        raise NotPossible("TOO_MANY_MACHINES", f"name {MACHINES_MAX} machines at most")
    if wanted.by in _BY_MACHINE and not wanted.machine_ids:
        raise NotPossible("NO_MACHINES", "name the machines, page by page of a selector")
    if wanted.by is By.MACHINE_DAY and len(wanted.machine_ids) * length > MACHINE_DAYS_MAX:
        raise NotPossible(
            "TOO_MANY_LINES",
            f"ask for {MACHINE_DAYS_MAX} machine-days at most: fewer days, or fewer machines",
        )
    if wanted.by in {By.DISTRICT, By.SITE_TYPE} and any(some):
        raise NotPossible("ONE_OF", f"by {wanted.by.value} the whole fleet is told")
    if wanted.beside is Beside.SAME_WEEKDAYS:
        return -(-length // 7) * 7
    return length


def check_named(connection: Connection, wanted: SalesWanted) -> None:
    """Raise NotThere for a district or a machine that nobody has made: a typo would read as if it
    was one that sold nothing. None is named: the fleet.
    """
    c, m = district_paths.c, machines.c
    there = select(c.district).where(c.district == wanted.district, c.depth == 0)
    if wanted.district and connection.scalar(there) is None:
        raise NotThere("district", wanted.district)
    named = wanted.machine_ids
    known = set(connection.scalars(select(m.machine_id).where(m.machine_id.in_(named))))
    for machine_id in named:
        if machine_id not in known:
            raise NotThere("machine", machine_id)


_BY_PRODUCT = {By.PRODUCT, By.CATEGORY}
_BY_MACHINE = {By.MACHINE, By.MACHINE_DAY}
_WITHOUT_PRODUCTS = {By.HOUR, By.WEEKDAY_HOUR, By.OFFER}


def _has_costs(wanted: SalesWanted) -> bool:
    return wanted.with_margin or wanted.by in _BY_PRODUCT


def _nothing(wanted: SalesWanted) -> Amounts:
    return Amounts(costed=Costed() if _has_costs(wanted) else None)


def told(
    connection: Connection, wanted: SalesWanted, first: int, last: int, back: int
) -> dict[tuple[str, str], Amounts]:
    """Return the amounts of these days by key and currency; days are told as the days that are
    ``back`` days later.
    """
    sums = _added(connection, wanted, first, last, back)
    if wanted.by is By.OFFER:
        for (_, currency), whole in _added(
            connection, replace(wanted, by=By.HOUR), first, last, back
        ).items():
            there = sums.get(("", currency), Amounts())
            sums["", currency] = plus(there, whole)
        for (offer, currency), part in list(sums.items()):
            if offer:
                sums["", currency] = plus(sums["", currency], part, sign=-1)
        sums = {key: of for key, of in sums.items() if key[0] or of != Amounts()}
    return sums


def plus(one: Amounts, other: Amounts, sign: int = 1) -> Amounts:
    """Return both together; of both, or of none, it is known what they cost."""
    return Amounts(
        units=one.units + sign * other.units,
        sales_minor=one.sales_minor + sign * other.sales_minor,
        costed=None
        if one.costed is None or other.costed is None
        else one.costed.plus(other.costed),
    )


def _added(
    connection: Connection, wanted: SalesWanted, first: int, last: int, back: int
) -> dict[tuple[str, str], Amounts]:
    sums: dict[tuple[str, str], Amounts] = {}
    nothing = _nothing(wanted)
    # All at once: one at a time, thousands of rows cost as much again.
    for row in connection.execute(_query(wanted, first, last)).all():
        key = (_key(wanted.by, row, back), row.currency)
        sold = Amounts(units=row.units, sales_minor=row.sales_minor, costed=_costed(wanted, row))
        sums[key] = plus(sums.get(key, nothing), sold)
    return sums


def _costed(wanted: SalesWanted, row: Row[Any]) -> Costed | None:
    if not _has_costs(wanted):
        return None
    return Costed(
        units=row.costed_units, sales_minor=row.costed_sales_minor, cost_minor=row.cost_minor
    )


def _key(by: By, row: Row[Any], back: int) -> str:
    key = f"{row.key}-{row.machine_id}" if by is By.MACHINE_DAY else row.key
    return key_of(by, key, back)


def key_of(by: By, key: Any, back: int) -> str:
    """Return what a row's key is called; days are called as the days ``back`` days later. That of
    MACHINE_DAY is the day and the machine, parted by a dash.
    """
    if by is By.MACHINE_DAY:
        day, _, machine_id = key.partition("-")
        return f"{days.moved(int(day), back) if back else day}-{machine_id}"
    if by is By.DAY:
        return str(days.moved(key, back))
    if by is By.WEEKDAY:
        return str(days.weekday(key))
    if by is By.WEEKDAY_HOUR:
        return f"{days.weekday(key // _HOURS)}-{key % _HOURS:02}"
    return f"{key:02}" if by is By.HOUR else str(key)


def _query(wanted: SalesWanted, first: int, last: int) -> Select[Any]:
    table = _table(wanted)
    c = table.c
    source: FromClause = table
    key = key_column(wanted.by, table)
    if wanted.by is By.CATEGORY:
        source = source.outerjoin(products, products.c.product == c.product)
    amounts: list[ColumnElement[int]] = [
        total(c.units).label("units"),
        total(c.sales_minor).label("sales_minor"),
    ]
    if _has_costs(wanted):
        source, cost = with_costs(source, c.product, c.currency)
        amounts += _costed_columns(table, cost)
    keys = [key.label("key"), *([c.machine_id] if wanted.by is By.MACHINE_DAY else ())]
    return (
        select(*keys, c.currency, *amounts)
        .select_from(source)
        .where(*which(table, wanted), c.d >= first, c.d <= last)
        .group_by(*keys, c.currency)
    )


def _costed_columns(table: Table, cost: ColumnElement[int]) -> list[ColumnElement[int]]:
    """Return what ``Costed`` is made of; of rows without a cost all three are null."""
    c, is_known = table.c, cost.is_not(None)
    return [
        total(case((is_known, c.units))).label("costed_units"),
        total(case((is_known, c.sales_minor))).label("costed_sales_minor"),
        total(c.units * cost).label("cost_minor"),
    ]


def _table(wanted: SalesWanted) -> Table:
    """Return the sums that answer it."""
    named = bool(wanted.machine_ids)
    if wanted.by is By.OFFER:
        return offer_days if named else scope_offers
    if _has_costs(wanted):
        return sales_days if named else scope_days
    return sales_hours if named else scope_hours


def key_column(by: By, table: Table) -> ColumnElement[Any]:
    """Return what the rows of such a table are added up by."""
    if by is By.CATEGORY:
        return func.coalesce(products.c.category, literal(""))
    if by is By.WEEKDAY_HOUR:
        return cast(table.c.d, BigInteger) * _HOURS + table.c.local_hour
    return table.c[_COLUMNS[by]]


_HOURS = 100
"""A day and its hour are one number, for which a database needs to know no calendar."""
_COLUMNS = {
    By.DAY: "d",
    By.MACHINE_DAY: "d",
    By.WEEKDAY: "d",
    By.HOUR: "local_hour",
    By.PRODUCT: "product",
    By.DISTRICT: "name",
    By.SITE_TYPE: "name",
    By.MACHINE: "machine_id",
    By.OFFER: "offer",
}


def which(table: Table, wanted: SalesWanted) -> list[ColumnElement[bool]]:
    """Return which rows of a table of machines, if some are named, or else of scopes are meant."""
    if wanted.machine_ids:
        return [table.c.machine_id.in_(wanted.machine_ids)]
    return _scope(table, wanted)


def _scope(table: Table, wanted: SalesWanted) -> list[ColumnElement[bool]]:
    """Return which rows of a table of scopes are meant: names are always given, so that its key
    leads to the days.
    """
    c = table.c
    if wanted.district:
        below = select(district_paths.c.district).where(
            district_paths.c.ancestor == wanted.district
        )
        return [c.scope == ScopeKind.DISTRICT.value, c.name.in_(below)]
    if wanted.site_type:
        return [c.scope == ScopeKind.SITE_TYPE.value, c.name == wanted.site_type]
    if wanted.by is By.DISTRICT:
        own = select(district_paths.c.district).where(district_paths.c.depth == 0)
        return [c.scope == ScopeKind.DISTRICT.value, c.name.in_(own.union_all(select(literal(""))))]
    if wanted.by is By.SITE_TYPE:
        return [c.scope == ScopeKind.SITE_TYPE.value, c.name.in_(["", *SiteType])]
    return [c.scope == ScopeKind.FLEET.value, c.name == ""]

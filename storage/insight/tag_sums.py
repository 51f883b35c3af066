"""What those with a tag come to: how many bought most in each district, and what they bought in
each currency, in the SPAN_DAYS days up to a day. Nothing here names a payer.

Flows in: facts of sales and who has the tag, piece by piece, while the tag's rule is evaluated.
Flows out: a few rows, written in the transaction that finishes the run, so that whoever asks later
reads these and not a million payers. They are raw: what is told of them goes through the gate
(``storage.insight.suppression``). The most that one payer bought is kept as the step that hides it,
and nothing of what fewer bought than any gate lets out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    union_all,
)

from storage.auditing.reading import total
from storage.insight import days
from storage.insight.suppression import LEAST_MIN, step_above
from storage.insight.tag_features import ALL, Among
from storage.tables import payer_tags, sale_facts, tag_districts, tag_sales, tag_sums

SPAN_DAYS = 28
_T = payer_tags.c


@dataclass(frozen=True, slots=True, kw_only=True)
class TagBought:
    """What payers bought in one currency. ``payers`` of them bought something in it; the two steps
    are at least what any one of them bought, and say no more of them.
    """

    payers: int
    units: int
    sales_minor: int
    units_step: int
    sales_step: int

    def and_(self, other: "TagBought") -> "TagBought":
        """Return what both bought who share no payer."""
        return TagBought(
            payers=self.payers + other.payers,
            units=self.units + other.units,
            sales_minor=self.sales_minor + other.sales_minor,
            units_step=max(self.units_step, other.units_step),
            sales_step=max(self.sales_step, other.sales_step),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSums:
    """What payers come to. Each of them is in one district, '' of those who bought in none."""

    districts: Mapping[str, int] = field(default_factory=dict)
    currencies: Mapping[str, TagBought] = field(default_factory=dict)

    def and_(self, other: "TagSums") -> "TagSums":
        """Return what both come to who share no payer."""
        districts, currencies = dict(self.districts), dict(self.currencies)
        for name, payers in other.districts.items():
            districts[name] = districts.get(name, 0) + payers
        for name, bought in other.currencies.items():
            there = currencies.get(name)
            currencies[name] = bought if there is None else there.and_(bought)
        return TagSums(districts=districts, currencies=currencies)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSumsKept:
    """What was written when run ``run_id`` was finished, as of the end of the day ``d``."""

    run_id: int
    d: int
    sums: TagSums


def first_day(d: int) -> int:
    """Return the first of the days that are told as of the day ``d``, which is the last one."""
    return days.moved(d, 1 - SPAN_DAYS)


def sums_of(
    connection: Connection,
    has: ColumnElement[bool],
    d: int,
    *,
    position: int | None,
    among: Among = ALL,
) -> TagSums:
    """Return what those come to of whom a row of ``payer_tags`` ``has`` the tag, from facts up to a
    position, None: from all.
    """
    districts: dict[str, int] = {}
    currencies: dict[str, TagBought] = {}
    for row in connection.execute(_query(and_(has, among.holds(_T.payer_id)), d, position)):
        if row.of == "district":
            # Two rows: who bought at machines of no district, and who bought nothing.
            districts[row.name or ""] = districts.get(row.name or "", 0) + row.payers
        else:
            currencies[row.name] = TagBought(
                payers=row.payers,
                units=row.units,
                sales_minor=row.minor,
                units_step=step_above(row.units_most),
                sales_step=step_above(row.minor_most),
            )
    return TagSums(districts=districts, currencies=currencies)


def write(connection: Connection, tag: str, kept: TagSumsKept) -> None:
    """Let these be what a tag comes to."""
    for table in (tag_districts, tag_sales, tag_sums):
        connection.execute(delete(table).where(table.c.tag == tag))
    connection.execute(insert(tag_sums), {"tag": tag, "run_id": kept.run_id, "d": kept.d})
    districts = [
        {"tag": tag, "district": name, "payers": payers}
        for name, payers in kept.sums.districts.items()
    ]
    if districts:
        connection.execute(insert(tag_districts), districts)
    bought = [
        {
            "tag": tag,
            "currency": name,
            "payers": one.payers,
            "units": one.units,
            "sales_minor": one.sales_minor,
            "units_step": one.units_step,
            "sales_step": one.sales_step,
        }
        for name, one in kept.sums.currencies.items()
        if one.payers >= LEAST_MIN  # of one alone it would be what they bought
    ]
    if bought:
        connection.execute(insert(tag_sales), bought)


def kept_of(connection: Connection, tag: str) -> TagSumsKept | None:
    """Return what a tag comes to, None if no run has written it yet."""
    head = connection.execute(select(tag_sums).where(tag_sums.c.tag == tag)).one_or_none()
    if head is None:
        return None
    named = select(*tag_districts.c["district", "payers"]).where(tag_districts.c.tag == tag)
    bought = select(tag_sales).where(tag_sales.c.tag == tag)
    sums = TagSums(
        districts={row.district: row.payers for row in connection.execute(named)},
        currencies={
            row.currency: TagBought(
                payers=row.payers,
                units=row.units,
                sales_minor=row.sales_minor,
                units_step=row.units_step,
                sales_step=row.sales_step,
            )
            for row in connection.execute(bought)
        },
    )
    return TagSumsKept(run_id=head.run_id, d=head.d, sums=sums)


def _query(has: ColumnElement[bool], d: int, position: int | None) -> Select[Any]:
    f = sale_facts.c
    theirs = and_(
        f.payer_id == _T.payer_id,
        f.payer_id != "",
        f.d.between(first_day(d), d),
        true() if position is None else f.position <= position,
    )
    bought = (
        select(
            _T.payer_id,
            f.district,
            f.currency,
            total(f.units).label("units"),
            total(f.sales_minor).label("minor"),
        )
        .select_from(payer_tags.outerjoin(sale_facts, theirs))
        .where(has)
        .group_by(_T.payer_id, f.district, f.currency)
        .cte("bought")
    )
    b = bought.c
    most = func.row_number().over(
        partition_by=b.payer_id, order_by=(total(b.units).desc(), b.district)
    )
    placed = (
        select(b.district, most.label("place")).group_by(b.payer_id, b.district).subquery("placed")
    )
    each = (
        select(b.currency, total(b.units).label("units"), total(b.minor).label("minor"))
        .where(b.currency.is_not(None))
        .group_by(b.payer_id, b.currency)
        .subquery("each")
    )
    nothing = cast(literal(0), BigInteger)
    names = ("units", "minor", "units_most", "minor_most")
    return select(
        union_all(
            select(
                cast(literal("district"), String).label("of"),
                placed.c.district.label("name"),
                func.count().label("payers"),
                *(nothing.label(name) for name in names),
            )
            .where(placed.c.place == 1)
            .group_by(placed.c.district),
            select(
                cast(literal("currency"), String),
                each.c.currency,
                func.count(),
                total(each.c.units),
                total(each.c.minor),
                func.max(each.c.units),
                func.max(each.c.minor),
            )
            .where(each.c.units > 0)
            .group_by(each.c.currency),
        ).subquery("told")
    )

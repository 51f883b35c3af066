"""What those with a tag bought, through the gate: in the SPAN_DAYS days up to a day, of each
currency. Nothing here names a payer.

Flows in: facts of sales and who has the tag. Flows out: sums of at least so many payers, in steps
that hide what any single one of them bought.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, and_, func, select

from storage.auditing.reading import total
from storage.insight import days
from storage.insight.suppression import Gate
from storage.insight.tagging import had_by_now
from storage.tables import payer_tags, sale_facts

SPAN_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSales:
    """What those with a tag bought in one currency; ``payers`` of them bought something in it.
    None: less than a step.
    """

    currency: str
    payers: int
    units: int | None
    sales_minor: int | None


def first_day(d: int) -> int:
    """Return the first of the days that are told as of the day ``d``, which is the last one."""
    return days.moved(d, 1 - SPAN_DAYS)


def sales_of(connection: Connection, tag: str, d: int, gate: Gate) -> Sequence[TagSales]:
    """Return what those who have the tag bought, one for each currency in which enough of them did:
    that somebody bought in another is a figure of too few, too.
    """
    return [
        TagSales(
            currency=row.currency,
            payers=payers,
            units=gate.amount(row.units, payers=row.payers, largest=row.units_most),
            sales_minor=gate.amount(row.minor, payers=row.payers, largest=row.minor_most),
        )
        for row in connection.execute(_by_currency(tag, d))
        if (payers := gate.count(row.payers)) is not None
    ]


def _by_currency(tag: str, d: int) -> Select[tuple[str, int, int, int, int, int]]:
    """Return the query for the sums, and for the most that one payer has in them."""
    f = sale_facts.c
    each = (
        select(f.currency, total(f.units).label("units"), total(f.sales_minor).label("minor"))
        .select_from(
            payer_tags.join(
                sale_facts,
                and_(
                    f.payer_id == payer_tags.c.payer_id,
                    f.payer_id != "",
                    f.d.between(first_day(d), d),
                ),
            )
        )
        .where(had_by_now(tag))
        .group_by(f.payer_id, f.currency)
        .subquery("each")
    )
    return (
        select(
            each.c.currency,
            func.count().label("payers"),
            total(each.c.units).label("units"),
            total(each.c.minor).label("minor"),
            func.max(each.c.units).label("units_most"),
            func.max(each.c.minor).label("minor_most"),
        )
        .where(each.c.units > 0)
        .group_by(each.c.currency)
        .order_by(each.c.currency)
    )

"""What goods cost the operator: the latest cost that is known of a product, in each currency.

One rule, whenever something was sold or went missing: what the newest lot cost that came with a
cost in that currency, the dearest of those that came at once; where no lot did, what the catalogue
says. A cost in another currency is not known, nor is that of what no catalogue has. Nothing is
valued: what was sold from older lots, and earlier, is told at the latest cost too.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import CTE, ColumnElement, Connection, FromClause, and_, func, select, true

from storage.tables import goods_lots, products


@dataclass(frozen=True, slots=True, kw_only=True)
class Costed:
    """The part of some sales of which the cost is known: ``units`` of them brought ``sales_minor``
    and cost ``cost_minor``, in the currency of the sales.
    """

    units: int = 0
    sales_minor: int = 0
    cost_minor: int = 0

    @property
    def margin_minor(self) -> int:
        """What is left; below zero if they cost more than they brought."""
        return self.sales_minor - self.cost_minor

    def plus(self, other: "Costed") -> "Costed":
        """Return both together."""
        return Costed(
            units=self.units + other.units,
            sales_minor=self.sales_minor + other.sales_minor,
            cost_minor=self.cost_minor + other.cost_minor,
        )


def lots_costs(only: Collection[str] | None = None) -> CTE:
    """Return what the newest lots cost: product, currency and ``unit_cost_minor``, each pair once.
    What is not in it costs what the catalogue says. ``only``: of these products; None: of all.
    """
    c = goods_lots.c
    wanted = true() if only is None else c.product.in_(only)
    newest = (
        select(c.product, c.currency, func.max(c.received_at_ms).label("at_ms"))
        .where(c.unit_cost_minor.is_not(None), wanted)
        .group_by(c.product, c.currency)
        .subquery("newest_lots")
    )
    is_newest = and_(
        newest.c.product == c.product,
        newest.c.currency == c.currency,
        newest.c.at_ms == c.received_at_ms,
    )
    return (
        select(c.product, c.currency, func.max(c.unit_cost_minor).label("unit_cost_minor"))
        .select_from(newest.join(goods_lots, is_newest))
        .where(c.unit_cost_minor.is_not(None))
        .group_by(c.product, c.currency)
        .cte("lots_costs")
    )


def with_costs(
    source: FromClause, product: ColumnElement[str], currency: ColumnElement[str]
) -> tuple[FromClause, ColumnElement[int]]:
    """Return rows with their costs joined to them, and what one costs; null where nobody knows."""
    lots, catalogue = lots_costs(), products.alias("catalogue")
    joined = source.outerjoin(
        lots, and_(lots.c.product == product, lots.c.currency == currency)
    ).outerjoin(
        catalogue,
        and_(catalogue.c.product == product, catalogue.c.unit_cost_currency == currency),
    )
    return joined, func.coalesce(lots.c.unit_cost_minor, catalogue.c.unit_cost_minor)


def read_costs(
    connection: Connection, only: Collection[str] | None = None
) -> dict[tuple[str, str], int]:
    """Return what one costs of all of which that is known, by product and currency; ``only``: of
    these products, a few hundred.
    """
    c = products.c
    wanted = true() if only is None else c.product.in_(only)
    catalogue = select(c.product, c.unit_cost_currency, c.unit_cost_minor).where(
        c.unit_cost_minor.is_not(None), wanted
    )
    # What lots cost comes last, and counts.
    return {
        (product, currency): minor
        for query in (catalogue, select(lots_costs(only)))
        for product, currency, minor in connection.execute(query)
    }

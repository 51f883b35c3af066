"""What goods cost the operator: the latest cost that is known of a product, in each currency.

One rule, whenever something was sold: what the newest lot cost that came with a cost in that
currency, the dearest of those that came at once; where no lot did, what the catalogue says. A cost
in another currency is not known, nor is that of what no catalogue has. Nothing is valued: what was
sold from older lots, and earlier, is told at the latest cost too.
"""

from dataclasses import dataclass

from sqlalchemy import CTE, BigInteger, Connection, Select, and_, cast, func, literal, select

from storage.tables import goods_lots, products


@dataclass(frozen=True, slots=True, kw_only=True)
class Costed:
    """The part of some sales of which the cost is known: ``units`` of them brought ``sales_minor``
    and cost ``cost_minor``, in the currency of the sales.
    """

    units: int = 0
    sales_minor: int = 0
    cost_minor: int = 0

    def plus(self, other: "Costed") -> "Costed":
        """Return both together."""
        return Costed(
            units=self.units + other.units,
            sales_minor=self.sales_minor + other.sales_minor,
            cost_minor=self.cost_minor + other.cost_minor,
        )


def latest_costs() -> CTE:
    """Return the costs: product, currency and ``unit_cost_minor``, each pair once."""
    said = _said()
    newest = (
        select(said.c.product, said.c.currency, func.max(said.c.at_ms).label("at_ms"))
        .group_by(said.c.product, said.c.currency)
        .cte("newest_costs")
    )
    is_newest = and_(
        newest.c.product == said.c.product,
        newest.c.currency == said.c.currency,
        newest.c.at_ms == said.c.at_ms,
    )
    return (
        select(
            said.c.product,
            said.c.currency,
            func.max(said.c.unit_cost_minor).label("unit_cost_minor"),
        )
        .select_from(said.join(newest, is_newest))
        .group_by(said.c.product, said.c.currency)
        .cte("latest_costs")
    )


def _said() -> CTE:
    """Return every cost that was said, and when: the catalogue's before that of any lot."""
    lots, catalogue = goods_lots.c, products.c
    of_lots: Select[tuple[str, str, int, int]] = select(
        lots.product, lots.currency, lots.unit_cost_minor, lots.received_at_ms.label("at_ms")
    ).where(lots.unit_cost_minor.is_not(None))
    of_catalogue: Select[tuple[str, str, int, int]] = select(
        catalogue.product,
        catalogue.unit_cost_currency,
        catalogue.unit_cost_minor,
        cast(literal(-1), BigInteger),
    ).where(catalogue.unit_cost_minor.is_not(None))
    return of_lots.union_all(of_catalogue).cte("costs_said")


def read_costs(connection: Connection) -> tuple[tuple[str, str, int], ...]:
    """Return the product, the currency and the cost of one, of all that is known."""
    costs = latest_costs()
    return tuple(
        (row.product, row.currency, row.unit_cost_minor)
        for row in connection.execute(select(costs))
    )

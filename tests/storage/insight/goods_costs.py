"""Lots that came, with what one of them cost."""

from sqlalchemy import insert

from storage.database.engine import Database
from storage.tables import goods_lots

LotCame = tuple[str, str, int, int | None, str]
"""Product, lot, when, what one cost, and in which currency."""


async def lots_came(db: Database, *lots: LotCame) -> None:
    """Let these lots be there."""
    rows = [
        {
            "product": product,
            "lot": lot,
            "expires_on": "",
            "unit_cost_minor": cost,
            "currency": currency,
            "received_at_ms": at_ms,
        }
        for product, lot, at_ms, cost, currency in lots
    ]
    await db.write(lambda connection: connection.execute(insert(goods_lots), rows))

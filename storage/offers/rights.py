"""Which offers a payer may use at a machine: looked up in the transaction that takes their payment
in, so that the machine hears of them within that event and nothing else is asked of SQL.

It only reads, and waits for nobody. Whether an offer can still be used is found out by the COMMIT
of the vend; here is left out what surely cannot.
"""

from typing import Any

from sqlalchemy import BigInteger, BindParameter, Connection, Row, bindparam, func, or_, select

from actors.machine.ids import Currency, MachineId
from actors.machine.offer import OFFERS_MAX, Offered
from storage.insight.tagging import had_by_now
from storage.offers.content import is_held_out, selector_of
from storage.office.selectors import machines_of
from storage.tables import (
    machines,
    offer_spending,
    offer_uses,
    offers,
    payer_tags,
    planogram_columns,
    products,
)

_O = offers.c
_P: BindParameter[str] = bindparam("payer")
_NOW = bindparam("now_ms", type_=BigInteger)
_USED = (
    select(func.count())
    .where(
        offer_uses.c.payer_id == _P,
        offer_uses.c.offer == _O.offer,
        offer_uses.c.returned_at_ms.is_(None),
    )
    .correlate(offers)
    .scalar_subquery()
)
_HAS_TAG = (
    select(payer_tags.c.tag)
    .where(payer_tags.c.payer_id == _P, had_by_now(_O.tag))
    .correlate(offers)
    .exists()
)
# What every payment asks, put together once: making a statement costs more than running it.
_USABLE = (
    select(offers, offer_spending.c.spent_minor, _USED.label("used"))
    .join(offer_spending, offer_spending.c.offer == _O.offer)
    .where(
        _O.ends_at_ms > _NOW,
        _O.begins_at_ms <= _NOW,
        _O.ended_at_ms.is_(None),
        _O.currency == bindparam("currency"),
        offer_spending.c.spent_minor < _O.budget_minor,
        or_(_O.tag == "", _HAS_TAG),
    )
    .order_by(_O.offer)
)


def usable(
    connection: Connection, machine_id: MachineId, payer_id: str, currency: Currency, now_ms: int
) -> tuple[Offered, ...]:
    """Return what a payer may use at a machine, in the order of names."""
    asked = {"payer": payer_id, "currency": currency, "now_ms": now_ms}
    found: list[Offered] = []
    for row in connection.execute(_USABLE, asked).all():
        left = row.uses_per_payer - row.used
        if left <= 0 or is_held_out(row.holdout_key, row.offer, payer_id, row.holdout_percent):
            continue
        here = machines_of(selector_of(row.selector), now_ms)
        if connection.scalar(here.where(machines.c.machine_id == machine_id)) is None:
            continue
        sold = _products(connection, machine_id, row)
        if sold == ():
            continue
        found.append(
            Offered(
                offer=row.offer,
                ends_at_ms=row.ends_at_ms,
                left=left,
                discount_minor=row.discount_minor,
                basis_points=row.basis_points,
                products=sold,
                rest_minor=row.budget_minor - row.spent_minor,
            )
        )
    return tuple(found[:OFFERS_MAX])


def _products(
    connection: Connection, machine_id: MachineId, row: Row[Any]
) -> tuple[str, ...] | None:
    """Return the products that an offer is for: of a category those that the machine sells."""
    if row.product:
        return (row.product,)
    if not row.category:
        return None
    c = planogram_columns.c
    sold = (
        select(c.product)
        .join(products, products.c.product == c.product)
        .where(c.machine_id == machine_id, products.c.category == row.category)
        .distinct()
        .order_by(c.product)
    )
    return tuple(connection.scalars(sold))

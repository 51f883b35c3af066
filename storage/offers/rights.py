"""Which offers a payer may use at a machine: looked up in the transaction that takes their payment
in, so that the machine hears of them within that event and nothing else is asked of SQL.

It only reads, and waits for nobody. Whether an offer can still be used is found out by the COMMIT
of the vend; here is left out what surely cannot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Row,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from actors.machine.ids import Currency, MachineId
from actors.machine.offer import OFFERS_MAX, Offered
from storage.insight.suppression import Gate
from storage.insight.tagging import had_by_now
from storage.offers.content import is_held_out, selector_of
from storage.office.matching import KnownOfMachine, known_of
from storage.tables import (
    offer_spending,
    offer_uses,
    offers,
    payer_tags,
    planogram_columns,
    products,
    tag_runs,
)
from storage.tables.tags import UNFINISHED

log = structlog.get_logger()

_GATE = Gate()
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
# How many had the tag when it was last evaluated: told of in a row, so that no payment counts them.
_MEMBERS = (
    select(tag_runs.c.members)
    .where(tag_runs.c.tag == _O.tag, ~UNFINISHED)
    .order_by(tag_runs.c.id.desc())
    .limit(1)
    .correlate(offers)
    .scalar_subquery()
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
        or_(_O.tag == "", and_(_HAS_TAG, bindparam("least", type_=BigInteger) <= _MEMBERS)),
    )
    .order_by(_O.offer)
)
_C = planogram_columns.c
_SOLD = (
    select(products.c.category, _C.product)
    .join(products, products.c.product == _C.product)
    .where(_C.machine_id == bindparam("machine"))
    .distinct()
    .order_by(_C.product)
)


def usable(
    connection: Connection,
    machine_id: MachineId,
    payer_id: str,
    currency: Currency,
    now_ms: int,
    *,
    gate: Gate = _GATE,
) -> tuple[Offered, ...]:
    """Return what a payer may use at a machine, in the order of names. An offer to a tag that fewer
    payers have by now than the ``gate`` lets be told takes nothing off: it would show who they are.
    """
    asked = {"payer": payer_id, "currency": currency, "now_ms": now_ms, "least": gate.least}
    rows = connection.execute(_USABLE, asked).all()
    known = known_of(connection, machine_id, now_ms) if rows else None
    if known is None:
        return ()
    ours = [
        (row, row.uses_per_payer - row.used)
        for row in rows
        if row.used < row.uses_per_payer
        and not is_held_out(row.holdout_key, row.offer, payer_id, row.holdout_percent)
        and _is_for(row, known)
    ]
    sold = _sold(connection, machine_id) if any(row.category for row, _ in ours) else {}
    found: list[Offered] = []
    for row, left in ours:
        products_of = _products(row, sold)
        if products_of == ():
            continue
        found.append(
            Offered(
                offer=row.offer,
                ends_at_ms=row.ends_at_ms,
                left=left,
                discount_minor=row.discount_minor,
                basis_points=row.basis_points,
                products=products_of,
                rest_minor=row.budget_minor - row.spent_minor,
            )
        )
    return tuple(found[:OFFERS_MAX])


def _is_for(row: Row[Any], known: KnownOfMachine) -> bool:
    """Tell whether an offer is for a machine. One of a newer program is for none, as long as this
    one takes payments in beside it: a payment is saved whatever there is to take off.
    """
    try:
        return known.is_held_by(selector_of(row.selector))
    except ValueError as error:
        log.warning("an offer is not looked at", offer=row.offer, error=str(error))
        return False


def _sold(connection: Connection, machine_id: MachineId) -> Mapping[str, list[str]]:
    """Return what a machine sells, by category."""
    sold: dict[str, list[str]] = {}
    for row in connection.execute(_SOLD, {"machine": machine_id}):
        sold.setdefault(row.category, []).append(row.product)
    return sold


def _products(row: Row[Any], sold: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """Return the products that an offer is for: of a category those that the machine sells."""
    if row.product:
        return (row.product,)
    return tuple(sold.get(row.category, ())) if row.category else None

"""What comes from a supplier: products of the catalogue, and the lots that are new with it.

Flows in: the lines of a delivery. Flows out: the lots that were never there, kept, or
OfficeRefused. The days and the costs of a lot are kept once, when it first comes.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Row, select

from actors.machine import goods as words
from storage.database import dialects
from storage.office import product_rows
from storage.office.deeds import NotPossible, NotThere
from storage.office.stays import is_past
from storage.tables import goods_lots

LAST_ZONE = "Etc/GMT+12"
"""Where a day is over the latest: the office's places have no time zone of their own."""


class DeliveryLine(Protocol):
    """A line of a delivery, as ``storage.office.goods.GoodsLine`` says it."""

    @property
    def product(self) -> str:
        """Its code."""
        ...

    @property
    def lot(self) -> str:
        """Empty if nobody tells lots apart."""
        ...

    @property
    def expires_on(self) -> str:
        """The last day on which it may be sold, '' if it keeps for ever."""
        ...

    @property
    def unit_cost_minor(self) -> int | None:
        """What one costs, None if nobody says."""
        ...

    @property
    def currency(self) -> str:
        """Of the cost."""
        ...


def check_delivery(
    connection: Connection,
    lines: Sequence[DeliveryLine],
    to_place: str,
    now_ms: int,
    *,
    only_check: bool,
) -> None:
    """Look whether a delivery may come, and keep the lots that are new with it unless it is only
    checked. Of two deliveries of one new lot that come at once the second waits for the first one's
    end, and must say the same of it. Raises NotThere or NotPossible (PRODUCT_ARCHIVED, LOT_EXPIRED,
    LOT_DIFFERS).
    """
    _check_products(connection, lines)
    of_lots = [line for line in lines if line.lot]
    for line in of_lots:
        _may_come(line, to_place, now_ms)
    if of_lots and not only_check:
        # In one order, so that no two wait for each other; what is there stays as it is.
        rows = [
            _row(line, now_ms) for line in sorted(of_lots, key=lambda one: (one.product, one.lot))
        ]
        keep = dialects.insert_or_ignore(connection.dialect.name, goods_lots, ("product", "lot"))
        connection.execute(keep.values(rows))
    for line in of_lots:
        c = goods_lots.c
        lot = connection.execute(
            select(goods_lots).where(c.product == line.product, c.lot == line.lot)
        ).one_or_none()
        terms = (line.expires_on, line.unit_cost_minor, line.currency)
        if lot is not None and (lot.expires_on, lot.unit_cost_minor, lot.currency) != terms:
            raise _differs(lot)


def _row(line: DeliveryLine, now_ms: int) -> dict[str, Any]:
    return {
        "product": line.product,
        "lot": line.lot,
        "expires_on": line.expires_on,
        "unit_cost_minor": line.unit_cost_minor,
        "currency": line.currency,
        "received_at_ms": now_ms,
    }


def _check_products(connection: Connection, lines: Sequence[DeliveryLine]) -> None:
    known = product_rows.several(connection, [line.product for line in lines], lock=False)
    for line in lines:
        product = known.get(line.product)
        if product is None:
            raise NotThere("product", line.product)
        if product.archived_at_ms is not None:
            raise NotPossible(
                "PRODUCT_ARCHIVED",
                f"product {line.product} is archived: RestoreProduct lets it be bought again",
                product=line.product,
            )


def _may_come(line: DeliveryLine, to_place: str, now_ms: int) -> None:
    """Raise NotPossible for what has expired everywhere and would be on its way to machines. A
    warehouse takes it: the books must be able to hold what is there until it goes back or is
    thrown away, and no column takes it from there.
    """
    in_warehouse = to_place.startswith(f"{words.WAREHOUSE}:")
    if line.expires_on and not in_warehouse and is_past(line.expires_on, LAST_ZONE, now_ms):
        raise NotPossible(
            "LOT_EXPIRED",
            f"the last day of lot {line.lot} of {line.product} was {line.expires_on}: it comes "
            "into a WAREHOUSE only, where WasteGoods with expired throws it away",
            product=line.product,
            lot=line.lot,
        )


def _differs(lot: Row[Any]) -> NotPossible:
    """Return the answer to whoever gives a lot another day or cost than it has."""
    day = f"expires_on {lot.expires_on}" if lot.expires_on else "no expires_on"
    cost = "no unit_cost"
    if lot.unit_cost_minor is not None:
        cost = f"a unit_cost of {lot.unit_cost_minor} minor units of {lot.currency}"
    return NotPossible(
        "LOT_DIFFERS",
        f"lot {lot.lot} of {lot.product} came before with {day} and {cost}: repeat just these for "
        "more of it; another lot needs another name",
        product=lot.product,
        lot=lot.lot,
    )

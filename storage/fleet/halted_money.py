"""The money of halted machines' customers, as queries beside the row of a halt."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, select

from actors.machine.state import RefundStatus
from storage.machines.inbox import payment_minor
from storage.tables import inbox, machine_halts, refunds, trades

OPEN_REFUNDS = [
    status.value
    for status in RefundStatus
    if status not in {RefundStatus.SUCCEEDED, RefundStatus.WRITTEN_OFF}
]


def money() -> ColumnElement[int]:
    """Return the query for the money of a halted machine's customers: what is held, what is due
    back and not done, and what they paid since, of which its actor has not heard.
    """
    held = select(func.coalesce(func.sum(trades.c.held_minor), 0)).where(
        trades.c.machine_id == machine_halts.c.machine_id, trades.c.status == "OPEN"
    )
    due = select(func.coalesce(func.sum(refunds.c.amount_minor), 0)).where(
        refunds.c.machine_id == machine_halts.c.machine_id, refunds.c.status.in_(OPEN_REFUNDS)
    )
    unheard = waiting(func.coalesce(func.sum(cast(payment_minor(), BigInteger)), 0))
    return cast(
        held.scalar_subquery() + due.scalar_subquery() + unheard.scalar_subquery(), BigInteger
    )


def waiting(what: ColumnElement[Any]) -> Select[Any]:
    """Return the query for something of the payments that wait for a halted machine's actor."""
    return select(what).where(
        inbox.c.machine_id == machine_halts.c.machine_id,
        inbox.c.taken_at_ms.is_(None),
        inbox.c.cause.startswith("payment:"),
    )

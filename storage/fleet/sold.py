"""What paid for a sold vend, read for giving it back: the ledger's transfers and the trades' rows
in one snapshot, with the version of the machine's state beside them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, tuple_

from actors.machine.events import SoldPart
from actors.machine.ids import RefundId, SessionId, TradeId, VendId
from actors.machine.ledger import TransferKind
from actors.machine.state import Trade
from storage.database.engine import Database
from storage.tables import machine_states, refunds, starts, trades, transfers, vends


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """``parts`` is empty if nothing of the vend was sold; ``refund_ids`` if nothing of it was given
    back by an administrator.
    """

    version: int
    parts: tuple[SoldPart, ...]
    refund_ids: tuple[RefundId, ...]
    archived: bool = False
    """What paid for it is in the archive, or on its way there: the machine cannot give it back."""


class SoldVends:
    """Reads from SQL; raises StoreError when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, vend_id: VendId) -> Sold | None:
        """Return what paid for the vend, or None if there is no such vend."""
        return await self._db.read(lambda connection: _find(connection, vend_id))


def _find(connection: Connection, vend_id: VendId) -> Sold | None:
    vend = connection.execute(
        select(
            machine_states.c.version,
            vends.c.session_id,
            (vends.c.requested_at_ms <= func.coalesce(starts.c.at_ms, -1)).label("archived"),
        )
        .join(vends, vends.c.machine_id == machine_states.c.machine_id)
        .outerjoin(starts, starts.c.machine_id == vends.c.machine_id)
        .where(vends.c.vend_id == vend_id)
    ).one_or_none()
    if vend is None:
        return None
    # A vend is paid by trades of its own session and no others (docs/reliability.md, B15).
    paid = {
        f"{vend_id}/{row.trade_id}": row for row in connection.execute(_trades(vend.session_id))
    }
    settled = {
        row.cause: row.amount_minor
        for row in connection.execute(_transfers(paid, TransferKind.SETTLE))
    }
    given = connection.execute(_transfers(paid, TransferKind.GOODWILL)).all()
    return Sold(
        version=vend.version,
        archived=bool(vend.archived),
        parts=tuple(
            SoldPart(trade=_trade(row), amount_minor=settled[cause])
            for cause, row in paid.items()
            if cause in settled
        ),
        refund_ids=tuple(_refund_ids(connection, given)),
    )


def _transfers(causes: Iterable[str], kind: TransferKind) -> Select[Any]:
    """Return the transfers of this kind and these causes, which are ``<vend>/<trade>``; the unique
    key finds them.
    """
    c = transfers.c
    return (
        select(c.cause, c.trade_id, c.machine_id, c.version, c.amount_minor)
        .where(c.kind == kind.value, c.cause.in_(list(causes)))
        .order_by(c.machine_id, c.version, c.line)
    )


def _trades(session_id: str) -> Select[Any]:
    made = (
        select(func.count())
        .where(refunds.c.trade_id == trades.c.trade_id)
        .correlate(trades)
        .scalar_subquery()
        .label("refunds_made")
    )
    return (
        select(trades, made)
        .where(trades.c.session_id == session_id)
        .order_by(trades.c.received_at_ms, trades.c.trade_id)
    )


def _trade(row: Row[Any]) -> Trade:
    """Return a trade as the row has it. What is held of an open one is the state's to say: the core
    takes those from there.
    """
    return Trade(
        trade_id=TradeId(row.trade_id),
        partner_trans_id=row.partner_trans_id,
        payer_id=row.payer_id,
        paid_minor=row.paid_minor,
        funds_minor=row.held_minor,
        received_at_ms=row.received_at_ms,
        sold_minor=row.sold_minor,
        refunded_minor=row.refunded_minor,
        written_off_minor=row.written_off_minor,
        refunds_made=row.refunds_made,
        session_id=None if row.session_id is None else SessionId(row.session_id),
        closed_at_ms=row.closed_at_ms,
    )


def _refund_ids(connection: Connection, given: Sequence[Row[Any]]) -> list[RefundId]:
    """Return the refunds that the same decisions asked for, for the same trades."""
    if not given:
        return []
    c = transfers.c
    wanted = (
        select(c.credit_reference)
        .where(
            c.kind == TransferKind.REFUND_ASKED.value,
            tuple_(c.machine_id, c.version, c.trade_id).in_(
                [(row.machine_id, row.version, row.trade_id) for row in given]
            ),
        )
        .order_by(c.machine_id, c.version, c.line)
    )
    return [RefundId(reference) for reference in connection.scalars(wanted)]

"""What waits for a person, as one list over five tables, oldest first; each of them is read through an index and never further than a page.

An item is not a row of its own: it is there as long as what it is made of is as it is, and so can neither be forgotten nor linger.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, String, Table, cast, func, literal, null, select, text, tuple_, union_all

from actors.machine.events import RefundSucceeded, TopUpPaid
from actors.machine.state import RefundStatus, VendStatus
from storage import codec, positions
from storage.tables import IS_CONFLICT, inbox, machine_halts, machines, refunds, trades, vends
from storage.views import WorkItemKind, WorkItemView

OVERDUE_AFTER_MS = 86_400_000
"""A refund that goes on by itself is a person's after this."""
OPEN_REFUNDS = [status.value for status in RefundStatus if status not in {RefundStatus.SUCCEEDED, RefundStatus.WRITTEN_OFF}]
_SLOW = [RefundStatus.UNKNOWN.value, RefundStatus.SHORT_OF_FUNDS.value, RefundStatus.DUE.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """One kind of item: ``since`` and ``item_id`` are its order, ``columns`` are in the order of the others'."""

    kind: WorkItemKind
    table: Table
    since: ColumnElement[int]
    item_id: ColumnElement[str]
    where: tuple[ColumnElement[bool], ...]
    columns: tuple[ColumnElement[Any], ...]

    def counted(self) -> Select[*tuple[Any, ...]]:
        """Return the query for how many there are and since when the oldest of them."""
        return select(literal("work_items"), literal(self.kind.value), func.count(), func.min(self.since)).where(*self.where)

    def page(self, *, machine_id: str, after: str, limit: int) -> Select[Any]:
        """Return the query for the first ``limit`` items behind ``after``."""
        own = self.table.c.machine_id
        # An inbox row knows the currency of its money only from its event, and that not always.
        currency = select(machines.c.currency).where(machines.c.machine_id == own).scalar_subquery()
        wanted = select(
            literal(self.kind.value).label("kind"),
            self.since.label("since_at_ms"),
            self.item_id.label("item_id"),
            own.label("machine_id"),
            currency.label("currency"),
            *self.columns,
        ).where(*self.where)
        if machine_id:
            wanted = wanted.where(own == machine_id)
        if after:
            at_ms, key = positions.parse(after)
            # The first condition says less than the second, and is the one that an index can begin at.
            wanted = wanted.where(self.since >= at_ms, tuple_(self.since, self.item_id) > tuple_(literal(at_ms), literal(key)))
        return wanted.order_by(self.since, self.item_id).limit(limit)


def page(*, machine_id: str, kind: str, after: str, limit: int, now_ms: int) -> Select[Any]:
    """Return the query for a page; ``kind`` is empty or one of WorkItemKind. Raises InvalidPosition."""
    branches = [branch for branch in _branches(now_ms) if kind in {"", branch.kind}]
    pages = [branch.page(machine_id=machine_id, after=after, limit=limit).subquery() for branch in branches]
    together = union_all(*(select(one) for one in pages)).subquery()
    return select(together).order_by(together.c.since_at_ms, together.c.item_id).limit(limit)


def gauges(now_ms: int) -> list[Select[*tuple[Any, ...]]]:
    """Return the queries for how many items of each kind there are, 0 too."""
    return [branch.counted() for branch in _branches(now_ms)]


def work_item_view(row: Row[Any]) -> WorkItemView:
    """Return one row of ``page``."""
    kind = WorkItemKind(row.kind)
    amount_minor, currency, refund_id, reason = row.amount_minor, row.currency, row.refund_id, row.reason
    if kind is WorkItemKind.PAYMENT_CONFLICT:
        told, _, _ = reason.removeprefix("conflict:").rpartition(":")
        reason = f"{told} was told again with other content; the first telling counts, nothing was done on this one"
        match codec.decode_event(row.event) if row.event else None:
            case TopUpPaid() as paid:
                amount_minor, currency = paid.amount_minor, paid.currency
            case RefundSucceeded() as refunded:
                refund_id = refunded.refund_id
            case _:
                pass
    return WorkItemView(
        position=positions.position(row.since_at_ms, row.item_id),
        item_id=row.item_id,
        kind=kind,
        machine_id=row.machine_id,
        trade_id=row.trade_id,
        refund_id=refund_id,
        vend_id=row.vend_id,
        amount_minor=amount_minor,
        currency=currency,
        reason=": ".join(part for part in (row.status, reason) if part),
        since_at_ms=row.since_at_ms,
    )


def _branches(now_ms: int) -> list[_Branch]:
    nothing: ColumnElement[Any] = literal("")
    refund_columns = (
        refunds.c.trade_id.label("trade_id"),
        refunds.c.refund_id.label("refund_id"),
        nothing.label("vend_id"),
        refunds.c.amount_minor.label("amount_minor"),
    )
    no_event = cast(null(), inbox.c.event.type).label("event")
    refund_item = literal("refund:") + refunds.c.refund_id
    return [
        _Branch(
            kind=WorkItemKind.REFUND_REFUSED,
            table=refunds,
            since=refunds.c.due_at_ms,
            item_id=refund_item,
            where=(refunds.c.status == RefundStatus.REFUSED.value,),
            columns=(*refund_columns, nothing.label("status"), refunds.c.error.label("reason"), no_event),
        ),
        _Branch(
            kind=WorkItemKind.REFUND_OVERDUE,
            table=refunds,
            since=refunds.c.due_at_ms,
            item_id=refund_item,
            where=(refunds.c.status.in_(_SLOW), refunds.c.due_at_ms < now_ms - OVERDUE_AFTER_MS),
            columns=(*refund_columns, refunds.c.status.label("status"), refunds.c.error.label("reason"), no_event),
        ),
        _Branch(
            kind=WorkItemKind.VEND_IN_REVIEW,
            table=vends,
            since=vends.c.requested_at_ms,
            item_id=literal("vend:") + vends.c.vend_id,
            where=(vends.c.status == VendStatus.IN_REVIEW.value,),
            columns=(
                nothing.label("trade_id"),
                nothing.label("refund_id"),
                vends.c.vend_id.label("vend_id"),
                vends.c.price_minor.label("amount_minor"),
                vends.c.reason.label("status"),
                vends.c.evidence.label("reason"),
                no_event,
            ),
        ),
        _Branch(
            kind=WorkItemKind.PAYMENT_CONFLICT,
            table=inbox,
            since=inbox.c.received_at_ms,
            item_id=literal("inbox:") + cast(inbox.c.id, String),
            where=(text(IS_CONFLICT),),  # type: ignore[arg-type]  # word for word the condition of the index
            columns=(
                inbox.c.trade_id.label("trade_id"),
                nothing.label("refund_id"),
                nothing.label("vend_id"),
                literal(0).label("amount_minor"),
                nothing.label("status"),
                inbox.c.cause.label("reason"),
                inbox.c.event.label("event"),
            ),
        ),
        _Branch(
            kind=WorkItemKind.MACHINE_HALTED,
            table=machine_halts,
            since=machine_halts.c.halted_at_ms,
            item_id=literal("machine:") + machine_halts.c.machine_id,
            where=(),
            columns=(
                nothing.label("trade_id"),
                nothing.label("refund_id"),
                nothing.label("vend_id"),
                _stuck().label("amount_minor"),
                machine_halts.c.fact.label("status"),
                machine_halts.c.error.label("reason"),
                no_event,
            ),
        ),
    ]


def _stuck() -> ColumnElement[int]:
    """Return the query for the money of a halted machine's customers: what is held, and what is due back and not done."""
    held = select(func.coalesce(func.sum(trades.c.held_minor), 0)).where(
        trades.c.machine_id == machine_halts.c.machine_id, trades.c.status == "OPEN"
    )
    due = select(func.coalesce(func.sum(refunds.c.amount_minor), 0)).where(
        refunds.c.machine_id == machine_halts.c.machine_id, refunds.c.status.in_(OPEN_REFUNDS)
    )
    return cast(held.scalar_subquery() + due.scalar_subquery(), BigInteger)

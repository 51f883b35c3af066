"""What waits for a person, and refunds that are not done: the rows of more than one page, with the
forms that end them.
"""

from collections.abc import Iterable

from gateway.fleet.v1 import session_pb2, trade_pb2, work_item_pb2
from gateway.web.tables import ACT, Age, Form, Link, Table, moment, money
from gateway.web.words import code, said
from storage.fleet.closings import CLOSABLE
from storage.fleet.views import WorkItemKind

_RETRIED = frozenset(
    {
        WorkItemKind.REFUND_REFUSED,
        WorkItemKind.REFUND_OVERDUE,
        WorkItemKind.REFUND_UNRESOLVED,
    }
)
OUTCOMES = {
    "VEND_OUTCOME_DELIVERED": "the customer has the goods",
    "VEND_OUTCOME_NOT_DELIVERED": "the customer has nothing",
}


def machine_link(machine_id: str) -> Link | None:
    """Return the way to a machine's page; None for nobody's."""
    return Link(machine_id, f"/machines/{machine_id}") if machine_id else None


def work_items(
    items: Iterable[work_item_pb2.WorkItem], title: str = "Work items", *, cut: bool = False
) -> Table:
    """Return what waits for a person, each with the form that ends it here."""
    return Table(
        name="work-items",
        title=title,
        heads=("Kind", "Machine", "Waits for", "Amount", "Why", "What to do", ACT),
        rows=[
            (
                said(work_item_pb2.WorkItemKind, item.kind),
                machine_link(item.machine_id),
                Age(item.age_seconds),
                money(item.amount),
                item.reason,
                item.next_step,
                _ends(item),
            )
            for item in items
        ],
        empty="Nothing waits for a person.",
        cut=cut,
    )


def _ends(item: work_item_pb2.WorkItem) -> Form | None:
    kind = code(work_item_pb2.WorkItemKind, item.kind)
    if kind in _RETRIED and item.refund_id:
        return retry(item.refund_id)
    if kind == WorkItemKind.VEND_IN_REVIEW:
        return settle(item.vend_id)
    if kind in CLOSABLE:
        return Form(act="close-work-item", label="Close", fields={"item_id": item.item_id})
    return None  # it has an act of its own, which What to do names


def retry(refund_id: str) -> Form:
    """Return the form that has a refund tried again."""
    return Form(act="retry-refund", label="Try again", fields={"refund_id": refund_id})


def settle(vend_id: str) -> Form:
    """Return the form by which a person says how a vend ended."""
    return Form(
        act="settle-vend",
        label="Settle",
        fields={"vend_id": vend_id},
        asks=("outcome", "reason"),
        choices={"outcome": OUTCOMES},
    )


def refunds(of: Iterable[trade_pb2.Refund], *, now_ms: int, cut: bool = False) -> Table:
    """Return refunds that are not done."""
    return Table(
        name="refunds",
        title="Open refunds",
        heads=("Refund", "Machine", "Amount", "Status", "Cause", "Due", "Open for", "Error", ACT),
        rows=[
            (
                one.refund_id,
                machine_link(one.machine_id),
                money(one.amount),
                said(trade_pb2.RefundStatus, one.status),
                said(trade_pb2.RefundCause, one.cause),
                moment(one.due_at),
                Age((now_ms - one.due_at.ToMilliseconds()) // 1_000),
                one.last_error,
                retry(one.refund_id) if _may_be_retried(one.status) else None,
            )
            for one in of
        ],
        empty="No refund is open.",
        cut=cut,
    )


def _may_be_retried(status: trade_pb2.RefundStatus.ValueType) -> bool:
    return code(trade_pb2.RefundStatus, status) in {
        "REFUSED",
        "UNRESOLVED",
        "UNKNOWN",
        "SHORT_OF_FUNDS",
    }


def vends(of: Iterable[session_pb2.Vend], title: str = "Last vends") -> Table:
    """Return vends, newest first."""
    return Table(
        name="vends",
        title=title,
        heads=("Asked for", "Column", "Product", "Price", "Status", "Reason", "Ended"),
        rows=[
            (
                moment(one.requested_at),
                one.column,
                one.product,
                money(one.price),
                said(session_pb2.VendStatus, one.status),
                said(session_pb2.VendReason, one.reason),
                moment(one.ended_at),
            )
            for one in of
        ],
        empty="Nobody has chosen anything yet.",
    )


def reconciliations(
    of: Iterable[trade_pb2.Reconciliation], title: str = "Last reconciliation"
) -> Table:
    """Return Alipay's daily files that were held against the ledger."""
    return Table(
        name="reconciliations",
        title=title,
        heads=("Day", "File", "Read", "Payments and refunds", "Differences that wait", "Day over"),
        rows=[
            (
                one.day,
                one.file_name,
                moment(one.read_at),
                one.row_count,
                one.open_difference_count,
                _is_over(one),
            )
            for one in of
        ],
        empty="No daily file of Alipay was read yet: vendgate reconcile reads it.",
        note="Days are those of GMT+8. Before a day is over nobody looks for what is missing at "
        "Alipay: read its file again then.",
    )


def _is_over(one: trade_pb2.Reconciliation) -> str:
    over = "yes" if one.day_was_over else "not when it was read"
    return f"{over}; a restore has lost sales of it" if one.restored else over

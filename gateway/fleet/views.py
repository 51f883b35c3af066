"""What storage knows, as administrators read it: frozen views in, messages of ``gateway.v1`` out.
Pure and total.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.v1 import fleet_pb2, machine_pb2, money_pb2
from storage.fleet import views

_LIMITS = (
    "idle_refund_ms",
    "payment_wait_ms",
    "unavailable_grace_ms",
    "vend_result_ms",
    "doubt_window_ms",
    "doubt_review_above_minor",
    "write_off_second_person_above_minor",
)
_NEXT_STEPS = {
    views.WorkItemKind.REFUND_REFUSED: (
        "mend what Alipay names, then RetryRefund; WriteOffRefund if it can never go back this way"
    ),
    views.WorkItemKind.REFUND_OVERDUE: (
        "it goes on by itself under its id; mend what the reason says; RetryRefund tries it now"
    ),
    views.WorkItemKind.VEND_IN_REVIEW: (
        "find out whether the goods were delivered, then SettleVend with delivered true or false"
    ),
    views.WorkItemKind.PAYMENT_CONFLICT: (
        "compare GetTrade with Alipay's own books and mend the difference there; nothing was "
        "booked twice; then CloseWorkItem"
    ),
    views.WorkItemKind.NOTIFICATION_REFUSED: (
        "look for the trade in Alipay's portal and with GetTrade: money that is there and not "
        "here is returned there; mend what the reason "
        "names; then CloseWorkItem"
    ),
    views.WorkItemKind.RECONCILIATION_DIFFERENCE: "Then CloseWorkItem with what was found out",
    views.WorkItemKind.MACHINE_HALTED: (
        "mend what the reason says, then ReloadMachine; it also tries again by itself, at last "
        "hourly"
    ),
}


def timestamp(at_ms: int | None) -> Timestamp | None:
    """Return the time, or None (an absent field) for none."""
    return (
        None
        if at_ms is None
        else Timestamp(seconds=at_ms // 1_000, nanos=at_ms % 1_000 * 1_000_000)
    )


def money(minor: int, currency: str) -> money_pb2.Money:
    """Return an exact amount."""
    return money_pb2.Money(minor=minor, currency=currency)


def machine(view: views.MachineView) -> fleet_pb2.Machine:
    """Return a machine with its live state."""
    limits = {
        name: value for name in _LIMITS if (value := getattr(view.overrides, name)) is not None
    }
    made = fleet_pb2.Machine(
        machine_id=view.machine_id,
        store_name=view.store_name,
        currency=view.currency,
        country_code=view.country_code,
        address=view.address,
        enabled=view.enabled,
        mode=machine_pb2.Mode.Value(f"MODE_{view.mode}"),
        policy=fleet_pb2.Policy(**limits),
        planogram_version=view.planogram_version,
        columns=[
            fleet_pb2.Column(
                column=one.column,
                product=one.product,
                price_minor=one.price_minor,
                capacity=one.capacity,
                stock=one.stock,
            )
            for one in view.columns
        ],
        code_status=fleet_pb2.CodeStatus.Value(f"CODE_STATUS_{view.code_status}"),
        qr_payload=view.qr_payload,
        qr_image_url=view.qr_image_url,
        code_error=view.code_error,
        phase=fleet_pb2.Phase.Value(f"PHASE_{view.phase}"),
        online=view.online,
        connection_changed_at=timestamp(view.connection_changed_at_ms),
        firmware=view.firmware,
        session_id=view.session_id,
        open_refund_count=view.open_refund_count,
        last_fault=view.last_fault,
        host=view.host,
        partition=view.partition,
        registered_at=timestamp(view.registered_at_ms),
    )
    if view.halt is not None:
        since = timestamp(view.halt.halted_at_ms)
        made.halted.CopyFrom(
            fleet_pb2.Halt(since=since, fact=view.halt.fact, error=view.halt.error)
        )
    if view.session_id:
        made.funds.CopyFrom(money(view.funds_minor, view.currency))
    return made


def session(view: views.SessionView) -> fleet_pb2.Session:
    """Return one customer's stay."""
    return fleet_pb2.Session(
        session_id=view.session_id,
        machine_id=view.machine_id,
        status=view.status,
        mode=view.mode,
        end_reason=view.end_reason,
        paid=money(view.paid_minor, view.currency),
        sold=money(view.sold_minor, view.currency),
        refunded=money(view.refunded_minor, view.currency),
        started_at=timestamp(view.started_at_ms),
        ended_at=timestamp(view.ended_at_ms),
    )


def vend(view: views.VendView) -> fleet_pb2.Vend:
    """Return one selection and its outcome."""
    return fleet_pb2.Vend(
        vend_id=view.vend_id,
        machine_id=view.machine_id,
        session_id=view.session_id,
        request_id=view.request_id,
        column=view.column,
        product=view.product,
        price=money(view.price_minor, view.currency),
        status=view.status,
        reason=view.reason,
        requested_at=timestamp(view.requested_at_ms),
        ended_at=timestamp(view.ended_at_ms),
    )


def trade(view: views.TradeView) -> fleet_pb2.Trade:
    """Return one payment."""
    return fleet_pb2.Trade(
        trade_id=view.trade_id,
        partner_trans_id=view.partner_trans_id,
        machine_id=view.machine_id,
        session_id=view.session_id,
        paid=money(view.paid_minor, view.currency),
        sold=money(view.sold_minor, view.currency),
        refunded=money(view.refunded_minor, view.currency),
        held=money(view.held_minor, view.currency),
        status=view.status,
        received_at=timestamp(view.received_at_ms),
        written_off=money(view.written_off_minor, view.currency),
    )


def refund(view: views.RefundView) -> fleet_pb2.Refund:
    """Return money that goes back."""
    return fleet_pb2.Refund(
        refund_id=view.refund_id,
        trade_id=view.trade_id,
        machine_id=view.machine_id,
        amount=money(view.amount_minor, view.currency),
        cause=view.cause,
        status=view.status,
        last_error=view.last_error,
        attempt_count=view.attempt_count,
        due_at=timestamp(view.due_at_ms),
        next_attempt_at=timestamp(view.next_attempt_at_ms),
        ended_at=timestamp(view.ended_at_ms),
        write_off_proposed_by=view.proposed_by,
        write_off_proposed_reason=view.proposed_reason,
        write_off_proposed_at=timestamp(view.proposed_at_ms),
    )


def work_item(view: views.WorkItemView, now_ms: int) -> fleet_pb2.WorkItem:
    """Return something that waits for a person, with what ends it."""
    return fleet_pb2.WorkItem(
        item_id=view.item_id,
        kind=view.kind.value,
        machine_id=view.machine_id,
        trade_id=view.trade_id,
        refund_id=view.refund_id,
        vend_id=view.vend_id,
        amount=money(view.amount_minor, view.currency),
        reason=view.reason,
        since=timestamp(view.since_at_ms),
        age_seconds=max(0, now_ms - view.since_at_ms) // 1_000,
        next_step=_next_step(view),
    )


def _next_step(view: views.WorkItemView) -> str:
    if view.proposed_by:
        return (
            f"WriteOffRefund by another person than {view.proposed_by} confirms it; RetryRefund "
            "tries it again and drops the proposal"
        )
    return f"{view.advice} {_NEXT_STEPS[view.kind]}" if view.advice else _NEXT_STEPS[view.kind]


def closing(view: views.ClosingView) -> fleet_pb2.WorkItemClosing:
    """Return how a person ended a work item."""
    return fleet_pb2.WorkItemClosing(
        item_id=view.item_id,
        kind=view.kind.value,
        machine_id=view.machine_id,
        actor=view.actor,
        reason=view.reason,
        closed_at=timestamp(view.closed_at_ms),
    )


def timeline_entry(view: views.TimelineView) -> fleet_pb2.TimelineEntry:
    """Return one line of a story."""
    return fleet_pb2.TimelineEntry(
        at=timestamp(view.at_ms), event=view.event, decisions=view.decisions, money=view.money
    )


def event(view: views.EventView) -> fleet_pb2.Event:
    """Return something that happened; its token is its position."""
    return fleet_pb2.Event(
        token=str(view.position),
        at=timestamp(view.at_ms),
        machine_id=view.machine_id,
        kind=view.kind,
        text=view.text,
    )


def balance(view: views.BalanceView) -> fleet_pb2.Balance:
    """Return all money of one currency."""
    return fleet_pb2.Balance(
        currency=view.currency,
        money_in_minor=view.money_in_minor,
        money_sold_minor=view.money_sold_minor,
        money_refunded_minor=view.money_refunded_minor,
        money_held_minor=view.money_held_minor,
        refunds_open_minor=view.refunds_open_minor,
        written_off_minor=view.written_off_minor,
        ledger_balanced=view.ledger_balanced,
    )

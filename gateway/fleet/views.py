"""What storage knows, as administrators read it: frozen views in, messages of ``gateway.fleet.v1``
out. Pure and total.

A field of a message is the field of the view that has its name, made into what its type says:
``started_at`` of ``started_at_ms``, ``paid`` of ``paid_minor`` and ``currency``, an enum of its
word, a message of another view. What is named otherwise, or made of more than one field, stands in
``EXCEPTIONS``, and nowhere else.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from actors.machine.state import Column
from gateway.fleet import enums
from gateway.fleet.v1 import event_pb2, machine_pb2, session_pb2, trade_pb2, work_item_pb2
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.fleet import views
from storage.fleet.changes import etag_of

M = TypeVar("M", bound=Message)

COLUMNS_AND_TEXTS = frozenset({"columns", "policy", "qr_payload", "qr_image_url", "code_error"})
"""What a machine in a basic view is without, so that 500 of them fit a client's 4 MiB."""

_NEXT_STEPS = {
    views.WorkItemKind.REFUND_REFUSED: (
        "mend what Alipay names, then RetryRefund; WriteOffRefund if it can never go back this way"
    ),
    views.WorkItemKind.REFUND_UNRESOLVED: (
        "look for the refund in Alipay's portal and QueryRefund; RetryRefund asks and, if nothing "
        "was done, sends it again under its id; WriteOffRefund only if the portal shows that "
        "nothing went back"
    ),
    views.WorkItemKind.REFUND_OVERDUE: (
        "it goes on by itself under its id; mend what the reason says; RetryRefund tries it now, "
        "QueryRefund only asks"
    ),
    views.WorkItemKind.VEND_IN_REVIEW: (
        "find out whether the goods were delivered, then SettleVend with outcome "
        "VEND_OUTCOME_DELIVERED or VEND_OUTCOME_NOT_DELIVERED"
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
    views.WorkItemKind.MACHINE_ALARM: (
        "look at the machine: COLUMN_FAILS, free or refill the column and SetStock; MACHINE_FAILS, "
        "DisableMachine, look why with a test vend, and EnableMachine when it works; DOUBLE or "
        "BOOT_CAME_BACK, find the other device that uses its id; NUMBER_REUSED, mend its firmware; "
        "VEND_CONTRADICTED, compare with the camera and RefundVend if the goods did not come; "
        "TEST_VEND_UNKNOWN, look into the column and CountColumn; CODE_LEFT, look in Alipay's "
        "portal for a code of the store, and stop and delete it there; GOODS_WITHOUT_PLACE, take "
        "the goods out with UnloadColumn, or SetPlanogram again with goods_may_be_removed; then "
        "CloseWorkItem"
    ),
    views.WorkItemKind.CLOCK_WRONG: (
        "set the clock of the computer that the reason names (NTP), and start its gateway and "
        "hosts again; the item goes by itself"
    ),
    views.WorkItemKind.CODE_REFUSED: (
        "mend what Alipay names, in the contract, the settings or with UpdateMachine; any change "
        "of the machine has it asked again, even one after which nothing differs, and the item "
        "goes by itself; if Alipay does not take the id of the store, RotateCode with new_code "
        "gives it another; until then take the code off the machine if it may be paid, or stop it "
        "in Alipay's portal"
    ),
    views.WorkItemKind.LOADING_UNFINISHED: (
        "the call that the reason names again, by the same person, with the same content: it ends "
        "what it began, or brings the goods back; the item goes by itself"
    ),
    views.WorkItemKind.READOUT_DIFFERENCE: (
        "GetReadout shows both sides; look at the machine and with ListSessions at its sales of "
        "that time; mend what is wrong here (SettleVend, RefundVend, CountColumn); then "
        "CloseWorkItem with what was found out"
    ),
    views.WorkItemKind.MACHINE_DOUBLED: (
        "find out how its key got away (ListMachineCertificates shows its certificates); have a "
        "technician enrol it anew with the token of CreateEnrolmentToken, which lets it sell "
        "again; then CloseWorkItem"
    ),
    views.WorkItemKind.TAG_RULE_FAILED: (
        "UpdateTag with a rule that does what the reason asks, or RetireTag; who has the tag keeps "
        "it meanwhile, and the item goes when the rule has been evaluated"
    ),
}


def timestamp(at_ms: int) -> Timestamp:
    """Return the time."""
    return Timestamp(seconds=at_ms // 1_000, nanos=at_ms % 1_000 * 1_000_000)


def message(
    kind: type[M], view: object, *, without: frozenset[str] = frozenset(), **more: object
) -> M:
    """Return the message of a view. ``without``: fields that are left out; ``more``: values of
    fields that the view cannot know.
    """
    made = {
        name: value
        for name, read in _readers(kind.DESCRIPTOR)
        if name not in without and name not in more and (value := read(view)) is not None
    }
    return kind(**made, **{name: one for name, one in more.items() if one is not None})


@cache
def _readers(kind: Descriptor) -> tuple[tuple[str, Callable[[Any], object]], ...]:
    """Return of each field of a message how it is read from a view. Found once, because a long list
    has thousands of them.
    """
    return tuple((field.name, _reader(field)) for field in kind.fields)


def _plain(value: Any) -> Any:
    """Let no text of a machine or a person turn an administrator's line around."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _reader(field: FieldDescriptor) -> Callable[[Any], object]:
    """Return what reads the field's value from a view; None leaves it out."""
    name = field.name
    if (exception := EXCEPTIONS.get(field.full_name)) is not None:
        return lambda view: _plain(exception(view))
    match field.message_type or field.enum_type:
        case None:
            return lambda view: _plain(getattr(view, name))
        case EnumDescriptor() as enum if field.is_repeated:
            return lambda view: [enums.number_of(enum, one) for one in getattr(view, name)]
        case EnumDescriptor() as enum:
            return lambda view: enums.number_of(enum, getattr(view, name))
        case of if of.full_name == Timestamp.DESCRIPTOR.full_name:
            return lambda view: _moment(getattr(view, f"{name}_ms"))
        case of if of.full_name == money_pb2.Money.DESCRIPTOR.full_name:
            return lambda view: money_pb2.Money(
                minor=getattr(view, f"{name}_minor"), currency=view.currency
            )
        case of:
            inner = message_factory.GetMessageClass(of)
            if field.is_repeated:
                return lambda view: [message(inner, one) for one in getattr(view, name)]
            return lambda view: _inner(inner, getattr(view, name))


def _moment(at_ms: int | None) -> Timestamp | None:
    return None if at_ms is None else timestamp(at_ms)


def _inner(kind: type[Message], view: object) -> Message | None:
    return None if view is None else message(kind, view)


def _next_step(view: views.WorkItemView) -> str:
    if view.proposed_by:
        return (
            f"WriteOffRefund by another person than {view.proposed_by} confirms it; RetryRefund "
            "tries it again and drops the proposal"
        )
    return f"{view.advice} {_NEXT_STEPS[view.kind]}" if view.advice else _NEXT_STEPS[view.kind]


def _funds(view: views.MachineView) -> money_pb2.Money | None:
    """Return what the customer can spend, nothing if there is none."""
    if not view.session_id:
        return None
    return money_pb2.Money(minor=view.funds_minor, currency=view.currency)


EXCEPTIONS: Mapping[str, Callable[[Any], object]] = {
    "gateway.fleet.v1.Machine.policy": lambda view: message(machine_pb2.Policy, view.overrides),
    "gateway.fleet.v1.Machine.funds": _funds,
    "gateway.fleet.v1.Machine.halted": lambda view: (
        None if view.halt is None else message(machine_pb2.Halt, view.halt)
    ),
    "gateway.fleet.v1.Machine.etag": lambda view: etag_of(view.revision),
    "gateway.fleet.v1.Halt.since": lambda view: timestamp(view.halted_at_ms),
    "gateway.fleet.v1.Refund.write_off_proposed_by": lambda view: view.proposed_by,
    "gateway.fleet.v1.Refund.write_off_proposed_reason": lambda view: view.proposed_reason,
    "gateway.fleet.v1.Refund.write_off_proposed_at": lambda view: (
        None if view.proposed_at_ms is None else timestamp(view.proposed_at_ms)
    ),
    "gateway.fleet.v1.WorkItem.since": lambda view: timestamp(view.since_at_ms),
    "gateway.fleet.v1.WorkItem.next_step": _next_step,
    "gateway.fleet.v1.Event.token": lambda view: str(view.position),
    "gateway.fleet.v1.Event.machine_version": lambda view: view.version,
}
"""Fields that are not the field of the view that has their name, by their full name."""


def machine(view: views.MachineView) -> machine_pb2.Machine:
    """Return a machine with its live state."""
    return message(machine_pb2.Machine, view)


def basic_machine(view: views.MachineView) -> machine_pb2.Machine:
    """Return a machine as a long list shows it."""
    return message(machine_pb2.Machine, view, without=COLUMNS_AND_TEXTS)


def removed(column: Column) -> machine_pb2.RemovedGoods:
    """Return what has no place in a planogram: as many of a column's product as its ``stock``."""
    return machine_pb2.RemovedGoods(
        column=plain(column.column), product=plain(column.product), quantity=column.stock
    )


def not_in_catalogue(product: str) -> str:
    """Return the warning about a product that is sold and that the catalogue does not know."""
    return (
        f"the catalogue has no product {plain(product)!r}; it is sold all the same: if it is no "
        "typo, AdoptProducts or CreateProduct brings it in"
    )


def session(view: views.SessionView) -> session_pb2.Session:
    """Return one customer's stay."""
    return message(session_pb2.Session, view)


def vend(view: views.VendView) -> session_pb2.Vend:
    """Return one selection and its outcome."""
    return message(session_pb2.Vend, view)


def timeline_entry(view: views.TimelineView) -> session_pb2.TimelineEntry:
    """Return one line of a story."""
    return message(session_pb2.TimelineEntry, view)


def trade(view: views.TradeView) -> trade_pb2.Trade:
    """Return one payment."""
    return message(trade_pb2.Trade, view)


def refund(view: views.RefundView) -> trade_pb2.Refund:
    """Return money that goes back."""
    return message(trade_pb2.Refund, view)


def balance(view: views.BalanceView) -> trade_pb2.Balance:
    """Return all money of one currency."""
    return message(trade_pb2.Balance, view)


def reconciliation(view: views.ReconciliationView) -> trade_pb2.Reconciliation:
    """Return one of Alipay's daily files that was held against the ledger."""
    return message(trade_pb2.Reconciliation, view)


def work_item(view: views.WorkItemView, now_ms: int) -> work_item_pb2.WorkItem:
    """Return something that waits for a person, with what ends it."""
    age_seconds = max(0, now_ms - view.since_at_ms) // 1_000
    return message(work_item_pb2.WorkItem, view, age_seconds=age_seconds)


def closing(view: views.ClosingView) -> work_item_pb2.WorkItemClosing:
    """Return how a person ended a work item."""
    return message(work_item_pb2.WorkItemClosing, view)


def event(view: views.EventView) -> event_pb2.Event:
    """Return something that happened; its token is its position."""
    return message(event_pb2.Event, view)


def audit_record(view: views.AuditView) -> event_pb2.AuditRecord:
    """Return what an administrator did."""
    return message(event_pb2.AuditRecord, view)

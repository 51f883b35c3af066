"""Views become messages by the names of their fields: none is forgotten on either side."""

import inspect
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import Message

from actors.machine.policy import PolicyOverrides
from actors.machine.state import Column
from gateway.fleet import views
from gateway.fleet.v1 import event_pb2, machine_pb2, session_pb2, trade_pb2, work_item_pb2
from storage.fleet import views as stored

POSITION = {"position"}
PAIRS: list[tuple[type[Message], type[Any], set[str]]] = [
    (
        machine_pb2.Machine,
        stored.MachineView,
        {"overrides", "halt", "ordered_locks", "revision"},
    ),
    (machine_pb2.Halt, stored.HaltView, {"halted_at_ms"}),
    (machine_pb2.Policy, PolicyOverrides, set()),
    (machine_pb2.Column, Column, set()),
    (session_pb2.Session, stored.SessionView, POSITION | {"currency"}),
    (session_pb2.Vend, stored.VendView, POSITION | {"currency"}),
    (session_pb2.TimelineEntry, stored.TimelineView, set()),
    (trade_pb2.Trade, stored.TradeView, POSITION | {"currency", "closed_at_ms"}),
    (
        trade_pb2.Refund,
        stored.RefundView,
        POSITION | {"currency", "proposed_by", "proposed_reason", "proposed_at_ms"},
    ),
    (trade_pb2.Balance, stored.BalanceView, set()),
    (
        work_item_pb2.WorkItem,
        stored.WorkItemView,
        POSITION | {"currency", "since_at_ms", "advice", "proposed_by"},
    ),
    (work_item_pb2.WorkItemClosing, stored.ClosingView, {"again"}),
    (event_pb2.Event, stored.EventView, {"position", "version"}),
    (event_pb2.AuditRecord, stored.AuditView, POSITION),
]
"""Each message, its view, and the fields of the view that no field of the message is named after:
they are keys, or ``EXCEPTIONS`` says what is made of them.
"""
GIVEN = {"gateway.fleet.v1.WorkItem.age_seconds"}
"""What no view can know."""


def _said_as(name: str) -> set[str]:
    return {name, name.removesuffix("_ms"), name.removesuffix("_minor")}


@pytest.mark.parametrize(
    ("message", "view", "apart"), PAIRS, ids=lambda one: getattr(one, "__name__", "")
)
def test_each_field_of_a_message_is_one_of_its_view(
    message: type[Message], view: type[Any], apart: set[str]
) -> None:
    """By its name, or by an exception; and nothing that storage tells is lost on the way."""
    there = {field.name: field.full_name for field in message.DESCRIPTOR.fields}
    sources = {name: _said_as(name) for name in inspect.signature(view).parameters}
    by_name = {name for said in sources.values() for name in said if name in there}
    assert [] == [
        full
        for name, full in there.items()
        if name not in by_name and full not in views.EXCEPTIONS and full not in GIVEN
    ]
    assert apart == {name for name, said in sources.items() if not said & there.keys()}


def test_no_exception_is_left_over() -> None:
    """Each is about a field that is there."""
    known = {field.full_name for message, _, _ in PAIRS for field in message.DESCRIPTOR.fields}
    assert set() == views.EXCEPTIONS.keys() - known


def test_a_policy_on_the_wire_is_a_policy_of_the_core() -> None:
    """Every limit that a machine may have of its own, and no other, each of the right kind."""
    wire = {field.name: field for field in machine_pb2.Policy.DESCRIPTOR.fields}
    assert set(PolicyOverrides.__struct_fields__) == wire.keys()
    assert all(field.has_presence for field in wire.values())
    assert all(name.endswith(("_ms", "_minor")) for name in wire)


def test_a_refund_is_shown_field_by_field() -> None:
    """Times, money, enums and words, and what there is not is absent."""
    view = stored.RefundView(
        position="1:r",
        refund_id="r",
        trade_id="t",
        machine_id="VM-1",
        amount_minor=450,
        currency="HKD",
        cause="LATE_PAYMENT",
        status="REFUSED",
        last_error="gone",
        attempt_count=2,
        due_at_ms=1_500,
        next_attempt_at_ms=None,
        ended_at_ms=None,
        proposed_by="ann",
        proposed_reason="cash",
        proposed_at_ms=2_000,
    )
    shown = views.refund(view)
    assert (450, "HKD", 1_500, 2_000) == (
        shown.amount.minor,
        shown.amount.currency,
        shown.due_at.ToMilliseconds(),
        shown.write_off_proposed_at.ToMilliseconds(),
    )
    assert (trade_pb2.REFUND_STATUS_REFUSED, trade_pb2.REFUND_CAUSE_LATE_PAYMENT) == (
        shown.status,
        shown.cause,
    )
    assert not shown.HasField("ended_at")
    assert ("ann", "cash", "gone", 2) == (
        shown.write_off_proposed_by,
        shown.write_off_proposed_reason,
        shown.last_error,
        shown.attempt_count,
    )
    turned = replace(view, last_error="gone\u202e", proposed_reason="ca\u200bsh\x1b[2J")
    shown = views.refund(turned)
    assert ("gone\ufffd", "ca\ufffdsh\ufffd[2J") == (
        shown.last_error,
        shown.write_off_proposed_reason,
    )

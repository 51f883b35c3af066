"""What waits for a person has the form that ends it, where there is one."""

from typing import Any

import pytest

from gateway.fleet.v1 import session_pb2, session_service_pb2, trade_pb2, work_item_pb2
from gateway.v1 import money_pb2
from gateway.web.tables import Age, Amount, Form, Link
from gateway.web.waiting import OUTCOMES, machine_link, refunds, vends, work_items


def _act(kind: str, **more: Any) -> Form | None:
    item = work_item_pb2.WorkItem(
        item_id="i-1", kind=work_item_pb2.WorkItemKind.Value(f"WORK_ITEM_KIND_{kind}"), **more
    )
    (row,) = work_items([item]).rows
    form = row[-1]
    assert form is None or isinstance(form, Form)
    return form


@pytest.mark.parametrize(
    ("kind", "more", "act", "fields"),
    [
        ("REFUND_REFUSED", {"refund_id": "r-1"}, "retry-refund", {"refund_id": "r-1"}),
        ("REFUND_OVERDUE", {"refund_id": "r-1"}, "retry-refund", {"refund_id": "r-1"}),
        ("REFUND_UNRESOLVED", {"refund_id": "r-1"}, "retry-refund", {"refund_id": "r-1"}),
        ("VEND_IN_REVIEW", {"vend_id": "v-1"}, "settle-vend", {"vend_id": "v-1"}),
        ("PAYMENT_CONFLICT", {}, "close-work-item", {"item_id": "i-1"}),
        ("RECONCILIATION_DIFFERENCE", {}, "close-work-item", {"item_id": "i-1"}),
        ("MACHINE_ALARM", {}, "close-work-item", {"item_id": "i-1"}),
    ],
)
def test_an_item_is_ended_by_its_act(
    kind: str, more: dict[str, str], act: str, fields: dict[str, str]
) -> None:
    """By the call that its next step names."""
    form = _act(kind, **more)
    assert form is not None
    assert (act, fields) == (form.act, form.fields)


@pytest.mark.parametrize("kind", ["MACHINE_HALTED", "CODE_REFUSED", "LOADING_UNFINISHED"])
def test_what_ends_otherwise_has_no_form(kind: str) -> None:
    """Its next step says how."""
    assert _act(kind) is None


def test_outcomes_are_those_of_the_wire() -> None:
    """All but the one that says nothing."""
    assert [*session_service_pb2.VendOutcome.keys()][1:] == [*OUTCOMES]


def test_a_refund_says_how_long_it_has_been_open() -> None:
    """It is tried again where a person may do that."""
    amount = money_pb2.Money(minor=850, currency="HKD")
    due, refused = (
        trade_pb2.Refund(refund_id="r-1", machine_id="VM-1", amount=amount, status=status)
        for status in (trade_pb2.REFUND_STATUS_DUE, trade_pb2.REFUND_STATUS_REFUSED)
    )
    due.due_at.FromMilliseconds(1_000)
    refused.due_at.FromMilliseconds(1_000)
    rows = refunds([due, refused], now_ms=61_000).rows
    assert [(Amount(850, "HKD"), "due", Age(60)), (Amount(850, "HKD"), "refused", Age(60))] == [
        (row[2], row[3], row[6]) for row in rows
    ]
    assert [None, "retry-refund"] == [
        one.act if isinstance(one, Form) else one for one in (row[-1] for row in rows)
    ]


def test_a_vend_is_told_in_a_row() -> None:
    """Newest first, as asked for."""
    vend = session_pb2.Vend(vend_id="v-1", column="A1", status=session_pb2.VEND_STATUS_IN_DOUBT)
    assert [(None, "A1", "", None, "in doubt", "–", None)] == vends([vend]).rows


def test_nobodys_item_leads_nowhere() -> None:
    """A notification of an unknown machine has none."""
    assert (None, Link("VM-1", "/machines/VM-1")) == (machine_link(""), machine_link("VM-1"))

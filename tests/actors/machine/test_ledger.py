"""Double entry: each movement has two sides, and names what it is about."""

import pytest

from actors.machine import ledger
from actors.machine.ids import RefundId, TradeId, VendId
from actors.machine.ledger import Account, Transfer, TransferKind
from actors.machine.state import Reservation

TRADE, VEND, REFUND = TradeId("t-1"), VendId("VM-1-v1"), RefundId("t-1R1")
PARTS = (
    Reservation(trade_id=TRADE, amount_minor=300),
    Reservation(trade_id=TradeId("t-2"), amount_minor=200),
)
FUNDS, RESERVED, DUE = (
    (Account.CUSTOMER_FUNDS, TRADE),
    (Account.RESERVED, VEND),
    (Account.REFUND_DUE, REFUND),
)
RECEIVABLE, SALES, GOODS_OFF, REFUNDS_OFF = (
    (Account.RECEIVABLE, ""),
    (Account.SALES, ""),
    (Account.GOODS_WRITTEN_OFF, ""),
    (Account.REFUNDS_WRITTEN_OFF, ""),
)
"""Account and reference, as the table in the module's docstring names them."""


@pytest.mark.parametrize(
    ("made", "kind", "debit", "credit"),
    [
        (ledger.top_up(TRADE, 300), TransferKind.TOP_UP, RECEIVABLE, FUNDS),
        (ledger.reserve(VEND, PARTS)[0], TransferKind.RESERVE, FUNDS, RESERVED),
        (ledger.give_back(VEND, PARTS)[0], TransferKind.RETURN, RESERVED, FUNDS),
        (ledger.settle(VEND, PARTS)[0], TransferKind.SETTLE, RESERVED, SALES),
        (ledger.goodwill(VEND, TRADE, 300), TransferKind.GOODWILL, SALES, FUNDS),
        (ledger.refund_asked(REFUND, TRADE, 300), TransferKind.REFUND_ASKED, FUNDS, DUE),
        (
            ledger.refund_confirmed(REFUND, TRADE, 300),
            TransferKind.REFUND_CONFIRMED,
            DUE,
            RECEIVABLE,
        ),
        (
            ledger.refund_given_up(REFUND, TRADE, 300),
            TransferKind.REFUND_GIVEN_UP,
            DUE,
            REFUNDS_OFF,
        ),
        (ledger.write_off(VEND, 300), TransferKind.WRITE_OFF, GOODS_OFF, SALES),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Transfer) else "",
)
def test_a_transfer_debits_and_credits_what_the_table_says(
    made: Transfer, kind: TransferKind, debit: tuple[Account, str], credit: tuple[Account, str]
) -> None:
    """One of each, and what it moves."""
    assert (kind, 300) == (made.kind, made.amount_minor)
    assert ledger.is_sound(made)
    assert debit == (made.debit_account, made.debit_reference)
    assert credit == (made.credit_account, made.credit_reference)
    assert (TRADE if kind is not TransferKind.WRITE_OFF else "") == made.trade_id


def test_each_trade_of_a_vend_has_a_transfer_of_its_own() -> None:
    """Kind and cause together are unique, also where two trades pay for one vend."""
    for made in (
        ledger.reserve(VEND, PARTS),
        ledger.give_back(VEND, PARTS),
        ledger.settle(VEND, PARTS),
    ):
        assert ["VM-1-v1/t-1", "VM-1-v1/t-2"] == [one.cause for one in made]
        assert [300, 200] == [one.amount_minor for one in made]

"""Transfers as the follower reads them, made by the core's own ledger."""

from collections.abc import Iterable

from actors.machine import ledger
from actors.machine.ids import TradeId, VendId
from actors.machine.ledger import Transfer
from actors.machine.state import Reservation
from storage.insight.facts import Moved, SoldVend

NOON_MS = 1_767_240_000_000  # 2026-01-01 04:00 UTC, noon in Hong Kong
COLA = SoldVend(column="A1", product="cola", price_minor=500)
VENDS = {"v1": COLA, "v2": SoldVend(column="A2", product="tea", price_minor=300)}


def line(
    transfers: Iterable[Transfer], *, version: int = 7, at_ms: int = NOON_MS, currency: str = "HKD"
) -> list[Moved]:
    """The transfers of one line of the journal of VM-1."""
    return [
        Moved(
            position=version + 100,
            machine_id="VM-1",
            version=version,
            line=number,
            at_ms=at_ms,
            kind=one.kind.value,
            cause=one.cause,
            debit_account=one.debit_account.value,
            debit_reference=one.debit_reference,
            credit_account=one.credit_account.value,
            trade_id=one.trade_id,
            amount_minor=one.amount_minor,
            currency=currency,
        )
        for number, one in enumerate(transfers)
    ]


def settled(vend_id: str = "v1", *parts: tuple[str, int]) -> tuple[Transfer, ...]:
    """A vend happened, and these trades paid for it."""
    return ledger.settle(
        VendId(vend_id),
        [
            Reservation(trade_id=TradeId(trade), amount_minor=amount)
            for trade, amount in parts or (("t1", 500),)
        ],
    )


def given_back(vend_id: str = "v1", trade: str = "t1", amount: int = 500) -> Transfer:
    """The price of a sold vend is the customer's again."""
    return ledger.goodwill(VendId(vend_id), TradeId(trade), amount)


def written_off(vend_id: str = "v1", amount: int = 500) -> Transfer:
    """Goods fell whose price had gone back."""
    return ledger.write_off(VendId(vend_id), amount)

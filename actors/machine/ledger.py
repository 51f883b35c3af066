"""Double entry: every movement of money as one transfer whose postings sum to zero.

Accounts, one currency each (the machine's): what Alipay owes us, the customer's funds on each
trade, what is reserved for each vend, sales, what is due back under each refund, and write-off. A
posting is positive when the account's debit grows, negative when its credit grows.

| transfer | debit | credit |
|---|---|---|
| top-up | receivable | customer funds (trade) |
| reserve | customer funds (trade) | reserved (vend) |
| return | reserved (vend) | customer funds (trade) |
| settle | reserved (vend) | sales |
| goodwill | sales | customer funds (trade) |
| refund asked | customer funds (trade) | refund due (refund) |
| refund confirmed | refund due (refund) | receivable |
| refund given up | refund due (refund) | write-off |
| write off | write-off | sales |
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from actors.machine.ids import RefundId, TradeId, VendId
from actors.machine.state import Reservation


class Account(StrEnum):
    """The kinds of account; ``Posting.reference`` tells which one of a kind."""

    RECEIVABLE = "RECEIVABLE"
    CUSTOMER_FUNDS = "CUSTOMER_FUNDS"
    RESERVED = "RESERVED"
    SALES = "SALES"
    REFUND_DUE = "REFUND_DUE"
    WRITE_OFF = "WRITE_OFF"


class TransferKind(StrEnum):
    """The kinds of transfer."""

    TOP_UP = "TOP_UP"
    RESERVE = "RESERVE"
    RETURN = "RETURN"
    SETTLE = "SETTLE"
    GOODWILL = "GOODWILL"
    REFUND_ASKED = "REFUND_ASKED"
    REFUND_CONFIRMED = "REFUND_CONFIRMED"
    REFUND_GIVEN_UP = "REFUND_GIVEN_UP"
    WRITE_OFF = "WRITE_OFF"


class Posting(Struct, frozen=True, kw_only=True):
    """One line: ``amount_minor`` above zero debits the account, below zero credits it.

    ``reference`` is the trade, vend or refund id, or empty.
    """

    account: Account
    reference: str
    amount_minor: int


class Transfer(Struct, frozen=True, kw_only=True):
    """One balanced movement. ``kind`` and ``cause`` together are never used again; ``trade_id`` is
    empty for write-offs only.
    """

    kind: TransferKind
    cause: str
    trade_id: str
    postings: tuple[Posting, ...]


def _transfer(
    kind: TransferKind,
    cause: str,
    trade_id: str,
    debit: tuple[Account, str],
    credit: tuple[Account, str],
    amount_minor: int,
) -> Transfer:
    return Transfer(
        kind=kind,
        cause=cause,
        trade_id=trade_id,
        postings=(
            Posting(account=debit[0], reference=debit[1], amount_minor=amount_minor),
            Posting(account=credit[0], reference=credit[1], amount_minor=-amount_minor),
        ),
    )


def top_up(trade_id: TradeId, amount_minor: int) -> Transfer:
    """A customer paid."""
    return _transfer(
        TransferKind.TOP_UP,
        trade_id,
        trade_id,
        (Account.RECEIVABLE, ""),
        (Account.CUSTOMER_FUNDS, trade_id),
        amount_minor,
    )


def reserve(vend_id: VendId, reserved: Iterable[Reservation]) -> tuple[Transfer, ...]:
    """The price of a vend is held, trade by trade."""
    return tuple(
        _transfer(
            TransferKind.RESERVE,
            f"{vend_id}/{part.trade_id}",
            part.trade_id,
            (Account.CUSTOMER_FUNDS, part.trade_id),
            (Account.RESERVED, vend_id),
            part.amount_minor,
        )
        for part in reserved
    )


def give_back(vend_id: VendId, reserved: Iterable[Reservation]) -> tuple[Transfer, ...]:
    """The vend did not happen."""
    return tuple(
        _transfer(
            TransferKind.RETURN,
            f"{vend_id}/{part.trade_id}",
            part.trade_id,
            (Account.RESERVED, vend_id),
            (Account.CUSTOMER_FUNDS, part.trade_id),
            part.amount_minor,
        )
        for part in reserved
    )


def settle(vend_id: VendId, reserved: Iterable[Reservation]) -> tuple[Transfer, ...]:
    """The vend happened."""
    return tuple(
        _transfer(
            TransferKind.SETTLE,
            f"{vend_id}/{part.trade_id}",
            part.trade_id,
            (Account.RESERVED, vend_id),
            (Account.SALES, ""),
            part.amount_minor,
        )
        for part in reserved
    )


def goodwill(vend_id: VendId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """The price of sold goods is the customer's again, once for each vend and trade."""
    return _transfer(
        TransferKind.GOODWILL,
        f"{vend_id}/{trade_id}",
        trade_id,
        (Account.SALES, ""),
        (Account.CUSTOMER_FUNDS, trade_id),
        amount_minor,
    )


def refund_asked(refund_id: RefundId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """Money is due back."""
    return _transfer(
        TransferKind.REFUND_ASKED,
        refund_id,
        trade_id,
        (Account.CUSTOMER_FUNDS, trade_id),
        (Account.REFUND_DUE, refund_id),
        amount_minor,
    )


def refund_confirmed(refund_id: RefundId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """Alipay gave it back."""
    return _transfer(
        TransferKind.REFUND_CONFIRMED,
        refund_id,
        trade_id,
        (Account.REFUND_DUE, refund_id),
        (Account.RECEIVABLE, ""),
        amount_minor,
    )


def refund_given_up(refund_id: RefundId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """Alipay refused for good, and a person gave it up."""
    return _transfer(
        TransferKind.REFUND_GIVEN_UP,
        refund_id,
        trade_id,
        (Account.REFUND_DUE, refund_id),
        (Account.WRITE_OFF, ""),
        amount_minor,
    )


def write_off(vend_id: VendId, amount_minor: int) -> Transfer:
    """Goods were delivered and their price had already been given back."""
    return _transfer(
        TransferKind.WRITE_OFF,
        vend_id,
        "",
        (Account.WRITE_OFF, ""),
        (Account.SALES, ""),
        amount_minor,
    )

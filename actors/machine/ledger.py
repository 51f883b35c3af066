"""Double entry: every movement of money is one transfer, a line that debits one account and credits
another by the same amount, so that no transfer can be out of balance.

Accounts, one currency each (the machine's): what Alipay owes us, the customer's funds on each
trade, what is reserved for each vend, sales, what is due back under each refund, goods that were
written off (given without money) and refunds that were written off (money kept).

| transfer | debit | credit |
|---|---|---|
| top-up | receivable | customer funds (trade) |
| reserve | customer funds (trade) | reserved (vend) |
| return | reserved (vend) | customer funds (trade) |
| settle | reserved (vend) | sales |
| goodwill | sales | customer funds (trade) |
| refund asked | customer funds (trade) | refund due (refund) |
| refund confirmed | refund due (refund) | receivable |
| refund given up | refund due (refund) | refunds written off |
| write off | goods written off | sales |
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from actors.machine.ids import RefundId, TradeId, VendId
from actors.machine.state import Reservation


class Account(StrEnum):
    """The kinds of account; a reference tells which one of a kind."""

    RECEIVABLE = "RECEIVABLE"
    CUSTOMER_FUNDS = "CUSTOMER_FUNDS"
    RESERVED = "RESERVED"
    SALES = "SALES"
    REFUND_DUE = "REFUND_DUE"
    GOODS_WRITTEN_OFF = "GOODS_WRITTEN_OFF"
    REFUNDS_WRITTEN_OFF = "REFUNDS_WRITTEN_OFF"


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


SIDES: Mapping[TransferKind, tuple[Account, Account]] = {
    TransferKind.TOP_UP: (Account.RECEIVABLE, Account.CUSTOMER_FUNDS),
    TransferKind.RESERVE: (Account.CUSTOMER_FUNDS, Account.RESERVED),
    TransferKind.RETURN: (Account.RESERVED, Account.CUSTOMER_FUNDS),
    TransferKind.SETTLE: (Account.RESERVED, Account.SALES),
    TransferKind.GOODWILL: (Account.SALES, Account.CUSTOMER_FUNDS),
    TransferKind.REFUND_ASKED: (Account.CUSTOMER_FUNDS, Account.REFUND_DUE),
    TransferKind.REFUND_CONFIRMED: (Account.REFUND_DUE, Account.RECEIVABLE),
    TransferKind.REFUND_GIVEN_UP: (Account.REFUND_DUE, Account.REFUNDS_WRITTEN_OFF),
    TransferKind.WRITE_OFF: (Account.GOODS_WRITTEN_OFF, Account.SALES),
}
"""What each kind debits and credits: the table above."""


class Transfer(Struct, frozen=True, kw_only=True):
    """One movement of ``amount_minor``, above zero: it debits one account and credits the other.

    ``kind`` and ``cause`` together are never used again. A reference is the trade, vend or refund
    id that its account is of, or empty; ``trade_id`` is empty for write-offs of goods only.
    """

    kind: TransferKind
    cause: str
    trade_id: str
    debit_account: Account
    debit_reference: str
    credit_account: Account
    credit_reference: str
    amount_minor: int


def is_sound(transfer: Transfer) -> bool:
    """Return whether a transfer moves something between the two accounts of its kind, and names
    what it is about as its kind does.
    """
    debit, credit = SIDES[transfer.kind]
    return (
        transfer.amount_minor > 0
        and transfer.debit_account is debit
        and transfer.credit_account is credit
        and _fits(transfer, debit, transfer.debit_reference)
        and _fits(transfer, credit, transfer.credit_reference)
        and _is_about(transfer)
    )


def _fits(transfer: Transfer, account: Account, reference: str) -> bool:
    if account is _FUNDS:
        return reference == transfer.trade_id != ""
    if account is _RESERVED:
        return transfer.cause == f"{reference}/{transfer.trade_id}"
    if account is _DUE:
        return transfer.cause == reference
    return reference == ""


def _is_about(transfer: Transfer) -> bool:
    kind = transfer.kind
    if kind is _TOP_UP:
        return transfer.cause == transfer.trade_id
    if kind is _GOODWILL:
        return transfer.cause.endswith(f"/{transfer.trade_id}")
    return (transfer.trade_id == "") is (kind is _WRITE_OFF)


_TOP_UP, _GOODWILL = TransferKind.TOP_UP, TransferKind.GOODWILL
_WRITE_OFF, _RESERVE, _SETTLE = (
    TransferKind.WRITE_OFF,
    TransferKind.RESERVE,
    TransferKind.SETTLE,
)
_FUNDS, _RESERVED, _DUE = Account.CUSTOMER_FUNDS, Account.RESERVED, Account.REFUND_DUE


def _transfer(
    kind: TransferKind, cause: str, trade_id: str, debit: str, credit: str, amount_minor: int
) -> Transfer:
    """Return a transfer between the accounts of its kind, under these references."""
    debit_account, credit_account = SIDES[kind]
    return Transfer(
        kind=kind,
        cause=cause,
        trade_id=trade_id,
        debit_account=debit_account,
        debit_reference=debit,
        credit_account=credit_account,
        credit_reference=credit,
        amount_minor=amount_minor,
    )


def top_up(trade_id: TradeId, amount_minor: int) -> Transfer:
    """A customer paid."""
    return _transfer(TransferKind.TOP_UP, trade_id, trade_id, "", trade_id, amount_minor)


def reserve(vend_id: VendId, reserved: Iterable[Reservation]) -> tuple[Transfer, ...]:
    """The price of a vend is held, trade by trade."""
    kind = _RESERVE
    return tuple(
        [
            _transfer(
                kind, _of(vend_id, part), part.trade_id, part.trade_id, vend_id, part.amount_minor
            )
            for part in reserved
        ]
    )


def give_back(vend_id: VendId, reserved: Iterable[Reservation]) -> tuple[Transfer, ...]:
    """The vend did not happen."""
    kind = TransferKind.RETURN
    return tuple(
        _transfer(
            kind, _of(vend_id, part), part.trade_id, vend_id, part.trade_id, part.amount_minor
        )
        for part in reserved
    )


def settle(vend_id: VendId, reserved: Iterable[Reservation]) -> tuple[Transfer, ...]:
    """The vend happened."""
    kind = _SETTLE
    return tuple(
        [
            _transfer(kind, _of(vend_id, part), part.trade_id, vend_id, "", part.amount_minor)
            for part in reserved
        ]
    )


def _of(vend_id: VendId, part: Reservation) -> str:
    return f"{vend_id}/{part.trade_id}"


def goodwill(vend_id: VendId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """The price of sold goods is the customer's again, once for each vend and trade."""
    cause = f"{vend_id}/{trade_id}"
    return _transfer(TransferKind.GOODWILL, cause, trade_id, "", trade_id, amount_minor)


def refund_asked(refund_id: RefundId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """Money is due back."""
    kind = TransferKind.REFUND_ASKED
    return _transfer(kind, refund_id, trade_id, trade_id, refund_id, amount_minor)


def refund_confirmed(refund_id: RefundId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """Alipay gave it back."""
    kind = TransferKind.REFUND_CONFIRMED
    return _transfer(kind, refund_id, trade_id, refund_id, "", amount_minor)


def refund_given_up(refund_id: RefundId, trade_id: TradeId, amount_minor: int) -> Transfer:
    """Alipay refused for good, and a person gave it up."""
    kind = TransferKind.REFUND_GIVEN_UP
    return _transfer(kind, refund_id, trade_id, refund_id, "", amount_minor)


def write_off(vend_id: VendId, amount_minor: int) -> Transfer:
    """Goods were delivered and their price had already been given back."""
    return _transfer(TransferKind.WRITE_OFF, vend_id, "", "", "", amount_minor)

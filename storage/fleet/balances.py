"""Balances, from the ledger alone: the rows of trades and sessions are for reading, the ledger is
what counts.
"""

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, cast, func, or_, select

from actors.machine.ledger import SIDES, Account, TransferKind
from storage.fleet.views import BalanceView
from storage.tables import transfers

c = transfers.c


def read_balances(connection: Connection, machine_id: str) -> list[BalanceView]:
    """Return the money of one machine, or of all if ``machine_id`` is empty, by currency."""
    ours: list[ColumnElement[bool]] = [c.machine_id == machine_id] if machine_id else []
    # PostgreSQL sums 64-bit integers to a decimal number; it is an integer here.
    total = cast(func.sum(c.amount_minor), BigInteger)
    sums: dict[str, dict[str, int]] = {}
    known = c.kind.in_([kind.value for kind in TransferKind])
    grouped = select(c.currency, c.kind, total).where(*ours, known).group_by(c.currency, c.kind)
    for currency, kind, amount_minor in connection.execute(grouped):
        sums.setdefault(currency, {})[kind] = amount_minor
    sound = or_(*map(_as_its_kind, TransferKind))
    crooked = select(c.currency).where(*ours, or_(c.amount_minor <= 0, ~sound)).distinct()
    unbalanced = frozenset(connection.scalars(crooked))
    return [
        _balance(currency, sums[currency], balanced=currency not in unbalanced)
        for currency in sorted(sums)
    ]


def _as_its_kind(kind: TransferKind) -> ColumnElement[bool]:
    debit, credit = SIDES[kind]
    return and_(
        c.kind == kind.value,
        c.debit_account == debit.value,
        c.credit_account == credit.value,
    )


def _balance(currency: str, sums: dict[str, int], *, balanced: bool) -> BalanceView:
    def of_account(*accounts: Account) -> int:
        """What these accounts have been credited, less what they have been debited."""
        return sum(
            amount * ((SIDES[kind][1] in accounts) - (SIDES[kind][0] in accounts))
            for kind, amount in ((TransferKind(name), amount) for name, amount in sums.items())
        )

    return BalanceView(
        currency=currency,
        money_in_minor=sums.get(TransferKind.TOP_UP, 0),
        money_sold_minor=of_account(Account.SALES),
        money_refunded_minor=sums.get(TransferKind.REFUND_CONFIRMED, 0),
        money_held_minor=of_account(Account.CUSTOMER_FUNDS, Account.RESERVED),
        refunds_open_minor=of_account(Account.REFUND_DUE),
        goods_written_off_minor=-of_account(Account.GOODS_WRITTEN_OFF),
        refunds_written_off_minor=of_account(Account.REFUNDS_WRITTEN_OFF),
        ledger_balanced=balanced,
    )

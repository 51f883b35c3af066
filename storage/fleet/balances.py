"""Balances, from the ledger alone: the rows of trades and sessions are for reading, the ledger is
what counts.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select

from actors.machine.ledger import Account, TransferKind
from storage.fleet.views import BalanceView
from storage.tables import ledger_entries

entry = ledger_entries.c


def read_balances(connection: Connection, machine_id: str) -> list[BalanceView]:
    """Return the money of one machine, or of all if ``machine_id`` is empty, by currency."""
    ours: list[ColumnElement[bool]] = [entry.machine_id == machine_id] if machine_id else []
    # PostgreSQL sums 64-bit integers to a decimal number; it is an integer here.
    total = cast(func.sum(entry.amount_minor), BigInteger)
    sums: dict[str, dict[tuple[str, str], int]] = {}
    grouped = (
        select(entry.currency, entry.kind, entry.account, total)
        .where(*ours)
        .group_by(entry.currency, entry.kind, entry.account)
    )
    for currency, kind, account, amount_minor in connection.execute(grouped):
        sums.setdefault(currency, {})[kind, account] = amount_minor
    crooked = (
        select(entry.currency)
        .where(*ours)
        .group_by(entry.currency, entry.machine_id, entry.version, entry.kind, entry.cause)
        .having(func.sum(entry.amount_minor) != 0)
        .distinct()
    )
    unbalanced: set[Any] = set(connection.scalars(crooked))
    return [_balance(currency, sums[currency], unbalanced) for currency in sorted(sums)]


def _balance(currency: str, sums: dict[tuple[str, str], int], unbalanced: set[Any]) -> BalanceView:
    def of_account(*accounts: Account) -> int:
        return sum(amount for (_, account), amount in sums.items() if account in accounts)

    return BalanceView(
        currency=currency,
        money_in_minor=sums.get((TransferKind.TOP_UP, Account.RECEIVABLE), 0),
        money_sold_minor=-of_account(Account.SALES),
        money_refunded_minor=-sums.get((TransferKind.REFUND_CONFIRMED, Account.RECEIVABLE), 0),
        money_held_minor=-of_account(Account.CUSTOMER_FUNDS, Account.RESERVED),
        refunds_open_minor=-of_account(Account.REFUND_DUE),
        written_off_minor=of_account(Account.WRITE_OFF),
        ledger_balanced=currency not in unbalanced and sum(sums.values()) == 0,
    )

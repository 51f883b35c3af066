"""Balances: what each commit added up beside the ledger, for each machine and day. The audit proves
that it is what the transfers say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select

from actors.machine.ledger import Account
from storage.fleet.views import BalanceView
from storage.tables import balances

c = balances.c
Sums = dict[str, tuple[int, int]]
"""Of each account, what was debited and what was credited."""


def read_balances(connection: Connection, machine_id: str) -> list[BalanceView]:
    """Return the money of one machine, or of all if ``machine_id`` is empty, by currency."""
    ours: list[ColumnElement[bool]] = [c.machine_id == machine_id] if machine_id else []
    return views(read_totals(connection, ours))


@dataclass(frozen=True, slots=True)
class Totals:
    """What some days of some machines say. ``crooked``: the currencies in which a day of a machine
    was not debited what it was credited.
    """

    sums: Mapping[str, Sums] = field(default_factory=dict)
    crooked: frozenset[str] = frozenset()

    def __add__(self, other: "Totals") -> "Totals":
        sums = {currency: dict(of) for currency, of in self.sums.items()}
        for currency, of in other.sums.items():
            mine = sums.setdefault(currency, {})
            for account, (debit, credit) in of.items():
                before = mine.get(account, (0, 0))
                mine[account] = (before[0] + debit, before[1] + credit)
        return Totals(sums, self.crooked | other.crooked)

    def __sub__(self, other: "Totals") -> "Totals":
        less = {
            currency: {account: (-debit, -credit) for account, (debit, credit) in of.items()}
            for currency, of in other.sums.items()
        }
        return self + Totals(less)


def read_totals(connection: Connection, where: Sequence[ColumnElement[bool]]) -> Totals:
    """Return what the rows say that fulfil all conditions."""
    # PostgreSQL sums 64-bit integers to a decimal number; it is an integer here.
    debit, credit = (cast(func.sum(one), BigInteger) for one in (c.debit_minor, c.credit_minor))
    sums: dict[str, Sums] = {}
    grouped = select(c.currency, c.account, debit, credit).where(*where)
    for currency, account, *both in connection.execute(grouped.group_by(c.currency, c.account)):
        sums.setdefault(currency, {})[account] = (both[0], both[1])
    # In the order of the key, and a machine has one currency: nothing is sorted.
    crooked = (
        select(func.min(c.currency))
        .where(*where)
        .group_by(c.machine_id, c.day)
        .having(func.sum(c.debit_minor) != func.sum(c.credit_minor))
    )
    return Totals(sums, frozenset(connection.scalars(crooked)))


def views(totals: Totals) -> list[BalanceView]:
    """Return them by currency."""
    return [
        _balance(currency, totals.sums[currency], balanced=currency not in totals.crooked)
        for currency in sorted(totals.sums)
    ]


def _balance(currency: str, sums: Sums, *, balanced: bool) -> BalanceView:
    def credited(*accounts: Account) -> int:
        """What these accounts have been credited, less what they have been debited."""
        of_each = (sums.get(account, (0, 0)) for account in accounts)
        return sum(credit - debit for debit, credit in of_each)

    money_in_minor, money_refunded_minor = sums.get(Account.RECEIVABLE, (0, 0))
    return BalanceView(
        currency=currency,
        money_in_minor=money_in_minor,
        money_sold_minor=credited(Account.SALES),
        money_refunded_minor=money_refunded_minor,
        money_held_minor=credited(Account.CUSTOMER_FUNDS, Account.RESERVED),
        refunds_open_minor=credited(Account.REFUND_DUE),
        goods_written_off_minor=-credited(Account.GOODS_WRITTEN_OFF),
        refunds_written_off_minor=credited(Account.REFUNDS_WRITTEN_OFF),
        ledger_balanced=balanced,
    )

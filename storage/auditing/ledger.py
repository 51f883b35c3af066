"""The ledger by itself: every transfer has the two sides of its kind, is entered once, stands on an
event of the journal, and the balances beside it and the totals of the fleet are its sums.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    Subquery,
    Table,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from actors.machine.ledger import SIDES, Account, TransferKind
from storage.auditing.findings import Finding
from storage.auditing.reading import Books, Span, is_here, made_once, total
from storage.fleet.fleet_totals import moved_behind, read_standing
from storage.machines.rows import DAY_MS
from storage.tables import balances, journal, machines, refunds, sessions, trades, transfers, vends

transfer = transfers.c

_MONEY: tuple[tuple[Table, str], ...] = (
    (transfers, "transfers"),
    (balances, "balances"),
    (trades, "trades"),
    (vends, "vends"),
    (refunds, "refunds"),
    (sessions, "sessions"),
)


def transfers_are_balanced(books: Books) -> Iterator[int | Finding]:
    """Every transfer debits one account and credits another by the same amount above zero: the two
    accounts of its kind, under what it is about.
    """
    yield books.count(transfers)
    for row in books.odd_ones(_unbalanced()):
        debit = f"{row.debit_account} {row.debit_reference}".rstrip()
        credit = f"{row.credit_account} {row.credit_reference}".rstrip()
        yield Finding(
            sentence=(
                f"{row.kind} {row.cause} of machine {row.machine_id} (version {row.version}) moves "
                f"{row.amount_minor} {row.currency} from {debit} to {credit}, which is no such "
                "transfer"
            ),
            machine_id=row.machine_id,
            currency=row.currency,
            amounts={"amount_minor": row.amount_minor},
        )


@made_once
def _unbalanced() -> Select[Any]:
    columns = ("machine_id", "version", "kind", "cause", "amount_minor", "currency")
    accounts = ("debit_account", "debit_reference", "credit_account", "credit_reference")
    return (
        select(*transfers.c[*columns, *accounts])
        .where(or_(transfer.amount_minor <= 0, ~or_(*map(_as_its_kind, TransferKind))))
        .order_by(transfer.machine_id, transfer.version, transfer.line)
    )


def _as_its_kind(kind: TransferKind) -> ColumnElement[bool]:
    """Return the condition that a transfer is of this kind and has its sides. References follow
    from trade and cause, which is ``<refund>``, or ``<vend>/<trade>`` where trades pay for a vend.
    """
    c = transfer
    sides = zip(("debit", "credit"), SIDES[kind], strict=True)
    of_no_trade = kind is TransferKind.WRITE_OFF
    conditions = [c.kind == kind.value, c.trade_id == "" if of_no_trade else c.trade_id != ""]
    if kind is TransferKind.TOP_UP:
        conditions.append(c.cause == c.trade_id)
    for side, account in sides:
        conditions.append(c[f"{side}_account"] == account.value)
        which = c[f"{side}_reference"]
        match account:
            case Account.CUSTOMER_FUNDS:
                conditions.append(and_(which == c.trade_id, which != ""))
            case Account.RESERVED:
                conditions.append(c.cause == which.concat("/").concat(c.trade_id))
            case Account.REFUND_DUE:
                conditions.append(c.cause == which)
            case _:
                conditions.append(which == "")
    return and_(*conditions)


def money_is_in_its_machines_currency(books: Books) -> Iterator[int | Finding]:
    """A machine's money is in one currency, the machine's own, wherever it is written."""
    for table, name in _MONEY:
        for span in books.spans:
            yield books.count(table, span.holds(table.c.machine_id))
            for row in books.odd_ones(_foreign(table, span)):
                own = "is not registered" if row.own is None else f"has {row.own}"
                yield Finding(
                    sentence=(
                        f"{row.rows} {name} of machine {row.machine_id} are in {row.currency}, and "
                        f"the machine {own}"
                    ),
                    machine_id=row.machine_id,
                    currency=row.currency,
                )


@made_once
def _foreign(table: Table, span: Span) -> Select[Any]:
    return (
        select(
            *table.c["machine_id", "currency"],
            machines.c.currency.label("own"),
            func.count().label("rows"),
        )
        .select_from(table.outerjoin(machines, machines.c.machine_id == table.c.machine_id))
        .where(
            span.holds(table.c.machine_id),
            or_(machines.c.currency.is_(None), machines.c.currency != table.c.currency),
        )
        .group_by(*table.c["machine_id", "currency"], machines.c.currency)
    )


_ENDS = (
    (("SETTLE", "RETURN"), "end of a reservation"),
    (("REFUND_CONFIRMED", "REFUND_GIVEN_UP"), "end of a refund"),
)
"""Kinds that exclude each other: a reservation is settled or returned, a refund done or given up.
"""


def a_cause_is_entered_once(books: Books) -> Iterator[int | Finding]:
    """No cause is entered twice: one kind of transfer with one cause is made once, for ever, and
    only one of two that exclude each other.
    """
    yield books.count(transfers)
    for row in books.odd_ones(_entered_twice()):
        yield Finding(
            sentence=(
                f"{row.cause} is entered {row.times} times as {row.what}, with {row.sum} in all "
                f"(machine {row.machine_id})"
            ),
            machine_id=row.machine_id,
            amounts={"sum_minor": row.sum},
        )


@made_once
def _entered_twice() -> Select[Any]:
    what = case(
        *((transfer.kind.in_(kinds), literal(name)) for kinds, name in _ENDS), else_=transfer.kind
    )
    return (
        select(
            what.label("what"),
            transfer.cause,
            func.count().label("times"),
            func.min(transfer.machine_id).label("machine_id"),
            total(transfer.amount_minor).label("sum"),
        )
        .group_by(what, transfer.cause)
        .having(func.count() > 1)
    )


def transfers_stand_on_events(books: Books) -> Iterator[int | Finding]:
    """Every transfer belongs to a line of the journal: the event that moved the money, at the same
    time.
    """
    line = journal.c
    yield books.count(transfers)
    decided = and_(line.machine_id == transfer.machine_id, line.version == transfer.version)
    without = (
        select(
            *transfers.c["machine_id", "version", "kind", "cause", "amount_minor", "currency"],
            line.id.label("line_id"),
        )
        .select_from(transfers.outerjoin(journal, decided))
        .where(
            or_(line.id.is_(None), line.at_ms != transfer.at_ms),
            # A trade that went on later keeps its transfers, of which the lines may be elsewhere.
            is_here(transfer.machine_id, transfer.version),
        )
        .order_by(transfer.machine_id, transfer.version, transfer.line)
    )
    for row in books.odd_ones(without):
        there = (
            "no line of the journal"
            if row.line_id is None
            else "a line of the journal with another time"
        )
        yield Finding(
            sentence=(
                f"{row.kind} {row.cause} of {row.amount_minor} {row.currency} has {there} (machine "
                f"{row.machine_id}, version {row.version})"
            ),
            machine_id=row.machine_id,
            currency=row.currency,
            amounts={"amount_minor": row.amount_minor},
        )


def balances_equal_the_transfers(books: Books) -> Iterator[int | Finding]:
    """The balances of each machine, day and account are what its transfers debit and credit."""
    kept = balances.c
    for span in books.spans:
        yield books.count(balances, span.holds(kept.machine_id))
        for wrong in _wrong_balances(span):
            for row in books.odd_ones(wrong):
                yield _balance_finding(row)


_OF_A_DAY = ("machine_id", "day", "account", "currency")
_SUMS = ("debit_minor", "credit_minor")


@made_once
def _wrong_balances(span: Span) -> tuple[Select[Any], ...]:
    """Return what finds balances that are not the transfers' sums, and sums without a balance."""
    said = select(balances).where(span.holds(balances.c.machine_id)).subquery("said")
    moved = _moved_each_day(span)
    sums = [func.coalesce(of.c[name], 0) for of in (said, moved) for name in _SUMS]
    differs = or_(moved.c.machine_id.is_(None), sums[0] != sums[2], sums[1] != sums[3])
    return tuple(
        select(
            *(one.c[name] for name in _OF_A_DAY),
            *(amount.label(f"sum_{number}") for number, amount in enumerate(sums)),
        )
        .select_from(
            one.outerjoin(other, and_(*(one.c[name] == other.c[name] for name in _OF_A_DAY)))
        )
        .where(wrong)
        .order_by(*(one.c[name] for name in _OF_A_DAY))
        for one, other, wrong in (
            (said, moved, differs),
            (moved, said, said.c.machine_id.is_(None)),
        )
    )


def _moved_each_day(span: Span) -> Subquery:
    day = transfer.at_ms // DAY_MS
    nothing = literal(0, BigInteger)
    sides = union_all(
        *(
            select(
                transfer.machine_id,
                day.label("day"),
                account.label("account"),
                transfer.currency,
                debit.label("debit_minor"),
                credit.label("credit_minor"),
            ).where(span.holds(transfer.machine_id), is_here(transfer.machine_id, transfer.version))
            for account, debit, credit in (
                (transfer.debit_account, transfer.amount_minor, nothing),
                (transfer.credit_account, nothing, transfer.amount_minor),
            )
        )
    ).subquery()
    key = [sides.c[name] for name in _OF_A_DAY]
    sums = (total(sides.c[name]).label(name) for name in _SUMS)
    return select(*key, *sums).group_by(*key).subquery("moved")


def _balance_finding(row: Row[Any]) -> Finding:
    said, moved = (row.sum_0, row.sum_1), (row.sum_2, row.sum_3)
    return Finding(
        sentence=(
            f"the balance of machine {row.machine_id} on day {row.day}, {row.account}, says "
            f"{said[0]} debited and {said[1]} credited; its transfers say {moved[0]} and "
            f"{moved[1]} ({row.currency})"
        ),
        machine_id=row.machine_id,
        currency=row.currency,
        amounts={
            "debit_minor": said[0],
            "credit_minor": said[1],
            "ledger_debit_minor": moved[0],
            "ledger_credit_minor": moved[1],
        },
    )


def fleet_totals_equal_the_balances(books: Books) -> Iterator[int | Finding]:
    """The totals of the whole fleet, with what was moved behind them, are the sum of all balances.

    Totals that are void are nobody's answer: they are made again, and nothing is found.
    """
    standing = read_standing(books.connection)
    if standing.key is None or standing.key[1] != standing.archived:
        return
    position = standing.key[0]
    if standing.saved is None:
        yield Finding(
            sentence=f"the fleet's totals at position {position} cannot be read, or the journal "
            "ends before it"
        )
        return
    told = (standing.saved.totals + moved_behind(books.connection, position)).sums
    kept = books.balances.sums
    there = {(name, of) for sums in (told, kept) for name in sums for of in sums[name]}
    for currency, account in sorted(there):
        yield 1
        said, summed = (sums.get(currency, {}).get(account, (0, 0)) for sums in (told, kept))
        if said != summed:
            yield Finding(
                sentence=(
                    f"the fleet's totals at position {position}, with what was moved behind it, "
                    f"say of {account} {said[0]} debited and {said[1]} credited; all balances say "
                    f"{summed[0]} and {summed[1]} ({currency})"
                ),
                currency=currency,
                amounts={
                    "debit_minor": said[0],
                    "credit_minor": said[1],
                    "balances_debit_minor": summed[0],
                    "balances_credit_minor": summed[1],
                },
            )

"""The ledger by itself: every transfer has the two sides of its kind, is entered once, and stands
on an event of the journal.
"""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Table, and_, case, func, literal, or_, select

from actors.machine.ledger import SIDES, Account, TransferKind
from storage.auditing.findings import Finding
from storage.auditing.reading import Books, total
from storage.tables import journal, machines, refunds, sessions, trades, transfers, vends

transfer = transfers.c

_MONEY: tuple[tuple[Table, str], ...] = (
    (transfers, "transfers"),
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
    columns = ("machine_id", "version", "kind", "cause", "amount_minor", "currency")
    accounts = ("debit_account", "debit_reference", "credit_account", "credit_reference")
    wanted = (
        select(*transfers.c[*columns, *accounts])
        .where(or_(transfer.amount_minor <= 0, ~or_(*map(_as_its_kind, TransferKind))))
        .order_by(transfer.machine_id, transfer.version, transfer.line)
    )
    for row in books.odd_ones(wanted):
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


def _as_its_kind(kind: TransferKind) -> ColumnElement[bool]:
    """Return the condition that a transfer is of this kind and has its sides. References follow
    from trade and cause, which is ``<refund>``, or ``<vend>/<trade>`` where trades pay for a vend.
    """
    c = transfer
    sides = zip(("debit", "credit"), SIDES[kind], strict=True)
    conditions = [c.kind == kind.value]
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
            ours = span.holds(table.c.machine_id)
            yield books.count(table, ours)
            foreign = (
                select(
                    *table.c["machine_id", "currency"],
                    machines.c.currency.label("own"),
                    func.count().label("rows"),
                )
                .select_from(table.outerjoin(machines, machines.c.machine_id == table.c.machine_id))
                .where(
                    ours,
                    or_(machines.c.currency.is_(None), machines.c.currency != table.c.currency),
                )
                .group_by(*table.c["machine_id", "currency"], machines.c.currency)
            )
            for row in books.odd_ones(foreign):
                own = "is not registered" if row.own is None else f"has {row.own}"
                yield Finding(
                    sentence=(
                        f"{row.rows} {name} of machine {row.machine_id} are in {row.currency}, and "
                        f"the machine {own}"
                    ),
                    machine_id=row.machine_id,
                    currency=row.currency,
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
    what = case(
        *((transfer.kind.in_(kinds), literal(name)) for kinds, name in _ENDS), else_=transfer.kind
    )
    yield books.count(transfers)
    twice = (
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
    for row in books.odd_ones(twice):
        yield Finding(
            sentence=(
                f"{row.cause} is entered {row.times} times as {row.what}, with {row.sum} in all "
                f"(machine {row.machine_id})"
            ),
            machine_id=row.machine_id,
            amounts={"sum_minor": row.sum},
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
        .where(or_(line.id.is_(None), line.at_ms != transfer.at_ms))
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

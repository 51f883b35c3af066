"""The ledger by itself: every movement has two sides, is entered once, and stands on an event of
the journal.
"""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Table, and_, func, or_, select

from storage.auditing.findings import Finding
from storage.auditing.reading import Books, total
from storage.tables import journal, ledger_entries, machines, refunds, sessions, trades, vends

entry = ledger_entries.c

_MONEY: tuple[tuple[Table, str], ...] = (
    (ledger_entries, "ledger entries"),
    (trades, "trades"),
    (vends, "vends"),
    (refunds, "refunds"),
    (sessions, "sessions"),
)


def transfers_sum_to_zero(books: Books) -> Iterator[int | Finding]:
    """Every transfer of the ledger has two sides that sum to zero."""
    transfer = (entry.machine_id, entry.version, entry.kind, entry.cause)
    for span in books.spans:
        ours = span.holds(entry.machine_id)
        grouped = select(
            *transfer,
            func.min(entry.currency).label("currency"),
            total(entry.amount_minor).label("sum"),
        ).where(ours)
        grouped = grouped.group_by(*transfer)
        yield books.count(ledger_entries, ours)
        for row in books.odd_ones(
            grouped.having(or_(func.sum(entry.amount_minor) != 0, func.count() < 2))
        ):
            yield Finding(
                sentence=(
                    f"{row.kind} {row.cause} of machine {row.machine_id} (version {row.version}) "
                    f"sums to {row.sum}, not to zero"
                ),
                machine_id=row.machine_id,
                currency=row.currency,
                amounts={"sum_minor": row.sum},
            )


def currencies_sum_to_zero(books: Books) -> Iterator[int | Finding]:
    """Each currency's entries sum to zero."""
    grouped = select(
        entry.currency, func.count().label("entries"), total(entry.amount_minor).label("sum")
    ).group_by(entry.currency)
    for row in books.connection.execute(grouped.order_by(entry.currency)):
        yield row.entries
        if row.sum != 0:
            yield Finding(
                sentence=(
                    f"all {row.entries} entries in {row.currency} sum to {row.sum}, not to zero"
                ),
                currency=row.currency,
                amounts={"sum_minor": row.sum},
            )


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


def a_cause_is_entered_once(books: Books) -> Iterator[int | Finding]:
    """No cause is entered twice: one kind of movement with one cause touches an account once, for
    ever.
    """
    key = (entry.kind, entry.cause, entry.account)
    yield books.count(ledger_entries)
    twice = (
        select(
            *key,
            func.count().label("times"),
            func.min(entry.machine_id).label("machine_id"),
            total(entry.amount_minor).label("sum"),
        )
        .group_by(*key)
        .having(func.count() > 1)
    )
    for row in books.odd_ones(twice):
        yield Finding(
            sentence=(
                f"{row.kind} {row.cause} touches {row.account} {row.times} times, with {row.sum} "
                f"in all (machine {row.machine_id})"
            ),
            machine_id=row.machine_id,
            amounts={"sum_minor": row.sum},
        )


def entries_stand_on_events(books: Books) -> Iterator[int | Finding]:
    """Every entry belongs to a line of the journal: the event that moved the money, written by the
    same owner at the same time.
    """
    line = journal.c
    yield books.count(ledger_entries)
    without = (
        select(
            *ledger_entries.c[
                "machine_id", "version", "kind", "cause", "account", "amount_minor", "currency"
            ],
            line.id.label("line_id"),
        )
        .select_from(ledger_entries.outerjoin(journal, _same_decision()))
        .where(
            or_(
                line.id.is_(None),
                line.epoch != entry.epoch,
                line.partition != entry.partition,
                line.at_ms != entry.at_ms,
            )
        )
        .order_by(entry.machine_id, entry.version, entry.line)
    )
    for row in books.odd_ones(without):
        there = (
            "no line of the journal"
            if row.line_id is None
            else "a line of the journal with another owner or time"
        )
        yield Finding(
            sentence=f"{row.kind} {row.cause} on {row.account}, {row.amount_minor} "
            f"{row.currency}, has "
            f"{there}"
            f" (machine {row.machine_id}, version {row.version})",
            machine_id=row.machine_id,
            currency=row.currency,
            amounts={"amount_minor": row.amount_minor},
        )


def _same_decision() -> ColumnElement[bool]:
    return and_(journal.c.machine_id == entry.machine_id, journal.c.version == entry.version)

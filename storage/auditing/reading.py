"""How an audit reads: everything in one read transaction, in pieces of bounded size, so that a
large database is never loaded whole.

A piece is a span of machines, because every row of money names its machine and stands in an index
under it; or a page of a table in the order of its numbers. What a span's rows add up to is left to
the database; only what does not fit comes back.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
)

from actors.machine import MachineState
from actors.machine.ledger import Account
from storage import codec
from storage.auditing.starts import Start, start_of
from storage.fleet.balances import Totals, read_totals
from storage.machines.loading import state_of
from storage.tables import machine_states, machines, starts, transfers

MACHINES_AT_ONCE = 200
ROWS_AT_ONCE = 1_000
ODD_ONES_AT_ONCE = 101
"""One more than anybody reads of a check: a statement that looks for what does not fit returns at
most this many.
"""


made_once = functools.lru_cache(maxsize=64)
"""Keeps the statements that a function makes of the same spans and tables: to make one costs more
than to run it on few rows, and a small database is one span, the same in each audit.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Machines in the order of their ids: behind ``after``, up to ``upto``; None is open, so that
    all spans together hold every id.
    """

    after: str | None
    upto: str | None

    def holds(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that a machine's id is in the span."""
        return _holds(self, column)


@made_once
def _holds(span: Span, column: ColumnElement[str]) -> ColumnElement[bool]:
    bounds = [column > span.after] if span.after is not None else []
    if span.upto is not None:
        bounds.append(column <= span.upto)
    return and_(true(), *bounds)


class Books:
    """One moment of the database. ``now_ms`` is the time of the audit, for the ages of what is
    open.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        now_ms: int,
        partition_count: int,
        own_ids: frozenset[str] = frozenset(),
    ) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self.partition_count = partition_count
        self.own_ids = own_ids
        """Ids that look like a buyer's and are the operator's own, such as the partner id."""
        self.spans = tuple(self._spans())
        self.starts: dict[str, Start] = {
            row.machine_id: start_of(row) for row in connection.execute(select(starts))
        }
        """Where the books of a machine begin, if not with its first line. The row without a machine
        is that of ``audit``.
        """
        self.links: dict[str, str] = {}
        """The state of each machine's stream at its last line, once the journal was followed."""

    @functools.cached_property
    def balances(self) -> Totals:
        """What all days of all machines say, summed once for all who ask."""
        return read_totals(self.connection, ())

    def _spans(self) -> Iterator[Span]:
        after: str | None = None
        ids = select(machines.c.machine_id).order_by(machines.c.machine_id)
        while True:
            page = self.connection.scalars(
                ids.where(Span(after, None).holds(machines.c.machine_id)).limit(MACHINES_AT_ONCE)
            ).all()
            if len(page) < MACHINES_AT_ONCE:
                yield Span(after, None)
                return
            yield Span(after, page[-1])
            after = page[-1]

    def count(self, table: Table, *conditions: ColumnElement[bool]) -> int:
        """Return how many rows there are."""
        return self.connection.scalar(_counted(table, *conditions)) or 0

    def odd_ones(self, wanted: Select[Any]) -> list[Row[Any]]:
        """Return rows that do not fit, but not more than anybody reads."""
        return list(self.connection.execute(_bounded(wanted)))

    def pages(self, wanted: Select[Any], number: Column[int]) -> Iterator[list[Row[Any]]]:
        """Return all rows in the order of ``number``, which must be among the columns, page by
        page.
        """
        last = 0
        while True:
            page = list(
                self.connection.execute(
                    wanted.where(number > last).order_by(number).limit(ROWS_AT_ONCE)
                )
            )
            if not page:
                return
            yield page
            last = getattr(page[-1], number.name)

    def states(self, span: Span) -> Iterator[tuple[Row[Any], MachineState | None]]:
        """Return the registered machines of a span with what their rows say, each with its state;
        None if that cannot be read.
        """
        summary = ("version", "epoch", "partition", "active", "phase", "online")
        rows = self.connection.execute(
            select(
                machines,
                *machine_states.c["format", "body"],
                *(machine_states.c[name].label(f"state_{name}") for name in (*summary, "revision")),
            )
            .select_from(
                machines.outerjoin(
                    machine_states, machine_states.c.machine_id == machines.c.machine_id
                )
            )
            .where(span.holds(machines.c.machine_id))
            .order_by(machines.c.machine_id)
        ).all()
        for row in rows:
            try:
                yield row, state_of(row)
            except codec.CodecError:
                yield row, None


@made_once
def _counted(table: Table, *conditions: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).select_from(table).where(*conditions)


@made_once
def _bounded(wanted: Select[Any]) -> Select[Any]:
    return wanted.limit(ODD_ONES_AT_ONCE)


def is_here(machine_id: ColumnElement[str], version: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that a machine's line of this version belongs to these books: it does
    not stand in what comes before them.
    """
    before = (starts.c.machine_id == machine_id, starts.c.version >= version)
    return ~select(literal(1)).where(*before).exists()


def total(amount: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum, 0 of nothing, as the integer that it is: PostgreSQL sums 64-bit integers to a
    decimal number.
    """
    return cast(func.coalesce(func.sum(amount), 0), BigInteger)


def credited(*accounts: Account) -> ColumnElement[int]:
    """Return what a transfer adds to these accounts by crediting them; below zero if it debits
    them.
    """
    c, names = transfers.c, [account.value for account in accounts]
    return case((c.credit_account.in_(names), c.amount_minor), else_=0) - case(
        (c.debit_account.in_(names), c.amount_minor), else_=0
    )


def touches(account: Account) -> ColumnElement[bool]:
    """Return the condition that a transfer debits or credits an account of this kind."""
    c = transfers.c
    return or_(c.credit_account == account.value, c.debit_account == account.value)


def reference(account: Account) -> ColumnElement[str]:
    """Return which account of this kind it is, of a transfer that touches one.

    Cast, because SQLite joins by what has no type of its own only row by row.
    """
    c = transfers.c
    return cast(
        case((c.credit_account == account.value, c.credit_reference), else_=c.debit_reference), Text
    )

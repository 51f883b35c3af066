"""An excerpt of the books: what is behind each machine's start, copied into a SQLite file of its
own, on which the checks run as on a whole database.

What went on behind the starts is copied whole: each line and transfer there, and the sessions,
trades, vends and refunds that they touch with all that was ever transferred for these. So the
checks of a trade or a vend see all of it or nothing (``storage.auditing.units``). What was over
before is not looked at; it was proved when the start was made.

Flows in: a read transaction on the database, and which starts count. Flows out: the file. The cost
is that of what is behind the starts, however long the history before them is.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    PrimaryKeyConstraint,
    Row,
    Select,
    Table,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
)

from actors.machine.ledger import TransferKind
from storage.auditing.goods import OF_VENDS, move
from storage.auditing.reading import ROWS_AT_ONCE, Books, Span
from storage.auditing.starts import Start, start_of
from storage.auditing.units import Units, pieces
from storage.tables import (
    as_read,
    audit,
    balances,
    goods_moves,
    inbox,
    installation,
    journal,
    machine_halts,
    machine_states,
    machines,
    metadata,
    partitions,
    planogram_columns,
    reconciliation_differences,
    reconciliation_runs,
    refunds,
    seals,
    sessions,
    starts,
    trades,
    transfers,
    vends,
    work_item_closings,
)

LINES_AT_ONCE = 20_000
"""More lines of a span's machines are not held in memory at a time."""
INBOX_MARGIN_MS = 86_400_000
"""Notifications are copied from this long before the seals on: they are taken later than saved."""
BEFORE_ALL = -(2**31)
"""Where the books of a machine begin that has no start: whatever a row says."""
_KEYS = (PrimaryKeyConstraint, UniqueConstraint)
_WHOLE = (
    installation,
    partitions,
    machines,
    machine_states,
    planogram_columns,
    machine_halts,
    reconciliation_runs,
    reconciliation_differences,
    work_item_closings,
)
"""They do not grow with the sales, or seldom."""
_BEGINS = {
    sessions: "started_at_ms",
    vends: "requested_at_ms",
    trades: "received_at_ms",
    refunds: "due_at_ms",
}
"""When a record begins."""


class Excerpt:
    """Copies from ``books``, a database, to ``to``, an empty one. ``begin``: the starts that count,
    by machine; those of the machines that are not named are their first lines. ``archived``: the
    lines before the starts are put in from the archive, so that all else is copied whole.
    """

    def __init__(
        self, books: Books, to: Connection, begin: Table, *, archived: bool = False
    ) -> None:
        self._from = books.connection
        self._spans = books.spans
        driver = to.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._to = driver
        self._begin = begin
        self._archived = archived
        self._inbox_before = 0
        self.carried: set[tuple[str, int, int]] = set()
        """With ``archived``: the transfers before the starts that the database still has."""
        self.starts: dict[str, Start] = {
            row.machine_id: start_of(row) for row in self._from.execute(select(begin))
        }

    def copy(self) -> None:
        """Copy what is behind the starts."""
        self._to.execute("BEGIN")
        for table in _WHOLE:
            self._copy_by_key(table)
        if not self._archived:
            self._put(starts, [tuple(start.values().values()) for start in self.starts.values()])
        self._copy_by_key(audit, audit.c.id > self._audit_id())
        self._inbox()
        for span in self._spans:
            self._span(span)
        self._to.execute("COMMIT")

    def index(self) -> None:
        """Make the indexes that the checks go along, once all is copied."""
        self._to.execute("BEGIN")
        for table in map(as_read, metadata.sorted_tables):
            keys = [
                *(list(one.columns) for one in table.constraints if isinstance(one, _KEYS)),
                *(list(one.columns) for one in table.indexes),
            ]
            for number, key in enumerate(keys):
                names = ", ".join(f'"{column.name}"' for column in key)
                self._to.execute(f"CREATE INDEX {table.name}_{number} ON {table.name} ({names})")
        self._to.execute("COMMIT")
        self._to.execute("ANALYZE")

    def copy_strangers(self) -> None:
        """Copy the rows of machines that nobody has registered, too. Looks through whole tables."""
        self._to.execute("BEGIN")
        for table in (transfers, balances, sessions, vends, trades, refunds):
            theirs = (
                ~select(machines.c.machine_id)
                .where(machines.c.machine_id == table.c.machine_id)
                .exists()
            )
            self._put(table, self._rows(select(table).where(theirs)))
        self._to.execute("COMMIT")

    @property
    def database(self) -> Connection:
        """The read transaction that this is an excerpt of."""
        return self._from

    def put(self, table: Table, rows: Iterable[Sequence[Any]], *, once: str = "") -> None:
        """Copy rows from elsewhere; with ``once`` only those that no other row is there for with
        the same value in that column.
        """
        self._to.execute("BEGIN")
        self._put(table, rows)
        if once:
            self._to.execute(
                f"DELETE FROM {table.name} WHERE rowid NOT IN "  # noqa: S608 - our own names
                f'(SELECT min(rowid) FROM {table.name} GROUP BY "{once}")'
            )
        self._to.execute("COMMIT")

    def _audit_id(self) -> int:
        return self.starts[""].version if "" in self.starts else 0

    def _inbox(self) -> None:
        """Behind seals the newest notifications; behind an archive all that are left."""
        if self._begin is seals and "" in self.starts:
            at_ms = self.starts[""].at_ms - INBOX_MARGIN_MS
            self._inbox_before = _inbox_before(self._from, at_ms)
        wanted = select(inbox).where(inbox.c.id > self._inbox_before)
        for page in self._paged(wanted, [inbox.c.id]):
            self._put(inbox, [row for row in page if not self._was_taken_before(row)])

    def _span(self, span: Span) -> None:
        """Copy what is behind the starts of a span's machines: at once, or machine by machine if it
        is much.
        """
        state = machine_states.c
        versions = self._rows(
            select(*state["machine_id", "version"]).where(span.holds(state.machine_id))
        )
        new = {
            row.machine_id: row.version - max(self._start(row.machine_id, "version"), 0)
            for row in versions
        }
        if sum(new.values()) <= LINES_AT_ONCE:
            self._part(span)
            return
        for machine_id in sorted({*new, *self._registered(span)}):
            self._part(machine_id)

    def _registered(self, span: Span) -> Iterator[str]:
        c = machines.c
        wanted = select(c.machine_id).where(span.holds(c.machine_id))
        return (row.machine_id for row in self._rows(wanted))

    def _start(self, machine_id: str, name: str) -> int:
        start = self.starts.get(machine_id)
        return BEFORE_ALL if start is None else getattr(start, name)

    def _part(self, of: Span | str) -> None:
        """Copy what is behind the starts of a span's machines, or of one machine."""
        young, touched = Units(), Units()
        for row in self._copied(journal, of, journal.c.version, "version"):
            touched.sessions.add(row.session_id or "")
        for row in self._copied(transfers, of, transfers.c.version, "version"):
            if self._archived:
                if row.version <= self._start(row.machine_id, "version"):
                    self.carried.add((row.machine_id, row.version, row.line))
                continue
            touched.trades.add(row.trade_id)
            if row.kind == TransferKind.WRITE_OFF.value:
                touched.vends.add(row.cause)
        version = func.coalesce(goods_moves.c.version, 0)
        for row in self._copied(goods_moves, of, version, "version"):
            if row.kind in OF_VENDS:
                touched.vends.add(row.cause)
        for table, at in _BEGINS.items():
            for row in self._copied(table, of, table.c[at], "at_ms"):
                young.note(table, row)
                if table is refunds:
                    touched.trades.add(row.trade_id)
        if self.starts and not self._archived:
            self._older(touched.without(young))
        for page in self._behind(balances, of, balances.c.day + 1, "from_day"):
            self._put(balances, self._rest(page))

    def _copied(
        self, table: Table, of: Span | str, column: ColumnElement[int], name: str
    ) -> Iterator[Row[Any]]:
        for page in self._behind(table, of, column, name):
            self._put(table, page)
            yield from page

    def _behind(
        self, table: Table, of: Span | str, column: ColumnElement[int], name: str
    ) -> Iterator[Sequence[Row[Any]]]:
        """Return the rows whose ``column`` is above ``name`` of their machine's start, all
        where it has none. Of one machine they come page by page.
        """
        counts = table is journal or not self._archived
        if isinstance(of, str):
            first = self._start(of, name) if counts else BEFORE_ALL
            wanted = select(table).where(table.c.machine_id == of, column > first)
            key = list(table.primary_key.columns)
            if table is journal:
                key = [journal.c.version]
            elif table is goods_moves:
                pass
            elif key[0] is table.c.machine_id:
                key = key[1:]
            else:
                key = [column, *key]  # type: ignore[list-item]  # a column of the table
            yield from self._paged(wanted, key)
            return
        begin = self._begin
        above = column > (func.coalesce(begin.c[name], BEFORE_ALL) if counts else BEFORE_ALL)
        yield self._rows(
            select(table)
            .select_from(
                machines.outerjoin(begin, begin.c.machine_id == machines.c.machine_id).join(
                    table, and_(table.c.machine_id == machines.c.machine_id, above)
                )
            )
            .where(of.holds(machines.c.machine_id))
        )

    def _older(self, units: Units) -> None:
        """Copy units that began before the starts and go on behind them, each with all that
        belongs to it.
        """
        found = Units()
        for row in self._copy_in(vends, vends.c.vend_id, units.vends):
            found.note(vends, row)
        for row in self._copy_in(trades, trades.c.trade_id, units.trades):
            found.note(trades, row)
        found.sessions |= units.sessions
        there = {*found.trades, *found.vends}
        for table in (sessions, trades, vends):
            for row in self._copy_in(table, table.c.session_id, found.sessions - {""}, there):
                found.note(table, row)
        for row in self._copy_in(refunds, refunds.c.trade_id, found.trades):
            found.refunds.add(row.refund_id)
        kinds = [kind.value for kind in TransferKind]
        c = transfers.c
        for some in pieces(found.causes()):
            rows = self._rows(select(transfers).where(c.kind.in_(kinds), c.cause.in_(some)))
            self._put(transfers, [row for row in rows if self._is_before(transfers, row)])
        for some in pieces(found.vends):
            wanted = select(goods_moves).where(move.kind.in_(OF_VENDS), move.cause.in_(some))
            self._put(
                goods_moves,
                [row for row in self._rows(wanted) if self._is_before(goods_moves, row)],
            )
        for some in pieces({f"payment:{trade_id}" for trade_id in found.trades}):
            rows = self._rows(select(inbox).where(inbox.c.cause.in_(some)))
            self._put(
                inbox,
                [
                    row
                    for row in rows
                    if row.id <= self._inbox_before or self._was_taken_before(row)
                ],
            )

    def _rest(self, page: Sequence[Row[Any]]) -> list[tuple[Any, ...]]:
        """Return the balances less what they said at the starts."""
        rest = []
        for row in page:
            start = None if self._archived else self.starts.get(row.machine_id)
            before = (0, 0)
            if start is not None:
                before = start.balances.get(str(row.day), {}).get(row.account, before)
            debit, credit = row.debit_minor - before[0], row.credit_minor - before[1]
            if debit or credit or start is None:
                rest.append((row.machine_id, row.day, row.account, debit, credit, row.currency))
        return rest

    def _was_taken_before(self, row: Row[Any]) -> bool:
        """Whether a notification was decided upon before its machine's start."""
        return (
            not self._archived
            and row.taken_version is not None
            and row.taken_version <= self._start(row.machine_id, "version")
        )

    def _is_before(self, table: Table, row: Row[Any]) -> bool:
        """Whether a row stands before its machine's start, so that it was not copied by itself."""
        by_version = table in {transfers, goods_moves}
        name, own = ("version", "version") if by_version else ("at_ms", _BEGINS[table])
        value: int = getattr(row, own) or 0
        return value <= self._start(row.machine_id, name)

    def _copy_in(
        self,
        table: Table,
        column: Column[Any],
        values: Collection[str],
        but: Collection[str] = (),
    ) -> Iterator[Row[Any]]:
        """Copy those rows that stand before their machine's start and are not among ``but``, and
        return all of them.
        """
        (key,) = table.primary_key.columns
        for some in pieces(values):
            rows = self._rows(select(table).where(column.in_(some)))
            fresh = [row for row in rows if getattr(row, key.name) not in but]
            self._put(table, [row for row in fresh if self._is_before(table, row)])
            yield from rows

    def _copy_by_key(self, table: Table, *conditions: ColumnElement[bool]) -> None:
        wanted = select(table).where(*conditions)
        for page in self._paged(wanted, list(table.primary_key.columns)):
            self._put(table, page)

    def _paged(
        self, wanted: Select[Any], key: Sequence[Column[Any]]
    ) -> Iterator[Sequence[Row[Any]]]:
        last: Row[Any] | None = None
        while True:
            more = wanted.order_by(*key).limit(ROWS_AT_ONCE)
            if last is not None:
                more = more.where(_after(key, [getattr(last, one.name) for one in key]))
            page = self._rows(more)
            yield page
            if len(page) < ROWS_AT_ONCE:
                return
            last = page[-1]

    def _rows(self, wanted: Select[Any]) -> Sequence[Row[Any]]:
        return self._from.execute(wanted).all()

    def _put(self, table: Table, rows: Iterable[Sequence[Any]]) -> None:
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        marks = ", ".join("?" for _ in table.columns)
        self._to.executemany(
            f"INSERT INTO {table.name} ({names}) VALUES ({marks})",  # noqa: S608 - our own names
            map(tuple, rows),
        )


def _after(key: Sequence[Column[Any]], last: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a key comes behind another one."""
    return or_(
        *(
            and_(
                *(one == value for one, value in zip(key[:number], last, strict=False)),
                key[number] > last[number],
            )
            for number in range(len(key))
        )
    )


def _inbox_before(connection: Connection, at_ms: int) -> int:
    """Return an id behind which all notifications of this time and later stand: ids and times grow
    together, so it is found by halving, a look-up at a time.
    """
    c = inbox.c
    beyond = (connection.scalar(select(func.max(c.id))) or 0) + 1
    known = 0
    while beyond - known > 1:
        middle = (known + beyond) // 2
        row = connection.execute(
            select(c.id, c.received_at_ms).where(c.id >= middle).order_by(c.id).limit(1)
        ).one_or_none()
        if row is not None and row.received_at_ms < at_ms:
            known = row.id
        else:
            beyond = middle
    return known

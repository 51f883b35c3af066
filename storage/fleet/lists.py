"""Lists of what happened, as SQL: filtered, in the order of time or against it, a page at a time.
Pure; ``storage.fleet.queries`` runs what is built here.

Every page goes along an index from where the page before ended, so it costs the same at any depth.
Several statuses are as many short lists put together: one index holds each of them in order, but
for the usual one, in which nearly all rows are, and no index holds them all. But the rows of one
machine are few, so its statuses are looked at on the way.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Exists,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from actors.machine.code import CodeStatus
from actors.machine.state import Phase
from storage.fleet import positions
from storage.item_ids import DIFFERENCE_ITEM, not_closed
from storage.tables import (
    audit,
    journal,
    machine_halts,
    machine_states,
    machines,
    partitions,
    reconciliation_differences,
    reconciliation_runs,
    refunds,
    sessions,
    trades,
    vends,
    work_item_closings,
)
from storage.tables.records import USUAL, in_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list shows; empty and None ask for all. ``from_ms`` is the first moment and
    ``until_ms`` the first one that is too late; ``place`` is part of the machine's id, store name
    or address, whatever its case (on SQLite, of the letters A to Z).
    """

    machine_id: str = ""
    session_id: str = ""
    trade_id: str = ""
    statuses: tuple[str, ...] = ()
    from_ms: int | None = None
    until_ms: int | None = None
    place: str = ""
    amount_minor: int | None = None
    ascending: bool = False


ALL = Wanted()
_OF_ONE = ("machine_id", "session_id", "trade_id")
"""What narrows a list to the few rows of one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinesWanted:
    """Which machines a list shows; empty and None ask for all, but for the retired ones, which
    ``retired`` asks for. ``text`` is like ``Wanted.place``.
    """

    phases: tuple[str, ...] = ()
    text: str = ""
    online: bool | None = None
    halted: bool | None = None
    code_statuses: tuple[str, ...] = ()
    code_differs: bool | None = None
    retired: bool = False

    @property
    def picks(self) -> bool:
        """Whether few of all machines may be shown, so that a page would look at all of them."""
        return self not in {MachinesWanted(), EVERY_MACHINE}


EVERY_MACHINE = MachinesWanted(retired=True)
MACHINES_LOOKED_AT = 10_000
"""A page of some machines looks at this many, and may therefore be short and not the last."""
NO_CODE_YET = frozenset({CodeStatus.PENDING.value, CodeStatus.UNKNOWN.value})
"""Alipay has not been asked for the machine's code, or has not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """One kind of record: ``at`` and ``key`` are its order, and ``status`` the column that
    ``Wanted.statuses`` speaks of. ``more`` are columns beside the table's.
    """

    table: Table
    at: str
    key: str
    status: str = "status"
    amount: ColumnElement[int] | None = None
    more: tuple[ColumnElement[Any], ...] = ()

    def page(self, wanted: Wanted, position: str, limit: int) -> Select[Any]:
        """Return the query for the first ``limit`` records behind ``position``; raises
        InvalidPosition.
        """
        rows = self._rows(wanted, position)
        if any(getattr(wanted, name) for name in _OF_ONE):
            if wanted.statuses:
                # Joined with nothing, it is no column that an index holds: that of the machine's,
                # session's or trade's own rows shall be taken, which are few, and not that of all
                # the fleet's rows in these statuses.
                rows = rows.where((self.table.c[self.status] + "").in_(wanted.statuses))
            return self._ordered(rows, self.table.c, wanted).limit(limit)
        if len(wanted.statuses) < 2:
            for status in wanted.statuses:
                rows = rows.where(self._has(status))
            return self._ordered(rows, self.table.c, wanted).limit(limit)
        of_each = [
            self._ordered(rows.where(self._has(status)), self.table.c, wanted).limit(limit)
            for status in wanted.statuses
        ]
        together = union_all(*(select(one.subquery()) for one in of_each)).subquery()
        return self._ordered(select(together), together.c, wanted).limit(limit)

    def one(self, key: str) -> Select[Any]:
        """Return the query for the record of this key."""
        return select(self.table, *self.more).where(self.table.c[self.key] == key)

    def _has(self, status: str) -> ColumnElement[bool]:
        if self.table.name in USUAL:
            return in_status(self.table, [status])
        return self.table.c[self.status] == status

    def _rows(self, wanted: Wanted, position: str) -> Select[Any]:
        at = self.table.c[self.at]
        rows = select(self.table, *self.more)
        for name in _OF_ONE:
            if value := getattr(wanted, name):
                rows = rows.where(self.table.c[name] == value)
        if position:
            at_ms, last_key = positions.parse(position)
            order = tuple_(at, self.table.c[self.key])
            behind = tuple_(literal(at_ms), literal(last_key))
            rows = rows.where(order > behind if wanted.ascending else order < behind)
        # Of two beginnings a database takes one. With the range's it would look at every row from
        # there up to the position; so that one is no bound of an index then.
        goes_on = bool(position)
        if wanted.from_ms is not None:
            rows = rows.where((at + 0 if goes_on and wanted.ascending else at) >= wanted.from_ms)
        if wanted.until_ms is not None:
            downwards = goes_on and not wanted.ascending
            rows = rows.where((at + 0 if downwards else at) < wanted.until_ms)
        if wanted.amount_minor is not None and self.amount is not None:
            rows = rows.where(self.amount == wanted.amount_minor)
        if wanted.place:
            rows = rows.where(*_at_place(self.table.c.machine_id, wanted.place))
        return rows

    def _ordered(self, rows: Select[Any], columns: Any, wanted: Wanted) -> Select[Any]:
        order = (columns[self.at], columns[self.key])
        return rows.order_by(*(one.asc() if wanted.ascending else one.desc() for one in order))


def _holds(text: str) -> ColumnElement[bool]:
    """Return whether a machine's id, store name or address holds the text."""
    return or_(
        *(
            machines.c[name].icontains(text, autoescape=True)
            for name in ("machine_id", "store_name", "address")
        )
    )


def _at_place(machine_id: ColumnElement[str], text: str) -> tuple[Exists, Exists]:
    """Return the conditions for a record of a machine at this place. Nothing is looked through if
    there is no such place, which the first one says once.
    """
    return (
        exists(select(literal(1)).where(_holds(text))),
        exists(
            select(literal(1))
            .select_from(machines)
            .where(machines.c.machine_id == machine_id, _holds(text))
            .correlate_except(machines)
        ),
    )


def _of_trades(amount: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum over a session's trades."""
    total = func.coalesce(cast(func.sum(amount), BigInteger), 0)
    return (
        select(total)
        .where(trades.c.session_id == sessions.c.session_id)
        .correlate(sessions)
        .scalar_subquery()
        .label(amount.key)
    )


SESSIONS = Records(
    table=sessions,
    at="started_at_ms",
    key="session_id",
    amount=_of_trades(trades.c.paid_minor),
    more=tuple(
        _of_trades(trades.c[name]) for name in ("paid_minor", "sold_minor", "refunded_minor")
    ),
)
VENDS = Records(table=vends, at="requested_at_ms", key="vend_id", amount=vends.c.price_minor)
TRADES = Records(table=trades, at="received_at_ms", key="trade_id", amount=trades.c.paid_minor)
REFUNDS = Records(table=refunds, at="due_at_ms", key="refund_id", amount=refunds.c.amount_minor)
CLOSINGS = Records(table=work_item_closings, at="closed_at_ms", key="item_id", status="kind")


def events(machine_id: str, wanted: Wanted, position: str, limit: int) -> Select[Any]:
    """Return the query for a page of one machine's journal, newest first; raises
    InvalidPosition.
    """
    c = journal.c
    rows = _since(
        select(journal).where(c.machine_id == machine_id), c.at_ms, wanted, position, c.version
    )
    return rows.order_by(c.version.desc()).limit(limit)


def events_behind(machine_id: str, version: int, upto: int, limit: int) -> Select[Any]:
    """Return the query for one machine's journal behind a version and up to a position, oldest
    first. It goes along the journal's key: ordered by ``id``, the whole history would be sorted
    each time.
    """
    c = journal.c
    # Not a bound of the index by ``id``, which a database might then go along.
    behind = select(journal).where(
        c.machine_id == machine_id, c.version > version, c.id + 0 <= upto
    )
    return behind.order_by(c.version).limit(limit)


def version_at(connection: Connection, machine_id: str, position: int) -> int:
    """Return the version of a machine's last line up to ``position``, 0 if there is none. Versions
    and positions of a machine grow together, so it is found by halving, a look-up at a time.
    """
    c = journal.c
    of_machine = select(c.version, c.id).where(c.machine_id == machine_id)
    last = connection.execute(of_machine.order_by(c.version.desc()).limit(1)).one_or_none()
    if last is None or last.id <= position:
        return 0 if last is None else int(last.version)
    known, beyond = 0, int(last.version)
    while beyond - known > 1:
        middle = (known + beyond) // 2
        wanted = of_machine.where(c.version >= middle).order_by(c.version).limit(1)
        row = connection.execute(wanted).one()
        if row.id <= position:
            known = int(row.version)
        else:
            beyond = middle
    return known


def audit_records(wanted: Wanted, position: str, limit: int) -> Select[Any]:
    """Return the query for a page of the audit log, newest first; raises InvalidPosition."""
    c = audit.c
    rows = select(audit)
    if wanted.machine_id:
        rows = rows.where(c.machine_id == wanted.machine_id)
    rows = _since(rows, c.at_ms, wanted, position, c.id)
    return rows.order_by(c.id.desc()).limit(limit)


def _since(
    rows: Select[Any],
    at: ColumnElement[int],
    wanted: Wanted,
    position: str,
    counted: ColumnElement[int],
) -> Select[Any]:
    if wanted.from_ms is not None:
        rows = rows.where(at >= wanted.from_ms)
    if wanted.until_ms is not None:
        rows = rows.where(at < wanted.until_ms)
    if position:
        rows = rows.where(counted < positions.number(position))
    return rows


MACHINES: Select[Any] = select(
    machines,
    *machine_states.c["format", "body"],
    *machine_halts.c["halted_at_ms", "fact", "error"],
    partitions.c.owner,
).select_from(
    machines.outerjoin(machine_states, machine_states.c.machine_id == machines.c.machine_id)
    .outerjoin(machine_halts, machine_halts.c.machine_id == machines.c.machine_id)
    .join(partitions, partitions.c.partition == machines.c.partition)
)
"""All that is known of machines, one row for each."""


def last_looked_at(after: str) -> Select[Any]:
    """Return the query for the last machine that a page behind ``after`` looks at; it finds none if
    the page comes to the end.
    """
    c = machines.c.machine_id
    return select(c).where(c > after).order_by(c).offset(MACHINES_LOOKED_AT - 1).limit(1)


def machines_page(
    wanted: MachinesWanted, after: str, limit: int, *, until: str = ""
) -> Select[Any]:
    """Return the query for the first ``limit`` machines behind the id ``after``, up to ``until`` if
    it is given.
    """
    rows = MACHINES.where(machines.c.machine_id > after)
    if until:
        rows = rows.where(machines.c.machine_id <= until)
    state = machine_states.c
    # A machine that nothing was decided for has no state: it is what a fresh one is.
    without_state = state.machine_id.is_(None)
    if wanted.phases:
        of_state = state.phase.in_(wanted.phases)
        rows = rows.where(of_state | without_state if Phase.INACTIVE in wanted.phases else of_state)
    if wanted.text:
        rows = rows.where(_holds(wanted.text))
    if wanted.online is not None:
        up = and_(state.machine_id.is_not(None), state.online.is_(True))
        rows = rows.where(up if wanted.online else or_(without_state, state.online.is_(False)))
    if wanted.halted is not None:
        no_halt = machine_halts.c.machine_id.is_(None)
        rows = rows.where(~no_halt if wanted.halted else no_halt)
    if wanted.code_statuses:
        has = [code_status_is(status) for status in wanted.code_statuses]
        if CodeStatus.PENDING in wanted.code_statuses:
            has.append(without_state)
        rows = rows.where(or_(*has))
    if wanted.code_differs is not None:
        as_wanted = state.code_differs_since_ms.is_(None)
        rows = rows.where(~as_wanted if wanted.code_differs else as_wanted)
    if not wanted.retired:
        rows = rows.where(machines.c.retired_at_ms.is_(None))
    return rows.order_by(machines.c.machine_id).limit(limit)


def reconciliations(before: int) -> Select[Any]:
    """Return the query for the daily files that were read before that position, newest first."""
    c, found = reconciliation_runs.c, reconciliation_differences.c
    waits = (
        select(func.count())
        .where(found.day == c.day, found.status == "OPEN", not_closed(DIFFERENCE_ITEM))
        .correlate(reconciliation_runs)
        .scalar_subquery()
    )
    rows = select(
        *(c.id, c.day, c.file_name, c.row_count, c.read_at_ms, c.day_was_over, c.restored),
        waits.label("open_difference_count"),
    ).order_by(c.id.desc())
    return rows.where(c.id < before) if before else rows


def code_status_is(status: str) -> ColumnElement[bool]:
    """Return whether a saved state has its code in this status. It is asked of the text, as
    ``storage.codec`` writes it: a state that is damaged is then not found, and breaks nothing.
    """
    return machine_states.c.body.contains(f'"code":{{"status":"{status}"', autoescape=True)


CODES_ANSWERED = select(machine_states.c.machine_id).where(
    machine_states.c.machine_id.in_(bindparam("asked", expanding=True)),
    *(~code_status_is(status) for status in sorted(NO_CODE_YET)),
)
"""Those of some machines about whose codes Alipay has answered. Put together once: administrators
who wait for codes ask it again and again.
"""

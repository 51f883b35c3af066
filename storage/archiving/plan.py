"""What of each machine's books is over, up to the end of a month: a prefix of its lines, and what
keeps it shorter.

Nothing that is open loses a line: what is behind the first line of an open session, vend, trade or
refund, of an open difference or of an alarm that nobody has closed stays, with all that comes after
it. Halted machines keep everything. The prefix has no gap, so the chain goes over its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, or_, select

from actors.machine.ledger import TransferKind
from actors.machine.state import VendStatus
from storage import codec
from storage.auditing.starts import Start
from storage.auditing.states import OPEN_VENDS
from storage.auditing.units import Units, pieces
from storage.fleet.halted_money import OPEN_REFUNDS
from storage.item_ids import ALARM_ITEM, DIFFERENCE_ITEM, not_closed
from storage.tables import (
    journal,
    machine_alarms,
    machine_halts,
    machine_states,
    reconciliation_differences,
    refunds,
    sessions,
    trades,
    transfers,
    vends,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The lines of a machine behind ``after`` and up to ``upto`` are over; none if both are the
    same. ``held``: why there are not more, '' if nothing but the month's end bounds them.
    """

    machine_id: str
    after: int
    upto: int
    digest: str
    """Of the line ``upto``."""
    at_ms: int
    """The newest time of any line up to it."""
    held: str = ""


def prefixes(
    connection: Connection, starts: dict[str, Start], machine_ids: Sequence[str], *, end_ms: int
) -> Iterator[Prefix]:
    """Yield what is over of these machines before ``end_ms``."""
    for machine_id in machine_ids:
        yield _prefix(connection, starts.get(machine_id), machine_id, end_ms)


def _prefix(connection: Connection, start: Start | None, machine_id: str, end_ms: int) -> Prefix:
    after, digest, at_ms = (
        (0, "", 0)
        if start is None
        else (
            start.version,
            start.digest,
            start.at_ms,
        )
    )
    none = Prefix(machine_id=machine_id, after=after, upto=after, digest=digest, at_ms=at_ms)
    c = journal.c
    ours = (c.machine_id == machine_id, c.version > after)
    beyond = connection.scalar(select(func.min(c.version)).where(*ours, c.at_ms >= end_ms))
    held = ""
    if beyond is None:
        last = connection.scalar(
            select(machine_states.c.version).where(machine_states.c.machine_id == machine_id)
        )
        beyond = (last or after) + 1
    for version, why in _open(connection, machine_id):
        if version < beyond:
            beyond, held = version, why
    if beyond <= after + 1:
        return replace(none, held=held)
    within = (*ours, c.version < beyond)
    newest_ms = connection.scalar(select(func.max(c.at_ms)).where(*within))
    line = connection.execute(
        select(c.version, c.digest).where(*within).order_by(c.version.desc()).limit(1)
    ).one_or_none()
    if line is None:
        return none
    return Prefix(
        machine_id=machine_id,
        after=after,
        upto=line.version,
        digest=line.digest,
        at_ms=max(at_ms, newest_ms or 0),
        held=held,
    )


def _open(connection: Connection, machine_id: str) -> Iterator[tuple[int, str]]:
    """Yield the first line of each open thing of a machine, and what it is."""
    halted = select(machine_halts.c.machine_id).where(machine_halts.c.machine_id == machine_id)
    if connection.execute(halted).one_or_none() is not None:
        yield 1, "the machine is halted"
    for wanted, noun, first_line in _OPEN:
        ours = wanted.where(wanted.selected_columns.machine_id == machine_id)
        for row in connection.execute(ours):
            yield first_line(connection, row.begun_with), f"{noun} {row.key} is open"
    alarms = select(machine_alarms.c.alarm_id, machine_alarms.c.since_at_ms).where(
        machine_alarms.c.machine_id == machine_id, not_closed(ALARM_ITEM)
    )
    for row in connection.execute(alarms):
        c = journal.c
        first = connection.scalar(
            select(func.min(c.version)).where(
                c.machine_id == machine_id, c.at_ms >= row.since_at_ms
            )
        )
        yield first or 1, f"nobody has closed alarm {row.alarm_id}"


def _first_line(connection: Connection, session_id: str) -> int:
    c = journal.c
    version: int | None = connection.scalar(
        select(func.min(c.version)).where(c.session_id == session_id)
    )
    return version or 1


def _top_up(connection: Connection, trade_id: str) -> int:
    """Return the line of a trade's payment, or of its session's beginning if that is before."""
    c = transfers.c
    version: int | None = connection.scalar(
        select(c.version).where(c.kind == TransferKind.TOP_UP.value, c.cause == trade_id)
    )
    session_id = connection.scalar(select(trades.c.session_id).where(trades.c.trade_id == trade_id))
    if session_id:
        return min(version or 1, _first_line(connection, session_id))
    return version or 1


def _of(table: Any, key: ColumnElement[str], *conditions: ColumnElement[bool]) -> Select[Any]:
    begun_with = table.c["session_id" if table in {sessions, vends} else "trade_id"]
    wanted = select(table.c.machine_id, begun_with.label("begun_with"), key.label("key"))
    return wanted.where(*conditions)


_DIFFERENCES = reconciliation_differences.c
_OPEN = (
    (_of(sessions, sessions.c.session_id, sessions.c.status == "OPEN"), "session", _first_line),
    (
        _of(vends, vends.c.vend_id, vends.c.status.in_([one.value for one in OPEN_VENDS])),
        "vend",
        _first_line,
    ),
    (_of(refunds, refunds.c.refund_id, refunds.c.status.in_(OPEN_REFUNDS)), "refund", _top_up),
    (
        _of(
            reconciliation_differences,
            DIFFERENCE_ITEM,
            or_(_DIFFERENCES.status == "PASSED_ON", _DIFFERENCES.status == "OPEN"),
            not_closed(DIFFERENCE_ITEM),
        ),
        "difference",
        _top_up,
    ),
    (_of(trades, trades.c.trade_id, trades.c.status == "OPEN"), "trade", _top_up),
)


_NOT_DELIVERED = (VendStatus.FAILED, VendStatus.VOIDED)
_STATE = select(*machine_states.c["format", "body"]).where(
    machine_states.c.machine_id == bindparam("of")
)


def causes_that_go_on(connection: Connection, start: Start) -> set[str]:
    """Return the causes of all transfers of units that began up to a machine's start and go on
    behind it, or that may: they stay until all of their unit is over.
    """
    ours, behind = start.machine_id, start.version
    moved = select(transfers.c.trade_id, transfers.c.kind, transfers.c.cause).where(
        transfers.c.machine_id == ours, transfers.c.version > behind
    )
    units = Units()
    for row in connection.execute(moved):
        if row.kind == TransferKind.WRITE_OFF.value:
            units.vends.add(row.cause)
        else:
            units.trades.add(row.trade_id)
    units.vends |= _may_turn_up(connection, ours)
    due = select(refunds.c.trade_id).where(
        refunds.c.machine_id == ours, refunds.c.due_at_ms > start.at_ms
    )
    units.trades |= set(connection.scalars(due))
    lines = select(journal.c.session_id).where(
        journal.c.machine_id == ours, journal.c.version > behind, journal.c.session_id.is_not(None)
    )
    units.sessions |= set(connection.scalars(lines.distinct()))
    for table, key, ids in ((trades, "trade_id", units.trades), (vends, "vend_id", units.vends)):
        for some in pieces(ids):
            wanted = select(table.c.session_id).where(table.c[key].in_(some))
            units.sessions |= {one for one in connection.scalars(wanted) if one}
    return _whole(connection, units).causes()


def _may_turn_up(connection: Connection, machine_id: str) -> set[str]:
    """Return the vends that its machine remembers as not delivered: goods that turn up after all
    are written off then, however much later.
    """
    row = connection.execute(_STATE, {"of": machine_id}).one_or_none()
    if row is None:
        return set()
    remembered = codec.decode_state(row.format, row.body).settled_vends
    return {vend.vend_id for vend in remembered if vend.status in _NOT_DELIVERED}


def _whole(connection: Connection, units: Units) -> Units:
    """Return the units with all that belongs to them."""
    for some in pieces(units.sessions):
        for table, key in ((trades, trades.c.trade_id), (vends, vends.c.vend_id)):
            wanted: Select[Any] = select(table.c.session_id, key).where(
                table.c.session_id.in_(some)
            )
            for row in connection.execute(wanted):
                units.note(table, row)
    for some in pieces(units.trades):
        back = select(refunds.c.refund_id).where(refunds.c.trade_id.in_(some))
        units.refunds |= set(connection.scalars(back))
    return units

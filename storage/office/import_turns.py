"""Whose turn it is among the imports of one kind that run: they go side by side, and each machine
ends as the one says that began last.

Flows in: the moment. Flows out: statements, which number what begins, find who may be served, and
find the lines that may be carried out. What has begun bears a number, in the order in which it did,
whatever clocks say: what is ordered for now begins when it is ordered, what is ordered for later
when its time has come. A line waits as long as one that began before has a line of its machine
waiting; so no two wait for each other.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Update,
    func,
    or_,
    select,
    update,
)

from storage.database import dialects
from storage.tables import machine_import_lines, machine_imports

RUNNING, WAITING = "RUNNING", "WAITING"
"""The states of an import and of a line that has something before it."""


def first_due(kind: str, now_ms: int) -> Select[Any]:
    """Return the query for the first import that runs and has begun, or whose time has come: is
    there anything to do at all?
    """
    c = machine_imports.c
    due = or_(c.from_ms <= now_ms, c.number > 0)
    wanted = select(c.import_id).where(c.kind == kind, c.state == RUNNING, due)
    return wanted.order_by(c.from_ms, c.created_at_ms, c.import_id).limit(1)


def next_number(connection: Connection, kind: str) -> int:
    """Return the number of what begins now, in a transaction that is alone."""
    newest = select(func.max(machine_imports.c.number)).where(machine_imports.c.kind == kind)
    return (connection.scalar(newest) or 0) + 1


def not_numbered(kind: str, now_ms: int) -> Select[Any]:
    """Return the query for what was ordered for a moment that has come and has not begun, the
    earliest first.
    """
    c = machine_imports.c
    return (
        select(c.import_id)
        .where(c.kind == kind, c.state == RUNNING, c.from_ms <= now_ms, c.number == 0)
        .order_by(c.from_ms, c.created_at_ms, c.import_id)
    )


def number_due(connection: Connection, kind: str, now_ms: int) -> None:
    """Let what was ordered for a moment that has come begin, the earliest first."""
    due = not_numbered(kind, now_ms)
    if connection.scalar(due.limit(1)) is None:
        return
    dialects.office_alone(connection)
    number = next_number(connection, kind)
    for step, import_id in enumerate(connection.scalars(due).all()):
        connection.execute(_numbered(import_id, number + step))


def _numbered(import_id: str, number: int) -> Update:
    c = machine_imports.c
    return update(machine_imports).where(c.import_id == import_id).values(number=number)


def next_served(kind: str, free: ColumnElement[bool], *, only: str = "") -> Select[Any]:
    """Return the query for the import that was served the longest ago, of those that have begun,
    that nobody holds and that have a line which may be carried out.
    """
    c, line = machine_imports.c, machine_import_lines.alias("line")
    some = (
        select(line.c.line)
        .where(
            line.c.import_id == c.import_id,
            line.c.state == WAITING,
            _nobody_before(line.c.machine_id, c.kind, c.number),
        )
        .correlate_except(line)
        .exists()
    )
    wanted = select(c.import_id).where(c.kind == kind, c.state == RUNNING, c.number > 0, free, some)
    if only:
        wanted = wanted.where(c.import_id == only)
    return wanted.order_by(c.held_until_ms, c.number).limit(1)


def lines_to_carry_out(import_id: str, kind: str, number: int, limit: int) -> Select[Any]:
    """Return the query for the first lines of an import that may be carried out."""
    c = machine_import_lines.c
    wanted = select(machine_import_lines).where(
        c.import_id == import_id,
        c.state == WAITING,
        _nobody_before(c.machine_id, kind, number),
    )
    return wanted.order_by(c.line).limit(limit)


def _nobody_before(machine_id: ColumnElement[str], kind: Any, number: Any) -> Any:
    earlier, its = machine_imports.alias("earlier"), machine_import_lines.alias("its")
    before = (
        select(its.c.line)
        .join(earlier, earlier.c.import_id == its.c.import_id)
        .where(
            its.c.machine_id == machine_id,
            its.c.state == WAITING,
            earlier.c.kind == kind,
            earlier.c.state == RUNNING,
            earlier.c.number > 0,
            earlier.c.number < number,
        )
    )
    return ~before.correlate_except(earlier, its).exists()

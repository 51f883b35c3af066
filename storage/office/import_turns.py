"""Whose turn it is among the imports of one kind that run: they go side by side, and each machine
ends as the one says that began last.

Flows in: the moment. Flows out: statements, which number what begins, find who may be served, and
find the lines that may be carried out. What has begun bears a number, in the order in which it did,
whatever clocks say: what is ordered for now begins when it is ordered, what is ordered for later
when its time has come. A line waits as long as one that began before has a line of its machine
waiting; so no two wait for each other.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    Row,
    Select,
    Update,
    and_,
    func,
    or_,
    select,
    update,
)

from storage.database import dialects
from storage.fleet.changes import MachineChange, Making
from storage.office.deeds import NotPossible
from storage.tables import machine_import_lines, machine_imports

RUNNING, WAITING = "RUNNING", "WAITING"
"""The states of an import and of a line that has something before it."""
LINE_ENDED = "LINE_ENDED"


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


def begun_later(kind: str, number: int) -> Select[Any]:
    """Return the query for one that runs and began after this one."""
    c = machine_imports.c
    later = select(c.import_id).where(c.kind == kind, c.state == RUNNING, c.number > number)
    return later.limit(1)


def lines_to_carry_out(
    import_id: str, kind: str, number: int, limit: int, *, waited_for: bool = False
) -> Select[Any]:
    """Return the query for the first lines of an import that may be carried out; those alone for
    which one that began later waits if they are to be ``waited_for``.
    """
    c = machine_import_lines.c
    wanted = select(machine_import_lines).where(
        c.import_id == import_id,
        c.state == WAITING,
        _nobody_before(c.machine_id, kind, number),
    )
    if waited_for:
        wanted = wanted.where(_waits(c.machine_id, kind, lambda other: other > number))
    return wanted.order_by(c.line).limit(limit)


def lines_of(import_id: str, state: str, after: int, limit: int) -> Select[Any]:
    """Return the query for a page of an import's lines in one state."""
    c = machine_import_lines.c
    wanted = select(machine_import_lines).where(
        c.import_id == import_id, c.state == state, c.line > after
    )
    return wanted.order_by(c.line).limit(limit)


def waited_for(
    connection: Connection, import_id: str, machine_ids: Sequence[str]
) -> dict[str, str]:
    """Return the import that is carried out first, of those that began before this one and have a
    line of the machine waiting, for each of the machines where there is one. What has not begun
    waits for its time.
    """
    if not machine_ids:
        return {}
    c = machine_imports.c
    of = connection.execute(select(c.kind, c.number).where(c.import_id == import_id)).one_or_none()
    if of is None or not of.number:
        return {}
    other, its = machine_imports.alias("other"), machine_import_lines.alias("its")
    first = (
        select(its.c.machine_id, func.min(other.c.number).label("number"))
        .join(other, other.c.import_id == its.c.import_id)
        .where(
            its.c.machine_id.in_(machine_ids),
            its.c.state == WAITING,
            other.c.kind == of.kind,
            other.c.state == RUNNING,
            other.c.number > 0,
            other.c.number < of.number,
        )
        .group_by(its.c.machine_id)
        .subquery()
    )
    named = select(first.c.machine_id, c.import_id).join(
        machine_imports, and_(c.kind == of.kind, c.number == first.c.number)
    )
    return {row.machine_id: row.import_id for row in connection.execute(named)}


def check_goes_on(connection: Connection, import_id: str, line: int) -> None:
    """Raise NotPossible (LINE_ENDED) if the line's import was stopped, or if somebody else has
    carried the line out, who held it since this one hung. In the transaction of the line's change:
    whoever stops the import waits for its end, and what is ordered then has the last word.
    """
    c, of = machine_imports.c, machine_import_lines.c
    runs = select(c.import_id).where(c.import_id == import_id, c.state == RUNNING)
    waits = select(of.line).where(of.import_id == import_id, of.line == line, of.state == WAITING)
    for wanted in (runs.with_for_update(read=True), waits):
        if connection.scalar(wanted) is None:
            raise NotPossible(
                LINE_ENDED, f"line {line} of {import_id} is not to be carried out any more"
            )


def while_it_goes_on(import_id: str, line: int, change: MachineChange) -> Making:
    """Return the change of a machine that a line makes, which ``check_goes_on`` may refuse."""

    def made(connection: Connection, _: Row[Any]) -> MachineChange:
        check_goes_on(connection, import_id, line)
        return change

    return made


def _nobody_before(machine_id: ColumnElement[str], kind: Any, number: Any) -> ColumnElement[bool]:
    return ~_waits(machine_id, kind, lambda other: and_(other > 0, other < number))


def _waits(
    machine_id: ColumnElement[str],
    kind: Any,
    which: Callable[[ColumnElement[int]], ColumnElement[bool]],
) -> Exists:
    """Tell whether another import still has a line of this machine waiting."""
    other, its = machine_imports.alias("other"), machine_import_lines.alias("its")
    waiting = (
        select(its.c.line)
        .join(other, other.c.import_id == its.c.import_id)
        .where(
            its.c.machine_id == machine_id,
            its.c.state == WAITING,
            other.c.kind == kind,
            other.c.state == RUNNING,
            which(other.c.number),
        )
    )
    return waiting.correlate_except(other, its).exists()

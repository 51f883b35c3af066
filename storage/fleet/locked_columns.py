"""Which columns of a machine are locked, by what, and since when; and when columns became empty.
Reads only.

Flows in: a machine and the columns that commands lock by its state. Flows out: its locks. What a
person did to it is read back from the newest of it, a bounded number: what is older has no time.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from actors.machine.command import LOCKING, CommandKind
from actors.machine.goods import column_place
from actors.machine.ids import MachineId
from storage.fleet.views import ColumnLockView
from storage.tables import column_locks, goods_moves, machine_commands

COMMANDS_MAX = 1_000
"""So many commands of a machine are looked at, at most."""
MOVES_MAX = 5_000
"""And so many moves of its goods."""


def locks_of(
    connection: Connection, machine_id: str, ordered: Sequence[str]
) -> tuple[ColumnLockView, ...]:
    """Return the machine's locks in the order of its columns, of which commands lock those in
    ``ordered``.
    """
    c = column_locks.c
    recalled = connection.execute(
        select(c.column, c.recall_id, c.locked_at_ms).where(c.machine_id == machine_id)
    )
    found = [
        ColumnLockView(column=row.column, recall_id=row.recall_id, since_ms=row.locked_at_ms)
        for row in recalled
    ]
    since = _ordered_since(connection, machine_id, ordered) if ordered else {}
    found += [ColumnLockView(column=one, since_ms=since.get(one)) for one in ordered]
    return tuple(sorted(found, key=lambda one: (one.column, one.recall_id)))


def emptied(connection: Connection, machine_id: str, columns: Collection[str]) -> dict[str, int]:
    """Return when the last item left each of these columns."""
    if not columns:
        return {}
    places = {column_place(MachineId(machine_id), one): one for one in columns}
    rows = connection.execute(left_last(machine_id, list(places)))
    return {places[row.from_place]: row.at_ms for row in rows}


def left_last(machine_id: str, places: Sequence[str]) -> Select[Any]:
    """Return the query for when something left these places last."""
    c = goods_moves.c
    moves = select(c.from_place, c.at_ms).where(c.machine_id == machine_id)
    newest = moves.order_by(c.id.desc()).limit(MOVES_MAX).subquery().c
    at_ms: Any = func.max(newest.at_ms).label("at_ms")
    return (
        select(newest.from_place, at_ms)
        .where(newest.from_place.in_(places))
        .group_by(newest.from_place)
    )


def commands_of(machine_id: str) -> Select[Any]:
    """Return the query for the machine's newest commands."""
    c = machine_commands.c
    some = select(c.kind, c.column, c.ordered_at_ms).where(c.machine_id == machine_id)
    newest: Select[Any] = some.order_by(c.ordered_at_ms.desc(), c.command_id.desc())
    return newest.limit(COMMANDS_MAX)


def _ordered_since(
    connection: Connection, machine_id: str, columns: Sequence[str]
) -> Mapping[str, int]:
    """Return of each column when it was locked first since it was unlocked last."""
    since: dict[str, int] = {}
    open_ = set(columns)
    for row in connection.execute(commands_of(machine_id)):
        if row.kind not in LOCKING or row.column not in open_:
            continue
        if row.kind == CommandKind.UNLOCK_COLUMN:
            open_.discard(row.column)
        else:
            since[row.column] = row.ordered_at_ms
    return since

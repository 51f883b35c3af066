"""What of the planograms of the registry a machine's actor has heard, and which goods another one
would take out of the machine: those that the actor has, and those that came with a planogram.

Flows in: what the actor has saved, and columns. Flows out: columns, whose ``stock`` is how many.
Reads only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from actors.machine.ids import MachineId
from actors.machine.state import Column, MachineState
from actors.machine.stock import keep_counts, new_to, without_place
from storage import codec
from storage.database.reader import in_turns
from storage.machines.loading import read_columns, removal_agreed
from storage.tables import machine_states

_SAVED = select(*machine_states.c["machine_id", "format", "body"])


def saved_state(connection: Connection, machine_id: MachineId) -> MachineState | None:
    """Return what the actor has saved; None if it has decided nothing yet. Raises CodecError."""
    return _read(_saved(connection, machine_id))


def gone(
    connection: Connection,
    machine_id: MachineId,
    there: Sequence[Column],
    wanted: Sequence[Column],
) -> tuple[Column, ...]:
    """Return the columns of which goods have no place in the wanted planogram: as the actor has
    them, and those with which a column came (``there``) that is not in force.
    """
    return _gone(_columns_of(_saved(connection, machine_id)), there, wanted)


def coming(
    connection: Connection,
    machine_id: MachineId,
    there: Sequence[Column],
    wanted: Sequence[Column],
) -> tuple[Column, ...]:
    """Return those of them that are not in force: the actor has not heard of them, or they wait."""
    return without_place(new_to(_columns_of(_saved(connection, machine_id)), there), wanted)


def foreseen(
    connection: Connection, wanted: Mapping[str, Sequence[Column]]
) -> dict[str, tuple[tuple[Column, ...], tuple[Column, ...]]]:
    """Return of each machine that is to have another planogram the present one, and the columns of
    which goods would have no place any more, as a change of its registration finds them.
    """
    names, found = list(wanted), {}
    rows = connection.execute(_SAVED.where(machine_states.c.machine_id.in_(names)))
    known = {row.machine_id: _columns_of(row) for row in in_turns(rows, 10)}
    agreed = removal_agreed(connection, names)
    for name, there in read_columns(connection, names).items():
        kept = keep_counts(there, wanted[name])
        waits = kept == there and name in agreed
        found[name] = there, () if waits else _gone(known.get(name, ()), there, kept)
    return found


def unheard(
    connection: Connection,
    version: int,
    machine_id: MachineId,
    there: Sequence[Column],
    wanted: Sequence[Column],
) -> tuple[Column, ...]:
    """Return the columns of whose goods the actor must hear before the wanted planogram may take
    the place of the present one, ``there``, which has this version: none, if it has heard of that
    one, be it in force or waiting for the end of a session, or for goods that are in its way.

    Else of what came with the present one and has no place any more; of what the present one
    removes of one that waits, if these columns are to come again; and of columns that the present
    one takes out, if they are to come again with another count: the actor would keep its own.
    """
    try:
        state = saved_state(connection, machine_id)
    except codec.CodecError:  # its host has halted it, and what it has heard is not known
        state = None
    if state is None:
        return without_place(there, wanted)
    if version == _heard(state):
        return ()
    waiting = () if state.next_planogram is None else state.next_planogram.columns
    came = new_to(state.columns, waiting)
    remain = {(one.column, one.product): one.stock for one in without_place(came, wanted)}
    again = [
        one
        for one in without_place(came, there)
        if one.stock > remain.get((one.column, one.product), 0)
    ]
    had = {(one.column, one.product): one.stock for one in state.columns}
    counted = [
        one
        for one in new_to(there, wanted)
        if (one.column, one.product) in had
        and one.stock not in (0, min(had[one.column, one.product], one.capacity))
    ]
    lost = without_place(new_to((*state.columns, *waiting), there), wanted)
    return (*lost, *again, *counted)


def agreed_unheard(
    connection: Connection, version: int, machine_id: MachineId
) -> tuple[Column, ...]:
    """Return the columns out of which the present planogram, of this version, removes goods because
    somebody said so, if the actor has not heard of it: of a machine that is retired nobody would
    know of that word.
    """
    if not removal_agreed(connection, [machine_id]):
        return ()
    try:
        state = saved_state(connection, machine_id)
    except codec.CodecError:
        return ()
    if state is None or version == _heard(state):
        return ()
    return without_place(state.columns, read_columns(connection, [machine_id])[machine_id])


def _heard(state: MachineState) -> int:
    waits = state.next_planogram
    return state.configuration.planogram_version if waits is None else waits.version


def _gone(
    known: Sequence[Column], there: Sequence[Column], wanted: Sequence[Column]
) -> tuple[Column, ...]:
    return (*without_place(known, wanted), *without_place(new_to(known, there), wanted))


def _saved(connection: Connection, machine_id: MachineId) -> Row[Any] | None:
    wanted = _SAVED.where(machine_states.c.machine_id == machine_id)
    return connection.execute(wanted).one_or_none()


def _columns_of(saved: Row[Any] | None) -> tuple[Column, ...]:
    """Return what the actor has in its columns: nothing, if it has decided nothing yet, or if its
    state cannot be read, so that the registry's counts are all that is known.
    """
    try:
        state = _read(saved)
    except codec.CodecError:  # its host has halted it
        return ()
    return () if state is None else state.columns


def _read(row: Row[Any] | None) -> MachineState | None:
    return None if row is None else codec.decode_state(row.format, row.body, only_reads=True)

"""Columns that must not sell: what is in them was recalled, or has expired, or somebody ordered it
by a command.

Those of recalls are part of the machine's configuration; a column sells when no cause locks it any
more. A lock acts at once, also within a
session, which a planogram does not: it takes something away from sale and changes no price. The
decision is made when the customer chooses, so that it holds for every firmware; what a machine is
told (``commands.planogram``: nothing is left) only saves customers the way.
"""

from actors.machine.state import Column, MachineState
from actors.machine.values import replace


def locked(state: MachineState, name: str) -> bool:
    """Tell whether the column of this name must not sell."""
    there, ordered = state.configuration.locked, state.ordered_locks
    return (there is not None and name in there) or (ordered is not None and name in ordered)


def shown(state: MachineState) -> tuple[Column, ...]:
    """Return the columns as a machine is told of them: nothing is left in one that is locked."""
    if not (state.configuration.locked or state.ordered_locks):
        return state.columns
    return tuple(
        replace(one, stock=0) if locked(state, one.column) else one for one in state.columns
    )


def told_anew(state: MachineState) -> bool:
    """Tell whether each new stream hears the columns, whatever planogram its machine has: a lock
    and its end are under no version, and the machine may have been away.
    """
    return state.configuration.locked is not None or state.ordered_locks is not None

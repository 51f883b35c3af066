"""The life of one machine in a host's memory: what it may become, and nothing else.

``MOVES`` is published in docs/architecture.md ("A machine in memory"); a test holds the two
together and that each move happens. A move that is not here is a defect of the host: it raises,
and the host ends and begins again from the database.
"""

from collections.abc import Mapping
from enum import StrEnum

from actors.machine.ids import MachineId


class Life(StrEnum):
    """READY and SAVING have a working state; the others must be loaded before their next turn."""

    UNLOADED = "UNLOADED"
    """The database is right, and nothing was read of it yet, or what was read is dropped."""
    LOADING = "LOADING"
    """Its rows are being read."""
    READY = "READY"
    """It can take turns; the working state is the saved one."""
    SAVING = "SAVING"
    """Its turns are being saved; the working state runs ahead of the saved one."""
    IN_DOUBT = "IN_DOUBT"
    """A COMMIT of it was not answered: what was decided may be saved, and was not released."""
    RESOLVING = "RESOLVING"
    """Its rows are being read, which tells whether that COMMIT happened."""
    HALTED = "HALTED"
    """It decides nothing until somebody, or the time, lets it try again."""


MOVES: Mapping[Life, frozenset[Life]] = {
    Life.UNLOADED: frozenset({Life.LOADING, Life.READY, Life.HALTED}),
    Life.LOADING: frozenset({Life.READY, Life.UNLOADED, Life.HALTED}),
    Life.READY: frozenset({Life.SAVING, Life.UNLOADED, Life.HALTED}),
    Life.SAVING: frozenset({Life.READY, Life.UNLOADED, Life.IN_DOUBT, Life.HALTED}),
    Life.IN_DOUBT: frozenset({Life.RESOLVING, Life.HALTED}),
    Life.RESOLVING: frozenset({Life.READY, Life.IN_DOUBT, Life.HALTED}),
    Life.HALTED: frozenset({Life.UNLOADED}),
}

LOADED = frozenset({Life.READY, Life.SAVING})
READING = frozenset({Life.LOADING, Life.RESOLVING})


class IllegalMove(Exception):
    """A machine's life went where it cannot go: a defect of the host."""

    def __init__(self, machine_id: MachineId, before: Life, after: Life) -> None:
        super().__init__(f"{machine_id}: {before} -> {after} is no move of a machine in memory")


def moved(machine_id: MachineId, before: Life, after: Life) -> Life:
    """Return ``after`` if the table leads there; raises IllegalMove."""
    if after not in MOVES[before]:
        raise IllegalMove(machine_id, before, after)
    return after

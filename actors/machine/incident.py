"""What an incident is: something broken about a machine, from when it was first told until it
ended; and the facts that are told of it. Pure values.
"""

from enum import StrEnum

from msgspec import Struct

INCIDENTS_KEPT = 16
"""So many are open at a machine at once; the one that was told longest ago makes way."""
DETAIL_BYTES_MAX = 120
"""So many bytes of what the machine said of it are kept: the state is written at each turn."""


class IncidentEnd(StrEnum):
    """What says that it is over. CROWDED_OUT: nothing does; the machine has told so much else."""

    CLEARED = "CLEARED"
    SOLD = "SOLD"
    CLOSED = "CLOSED"
    CROWDED_OUT = "CROWDED_OUT"


class Incident(Struct, frozen=True, kw_only=True):
    """One fault, however often it is told. ``code``: an EVA-DTS event code, as the machine spelt
    it; ``column``: empty if it is not about one.
    """

    incident_id: str
    code: str
    column: str
    detail: str
    times: int
    opened_at_ms: int
    last_at_ms: int
    ended_at_ms: int | None = None
    end: IncidentEnd | None = None
    ended_by: str = ""
    """Who closed it."""
    reason: str = ""


class FaultReported(Struct, frozen=True, kw_only=True):
    """Something is broken, or, ``cleared``, is not any more; ``code`` is an EVA-DTS event code,
    ``column`` empty if it is not about one.
    """

    code: str
    detail: str = ""
    column: str = ""
    cleared: bool = False


class FaultsCounted(Struct, frozen=True, kw_only=True):
    """So many faults in a row, counted by the gateway because the machine said too many. They bear
    the numbers from ``first_seq`` to the frame's own; ``code`` and ``column`` are the last one's.
    """

    first_seq: int
    count: int
    code: str
    column: str = ""


class IncidentClosed(Struct, frozen=True, kw_only=True):
    """Somebody has looked at an incident, and says that it is over."""

    incident_id: str
    reason: str
    actor: str = ""

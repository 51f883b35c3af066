"""Which machines have not acknowledged the planogram that they shall have: the administrators' half
of it. The other half is a trigger's (``storage.tables.planograms``).
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete

from storage.database import dialects
from storage.tables import planogram_waits

_CHANGES = ("planogram_version", "goods_may_be_removed")


def wanted(connection: Connection, waits: Sequence[dict[str, Any]]) -> None:
    """Write down that machines shall show another planogram: ``machine_id``, ``planogram_version``,
    ``since_at_ms`` and ``goods_may_be_removed`` of each. One that waits already waits since then.
    """
    if waits:
        name = connection.dialect.name
        made = dialects.upsert(name, planogram_waits, "machine_id", _CHANGES)
        connection.execute(made, list(waits))


def over(connection: Connection, machine_id: str) -> None:
    """Wait for a machine no more, because it shall show none."""
    connection.execute(delete(planogram_waits).where(planogram_waits.c.machine_id == machine_id))

"""Which planogram each machine shall have, has been told and has acknowledged: who has not
converged.

Flows in: which machines. Flows out: a page of them that costs the same however large the fleet is;
those that have not converged stand in a table of their own. Reads only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from actors.machine.ids import Currency, MachineId
from actors.machine.state import MachineState
from storage import codec
from storage.database.engine import Database
from storage.database.reader import in_turns
from storage.machines.loading import read_rows, state_of
from storage.office.selectors import Selector, page_of
from storage.tables import planogram_waits


class WaitsFor(StrEnum):
    """What a machine's newest planogram waits for. HOST: its actor has not heard of it yet.
    SESSION: a customer is there, who pays what they saw. GOODS: some in the machine have no place
    in it, and nobody said that they may be removed. STREAM: the machine is offline.
    ACKNOWLEDGEMENT: the machine was told, and has not said that it has it.
    """

    NOTHING = "NOTHING"
    HOST = "HOST"
    SESSION = "SESSION"
    GOODS = "GOODS"
    STREAM = "STREAM"
    ACKNOWLEDGEMENT = "ACKNOWLEDGEMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvergenceView:
    """A machine's planogram: the version that it shall have, the one that its actor holds customers
    to, and the last one that the machine said it shows. ``since_at_ms``: since when it has not
    converged; None: it has.
    """

    machine_id: str
    wanted_version: int
    version_in_force: int
    shown_version: int
    online: bool
    waits_for: WaitsFor
    since_at_ms: int | None


class Convergence:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self,
        selector: Selector,
        now_ms: int,
        *,
        converged: bool | None = None,
        position: str = "",
        limit: int,
    ) -> tuple[list[ConvergenceView], str]:
        """Return machines that the selector holds, behind ``position``, and the position behind
        them, empty if there are no more. A page may be short, or empty, and not be the last.
        """

        def work(connection: Connection) -> tuple[list[ConvergenceView], str]:
            held = page_of(
                connection,
                selector,
                now_ms,
                position=position,
                limit=limit,
                among=planogram_waits if converged is False else None,
            )
            since = _since(connection, held.machine_ids)
            rows = {row.machine_id: row for row in read_rows(connection, held.machine_ids)}
            found = [
                _view(rows[machine_id], since.get(machine_id))
                for machine_id in in_turns(held.machine_ids, 10)
                if machine_id in rows and not (converged and machine_id in since)
            ]
            return found, held.position

        return await self._db.read(work)


def _since(connection: Connection, machine_ids: Sequence[str]) -> dict[str, int]:
    c = planogram_waits.c
    rows = connection.execute(
        select(c.machine_id, c.since_at_ms).where(c.machine_id.in_(machine_ids))
    )
    return {row.machine_id: row.since_at_ms for row in rows}


def _view(row: Row[Any], since_at_ms: int | None) -> ConvergenceView:
    try:
        state = state_of(row, only_reads=True)
    except codec.CodecError:  # its host has halted it, which ListMachines tells
        state = MachineState(machine_id=MachineId(row.machine_id), currency=Currency(row.currency))
    waits_for = (
        WaitsFor.NOTHING if since_at_ms is None else _waits_for(row.planogram_version, state)
    )
    return ConvergenceView(
        machine_id=row.machine_id,
        wanted_version=row.planogram_version,
        version_in_force=state.configuration.planogram_version,
        shown_version=state.link.planogram_version,
        online=state.link.online,
        waits_for=waits_for,
        since_at_ms=since_at_ms,
    )


def _waits_for(wanted: int, state: MachineState) -> WaitsFor:
    waiting = state.next_planogram
    if state.configuration.planogram_version != wanted:
        if waiting is None or waiting.version != wanted:
            return WaitsFor.HOST
        return WaitsFor.GOODS if waiting.kept_back else WaitsFor.SESSION
    return WaitsFor.ACKNOWLEDGEMENT if state.link.online else WaitsFor.STREAM

"""The rows of halted machines. Their owner writes them in transactions of its own, and takes them
away within a commit.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete

from actors.machine.ids import MachineId
from actors.ports import MachineHalt
from storage.database import dialects
from storage.tables import machine_halts

_OVER = delete(machine_halts).where(
    machine_halts.c.machine_id.in_(bindparam("recovered", expanding=True))
)


def write(connection: Connection, halt: MachineHalt, *, host: str, epoch: int) -> None:
    """Write a row, or what is new of one that is there. Its time stays for as long as it is there:
    since then the machine has been halted.
    """
    values = {
        "machine_id": halt.machine_id,
        "host": host,
        "epoch": epoch,
        "halted_at_ms": halt.halted_at_ms,
        "fact": halt.fact,
        "error": halt.error,
    }
    changing = ("host", "epoch", "fact", "error")
    connection.execute(
        dialects.upsert(connection.dialect.name, machine_halts, "machine_id", changing).values(
            values
        )
    )


def over(connection: Connection, recovered: Sequence[MachineId]) -> None:
    """Take the rows of these machines away, if there are any."""
    if recovered:
        connection.execute(_OVER, {"recovered": list(recovered)})

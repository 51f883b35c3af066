"""The rows of halted machines. Their owner writes them in transactions of its own, and takes them
away within a commit.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, update

from actors.machine.ids import MachineId
from actors.ports import CodeStop, MachineHalt
from storage.database import dialects
from storage.tables import machine_halts

_OVER = delete(machine_halts).where(
    machine_halts.c.machine_id.in_(bindparam("recovered", expanding=True))
)
CODE_IN_WORDS = {
    CodeStop.NONE: (
        "its code can still be paid: mend the cause and ReloadMachine; if that lasts, stop the "
        "code in Alipay's portal"
    ),
    CodeStop.ORDERED: (
        "its code is being stopped at Alipay and may still be paid: mend the cause and "
        "ReloadMachine"
    ),
    CodeStop.DONE: (
        "its code is stopped at Alipay until it works again: mend the cause and ReloadMachine"
    ),
    CodeStop.REFUSED: (
        "Alipay refused to stop its code, which can still be paid: mend the cause and "
        "ReloadMachine; if that lasts, stop the code in Alipay's portal"
    ),
}
"""What people are told of the code of a halted machine."""


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
    if halt.code_stop:
        connection.execute(
            update(machine_halts)
            .where(machine_halts.c.machine_id == halt.machine_id)
            .values(code_stop=halt.code_stop.value)
        )


def over(connection: Connection, recovered: Sequence[MachineId]) -> None:
    """Take the rows of these machines away, if there are any."""
    if recovered:
        connection.execute(_OVER, {"recovered": list(recovered)})

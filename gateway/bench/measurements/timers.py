"""How late timers fire when many are armed: each machine's customer chooses, pays nothing, and is
refused when the wait for the payment is over.
"""

import asyncio
import math
from collections.abc import Sequence

from gateway.bench.load import Load, LoadFailed
from gateway.bench.machine import LoadMachine, now_s
from gateway.v1.machine_service_pb2 import ConnectResponse

_ASK_A_SECOND = 500
_AFTER_S = 30.0
_LOOK_EVERY_S = 0.05


async def timers(load: Load, machines: Sequence[LoadMachine], *, wait_ms: int) -> list[float]:
    """Arm a timer of ``wait_ms`` for each machine, which has no funds, and return by how many
    seconds each refusal came after its time. The time runs from ShowQr. Raises LoadFailed.
    """
    due: dict[LoadMachine, float] = {}
    late: dict[LoadMachine, float] = {}

    def shown(machine: LoadMachine, frame: ConnectResponse, at: float) -> None:
        due[machine] = at + frame.show_qr.expires_in_ms / 1_000

    def denied(machine: LoadMachine, _frame: ConnectResponse, at: float) -> None:
        if machine in due:
            late[machine] = at - due[machine]

    load.ears.hooks |= {"show_qr": shown, "vend_denied": denied}
    try:
        for number, machine in enumerate(machines, 1):
            machine.ask(now_s())
            if number % (_ASK_A_SECOND // 20) == 0:
                await asyncio.sleep(1 / 20)
        for _ in range(math.ceil((wait_ms / 1_000 + _AFTER_S) / _LOOK_EVERY_S)):
            if len(late) == len(machines):
                break
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        del load.ears.hooks["show_qr"], load.ears.hooks["vend_denied"]
    if len(late) < len(machines):
        raise LoadFailed(f"{len(machines) - len(late)} of {len(machines)} timers did not fire")
    return list(late.values())

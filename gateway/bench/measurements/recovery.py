"""A host is killed with ``kill -9`` while every machine has an open session and asks for goods."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.bench.load import Load, LoadFailed
from gateway.bench.machine import LoadMachine, now_s
from gateway.v1.machine_service_pb2 import ConnectResponse

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Seconds from the kill to the first and to the last of the answers."""

    first_s: float
    last_s: float


async def recovery(
    load: Load, machines: Sequence[LoadMachine], *, kill: Sequence[int] = ()
) -> Recovery:
    """Kill these processes, let every machine ask at that moment, and wait for all approvals. With
    nobody to kill: what the same rush takes by itself. Raises LoadFailed.
    """
    answered: list[float] = []

    def approved(_machine: LoadMachine, _frame: ConnectResponse, at: float) -> None:
        answered.append(at)

    load.ears.hooks["vend_approved"] = approved
    try:
        began = now_s()
        for pid in kill:
            os.kill(pid, signal.SIGKILL)
        for machine in machines:
            machine.ask(began)
        while len(answered) < len(machines):
            if now_s() - began > _TIMEOUT_S:
                raise LoadFailed(
                    f"{len(machines) - len(answered)} of {len(machines)} machines had no answer "
                    f"within {_TIMEOUT_S:g} s; denied: {dict(load.tally.denied)}"
                )
            await asyncio.sleep(0.01)
        await load.settled(machines)
    finally:
        del load.ears.hooks["vend_approved"]
    return Recovery(first_s=answered[0] - began, last_s=answered[-1] - began)

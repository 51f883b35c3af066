"""From the start of the program to the first goods."""

import asyncio

from gateway.bench.load import Load, LoadFailed
from gateway.bench.machine import now_s
from gateway.bench.site import RunningGateway

_TIMEOUT_S = 60.0


async def cold_start(running: RunningGateway, machine_id: str) -> float:
    """Let a machine with an open session sell once at a gateway that has just said it is ready;
    return the seconds from the start of the gateway's process. Raises LoadFailed.
    """
    async with Load.of(running.machines, [machine_id]) as load:
        (machine,) = load.machines
        await load.connect(load.machines)
        tally = load.count_anew()
        machine.ask(now_s())
        while not tally.vends:
            if now_s() - running.began_s > _TIMEOUT_S:
                raise LoadFailed(f"nothing was sold within {_TIMEOUT_S:g} s of the start")
            await asyncio.sleep(0.005)
        return now_s() - running.began_s

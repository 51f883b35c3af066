"""All machines come at once, as after a cut of the network; then nothing happens."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.bench.load import Load, Storm
from gateway.bench.site import RunningGateway
from gateway.demo import processes

_SETTLE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What machines that do nothing cost. ``cores``: of one core, all processes of the product."""

    kib_a_machine: Mapping[str, float]
    cores: float


async def storm(load: Load, running: RunningGateway, *, rest_s: float) -> tuple[Storm, Rest]:
    """Connect every machine of the load at once; then watch them rest for ``rest_s``. Memory is
    counted from before, so the gateway should be a new one.
    """
    before = _memory(running.pids)
    came = await load.connect(load.machines)
    await asyncio.sleep(_SETTLE_S)
    after = _memory(running.pids)
    everyone = running.everyone()
    used_s = processes.cpu_s(everyone)
    await asyncio.sleep(rest_s)
    used_s = processes.cpu_s(everyone) - used_s
    welcomed = max(1, came.machines - came.refused)
    kib = {name: (after[name] - before[name]) / 1024 / welcomed for name in after}
    return came, Rest(kib_a_machine=kib, cores=used_s / rest_s)


def _memory(pids: Mapping[str, Sequence[int]]) -> Mapping[str, int]:
    return {name: processes.resident_bytes(those) for name, those in pids.items()}

"""The other way to use Ray, as a process of its own: an actor for each machine, which is a process
for each machine. It answers as the echo does, from memory: nothing is decided or saved.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import ray

from actors.ray_node import RaySettings, start_ray, stop_ray
from gateway.bench.echo import answer, started
from gateway.machines.outbox import Context
from gateway.process import lifeline, logs
from gateway.process.signals import stop_signals
from gateway.v1.machine_service_pb2 import ConnectRequest

_CPUS_EACH = 0.01


class MachineActor:
    """One machine's process."""

    def __init__(self) -> None:
        self._seq = 0

    def take(self, raw: bytes) -> bytes:
        """Answer a frame; empty for one that wants no answer."""
        self._seq += 1
        response = answer(ConnectRequest.FromString(raw), seq=self._seq)
        return b"" if response is None else response.SerializeToString()


async def _connect(_requests: object, context: Context) -> None:
    actor: Any = ray.remote(num_cpus=_CPUS_EACH)(MachineActor).remote()
    try:
        while isinstance(raw := await context.read(), bytes):
            answered = await actor.take.remote(raw)
            if answered:
                await context.write(answered)
    finally:
        ray.kill(actor)


async def _serve() -> None:
    stop = asyncio.Event()
    with stop_signals(stop, asyncio.Event()):
        server, address = await started(_connect)
        print(json.dumps({"machines": address}), flush=True)
        await stop.wait()
        await server.stop(0)


def main() -> None:
    """Serve until SIGTERM. The one argument is the folder for Ray's files."""
    lifeline.hold()
    logs.set_up(level="warning", line_format="console")  # the first line is for who started us
    start_ray(RaySettings(run_dir=Path(sys.argv[1])))
    try:
        asyncio.run(_serve())
    finally:
        stop_ray()


if __name__ == "__main__":
    main()

"""Ray Serve's own way to serve a bidirectional gRPC stream, as a process of its own, where
``ray[serve]`` is installed: one replica, which answers as the echo does, from memory.
"""

import asyncio
import importlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from actors.ray_node import RaySettings, start_ray, stop_ray
from gateway.bench.echo import answer
from gateway.process import lifeline, logs
from gateway.process.signals import stop_signals
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse

PROGRAM = (sys.executable, "-m", "gateway.bench.serve_baseline")
_STREAMS_MAX = 10_000
_SERVICER = "gateway.v1.machine_service_pb2_grpc.add_MachineServiceServicer_to_server"


def problem() -> str:
    """Return why Ray Serve cannot be measured here, as a sentence; empty if it can."""
    try:
        importlib.import_module("ray.serve")
        importlib.import_module("ray.serve.grpc_util")  # streams of requests: since 2.5x
    except ImportError as error:
        return f"Ray Serve was not measured: it cannot be imported here ({error.name})."
    return ""


class ServeReplica:
    """The replica. Serve calls the method that is named as the RPC is."""

    async def Connect(  # noqa: N802 - the RPC's name
        self, frames: AsyncIterator[ConnectRequest]
    ) -> AsyncIterator[ConnectResponse]:
        """Answer one machine's frames."""
        seq = 0
        async for frame in frames:
            seq += 1
            response = answer(frame, seq=seq)
            if response is not None:
                yield response


async def _until_stopped() -> None:
    stop = asyncio.Event()
    with stop_signals(stop, asyncio.Event()):
        await stop.wait()


def main() -> None:
    """Serve until SIGTERM. The one argument is the folder for Ray's files."""
    lifeline.hold()
    logs.set_up(level="warning", line_format="console")  # the first line is for who started us
    start_ray(RaySettings(run_dir=Path(sys.argv[1])))
    try:
        serve = importlib.import_module("ray.serve")
        config = importlib.import_module("ray.serve.config")
        with socket.socket() as held, socket.socket() as other:
            for one in (held, other):
                one.bind(("127.0.0.1", 0))
            port, http_port = held.getsockname()[1], other.getsockname()[1]
        serve.start(
            # Nobody calls it, but Serve's one proxy serves both.
            http_options=config.HTTPOptions(host="127.0.0.1", port=http_port),
            grpc_options=config.gRPCOptions(port=port, grpc_servicer_functions=[_SERVICER]),
        )
        deployed = serve.deployment(max_ongoing_requests=_STREAMS_MAX)(ServeReplica)
        serve.run(deployed.bind())
        print(json.dumps({"machines": f"127.0.0.1:{port}"}), flush=True)
        asyncio.run(_until_stopped())
        serve.shutdown()
    finally:
        stop_ray()


if __name__ == "__main__":
    main()

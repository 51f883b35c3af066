"""How much of a raw gRPC echo the machine side of the gateway keeps: same frames, same client, same
run.

Run by hand: ``python -m tests.benchmarks.bench_stream [--streams 100] [--seconds 5]``. Each server
runs in a process of its own and is asked in turn; the host behind the service answers each
VendRequest at once with VendDenied. Prints messages a second, the server's CPU for each message,
and both as a ratio to the echo.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import structlog

from actors.link import FromHost, FromMachine, ToHost
from actors.machine.effects import DenyVend
from actors.machine.events import FrameReceived, VendRequested
from actors.machine.state import DenyReason
from gateway.links.links import HostLinks
from gateway.machines.outbox import Context
from gateway.machines.service import MachineService
from gateway.rpc.limits import EdgeLimits
from gateway.serving.listeners import build_machine_server
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse
from tests.support.edge import FixedClock
from tests.support.scripted_link import ScriptedLink

METHOD = "/gateway.v1.MachineService/Connect"


class DenyingLink(ScriptedLink):
    """Denies every request and remembers nothing of it."""

    def obey(self, message: ToHost) -> list[FromHost]:
        """Deny."""
        if isinstance(message, FromMachine) and isinstance(message.event, FrameReceived):
            fact = message.event.fact
            assert isinstance(fact, VendRequested)
            deny = DenyVend(request_id=fact.request_id, reason=DenyReason.SOLD_OUT, funds_minor=0)
            return [self.to_machine(message, ack=message.event.seq, commands=(deny,))]
        return list(super().obey(message))

    async def exchange(self, attachment, messages):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Keep no history."""
        delivery = await super().exchange(attachment, messages)
        self.batches.clear()
        return delivery


async def serve_echo() -> None:
    """The least that gRPC can do."""

    async def echo(_: object, context: Context) -> None:
        while (frame := await context.read()) is not grpc.aio.EOF:
            await context.write(frame)

    server = grpc.aio.server(options=(("grpc.http2.bdp_probe", 0), ("grpc.enable_channelz", 0)))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("gateway.v1.MachineService", {"Connect": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


async def serve_service() -> None:
    """The gateway's machine side, with a host that costs next to nothing."""
    links = HostLinks([DenyingLink()], gateway_id="g1", partition_count=16)
    limits = EdgeLimits(frames_per_s=1_000_000, frames_burst=1_000_000)
    service = MachineService(links, gateway_id="g1", clock=FixedClock(), limits=limits)
    listener = build_machine_server(service, address="127.0.0.1:0")
    await links.start()
    await service.start()
    await listener.start()
    print(listener.port, flush=True)
    await listener.server.wait_for_termination()


async def one_machine(port: int, name: str, until: float) -> int:
    """Ask and wait for the answer, again and again; return how often."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(METHOD)()
        try:
            hello = ConnectRequest(
                hello=wire.Hello(machine_id=name, boot_id="b1", firmware="bench 1")
            )
            await call.write(hello.SerializeToString())
            await call.read()
            rounds = 0
            while time.monotonic() < until:
                rounds += 1
                wish = wire.VendRequest(
                    request_id=f"{name}-r{rounds}",
                    column="A1",
                    price_minor=500,
                    planogram_version=1,
                )
                await call.write(
                    ConnectRequest(seq=rounds, ack=rounds, vend_request=wish).SerializeToString()
                )
                answer = await call.read()
                assert isinstance(answer, bytes)
                ConnectResponse.FromString(answer)
            return rounds
        finally:
            call.cancel()


@dataclass(frozen=True)
class Result:
    """One server's figures."""

    per_s: float
    cpu_us: float


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    values = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


async def measure(kind: str, *, streams: int, seconds: float) -> Result:
    """Start one server, load it, return its figures."""
    server = subprocess.Popen(  # noqa: ASYNC220 - started before anything is measured
        [sys.executable, "-m", "tests.benchmarks.bench_stream", "--serve", kind],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        await asyncio.gather(
            *(one_machine(port, f"w{number}", time.monotonic() + 0.5) for number in range(streams))
        )
        before, started = cpu_s(server.pid), time.monotonic()
        rounds = sum(
            await asyncio.gather(
                *(one_machine(port, f"m{number}", started + seconds) for number in range(streams))
            )
        )
        return Result(
            per_s=rounds / (time.monotonic() - started),
            cpu_us=(cpu_s(server.pid) - before) / rounds * 1e6,
        )
    finally:
        server.terminate()
        server.wait()


async def compare(*, streams: int, seconds: float) -> None:
    """Measure both, print the figures and their ratios."""
    echo = await measure("echo", streams=streams, seconds=seconds)
    service = await measure("service", streams=streams, seconds=seconds)
    for name, result in (("echo", echo), ("service", service)):
        print(f"{name:8} {result.per_s:8.0f} messages/s {result.cpu_us:7.1f} us CPU each")
    print(
        f"ratio    {service.per_s / echo.per_s:8.2f}            {echo.cpu_us / service.cpu_us:7.2f}"
    )


def main() -> None:
    """Measure, or be the server that is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--serve", choices=("echo", "service"))
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    # To standard error: nobody empties a server's standard output after its port.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(40),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if arguments.serve is None:
        asyncio.run(compare(streams=arguments.streams, seconds=arguments.seconds))
    else:
        asyncio.run(serve_echo() if arguments.serve == "echo" else serve_service())


if __name__ == "__main__":
    main()

"""The least that gRPC can do with a machine's frames, as a process of its own: each is read, parsed
and answered from memory with the frame that the gateway would send. Nothing is decided or saved.
"""

import asyncio
import importlib
import importlib.util
import json
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from gateway.machines.outbox import Context
from gateway.process import lifeline
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse

_OPTIONS = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.enable_channelz", 0),
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 100_000),
)


def answer(frame: ConnectRequest, *, seq: int) -> ConnectResponse | None:
    """Return what a gateway would send for a machine's frame; None for a heartbeat."""
    response = ConnectResponse(seq=seq, ack=frame.seq)
    match frame.WhichOneof("payload"):
        case "hello":
            response.welcome.CopyFrom(
                wire.Welcome(planogram_version=1, in_service=True, heartbeat_interval_ms=20_000)
            )
        case "vend_request":
            response.vend_approved.CopyFrom(
                wire.VendApproved(
                    vend_id=f"v-{frame.seq}",
                    request_id=frame.vend_request.request_id,
                    column=frame.vend_request.column,
                    amount_minor=frame.vend_request.price_minor,
                    valid_for_ms=30_000,
                )
            )
        case "vend_success":
            response.funds_update.CopyFrom(
                wire.FundsUpdate(session_id="s-1", funds_minor=1, expires_in_ms=300_000)
            )
        case _:
            return None
    return response


async def echo(_requests: object, context: Context) -> None:
    """Answer every frame of one stream from memory."""
    seq = 0
    while isinstance(raw := await context.read(), bytes):
        seq += 1
        response = answer(ConnectRequest.FromString(raw), seq=seq)
        if response is not None:
            await context.write(response.SerializeToString())


Handler = Callable[[object, Context], Awaitable[None]]


async def started(connect: Handler) -> tuple[grpc.aio.Server, str]:
    """Serve machines with ``connect``, on loopback; return the server and its address."""
    server = grpc.aio.server(options=_OPTIONS)
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(connect)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("gateway.v1.MachineService", {"Connect": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


async def _serve() -> None:
    server, address = await started(echo)
    print(json.dumps({"machines": address}), flush=True)
    await server.wait_for_termination()


def main() -> None:
    """Serve until SIGTERM, on the loop that the gateway would have."""
    lifeline.hold()
    factory = (
        importlib.import_module("uvloop").new_event_loop
        if importlib.util.find_spec("uvloop")
        else None
    )
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()

"""The examiner's gRPC server: streams to the desk, the desk's endings to statuses.

Flows in: calls of ``MachineService.Connect``. Flows out: the same with the details that the product
sends (google.rpc ErrorInfo, RetryInfo). Its bounds are those of the product's own listener.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from gateway.certify.desk import Desk, Ending
from gateway.certify.moments import MomentKind
from gateway.certify.pings import END_WITHIN_S, PingWatch, relayed
from gateway.rpc.identity import server_credentials
from gateway.rpc.statuses import Refusal, to_status
from gateway.rpc.tls import Tls
from gateway.v1 import machine_service_pb2 as service_pb
from gateway.v1 import machine_service_pb2_grpc as service_grpc

OPTIONS = (
    ("grpc.max_receive_message_length", 65_536),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)


class NotListening(Exception):
    """The address cannot be listened on; its sentence says what to do."""


class GrpcWire:
    """One call as a wire."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> service_pb.ConnectRequest | None:
        """Return the machine's next frame; None when it has hung up."""
        try:
            frame = await self._context.read()
        except grpc.aio.BaseError:
            return None
        return frame if isinstance(frame, service_pb.ConnectRequest) else None

    async def write(self, frame: service_pb.ConnectResponse) -> None:
        """Send a frame; on a call that is over it is lost."""
        with contextlib.suppress(grpc.aio.BaseError):
            await self._context.write(frame)


class Examiner(service_grpc.MachineServiceServicer):
    """Gives each call to the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def Connect(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]  # noqa: ARG002, N802  the names are gRPC's
        """One stream of the machine."""
        ending = await self._desk.serve(GrpcWire(context))
        if ending is not None and ending.code is not grpc.StatusCode.OK:
            await context.abort_with_status(status_of(ending))


def status_of(ending: Ending) -> grpc.Status:
    """Return the status with the details of the product's refusals."""
    return to_status(
        Refusal(
            code=ending.code,
            reason=ending.reason or "EXAMINATION",
            message=ending.detail,
            retry_after_ms=ending.retry_after_ms or None,
        )
    )


@contextlib.asynccontextmanager
async def listening(desk: Desk, address: str, tls: Tls | None) -> AsyncIterator[int]:
    """Serve the desk at ``address`` ("host:port", 0 for any port); yield the port. Without TLS its
    HTTP/2 pings are seen too. Raises NotListening.
    """
    host, _, port = address.rpartition(":")
    server = grpc.aio.server(options=OPTIONS)
    service_grpc.add_MachineServiceServicer_to_server(Examiner(desk), server)
    async with contextlib.AsyncExitStack() as stack:
        try:
            bound = (
                server.add_insecure_port("127.0.0.1:0")
                if tls is None
                else server.add_secure_port(address, server_credentials(tls))
            )
            await server.start()
            stack.push_async_callback(server.stop, grace=END_WITHIN_S)
            if tls is None:
                relay = relayed(host.strip("[]"), int(port), bound, lambda: _watch(desk))
                bound = await stack.enter_async_context(relay)
            stack.callback(_ended, desk)
        except (RuntimeError, OSError, ValueError):
            raise NotListening(
                f"cannot listen on {address}: name another address with --listen, for example "
                "0.0.0.0:7443, or end the program that has it"
            ) from None
        yield bound


def _watch(desk: Desk) -> PingWatch:
    desk.record(MomentKind.TAPPED)
    return PingWatch(lambda text: desk.record(MomentKind.PINGED, text=text), desk.now_ms)


def _ended(desk: Desk) -> None:
    for call in desk.calls:
        call.end(detail="the examination is over")

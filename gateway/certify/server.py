"""The examiner's gRPC server: streams to the desk, the desk's endings to statuses.

Flows in: calls of ``MachineService.Connect``. Flows out: the same with the details that the product
sends (google.rpc ErrorInfo, RetryInfo). Its bounds are those of the product's own listener.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from gateway.certify.desk import Desk, Ending, UnreadFrame
from gateway.certify.pings import END_WITHIN_S, PingWatch, relayed
from gateway.machines.translate import BadFrame, from_bytes
from gateway.rpc.identity import server_credentials
from gateway.rpc.statuses import Refusal, to_status
from gateway.rpc.tls import Tls
from gateway.v1 import machine_service_pb2 as service_pb

SERVICE_NAME: str = service_pb.DESCRIPTOR.services_by_name["MachineService"].full_name
FRAME_BYTES_MAX = 65_536
"""Larger ones the gateway's listener does not take: it ends the stream."""
SEEN_BYTES_MAX = 8 * 1024 * 1024
"""Up to here they are seen, so that the report can say what ends the streams."""
OPTIONS = (
    ("grpc.max_receive_message_length", SEEN_BYTES_MAX),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)


class NotListening(Exception):
    """The address cannot be listened on; its sentence says what to do."""


class GrpcWire:
    """One call as a wire."""

    def __init__(self, context: Any, *, tapped: bool) -> None:
        self._context = context
        self.connection = int(context.peer().rpartition(":")[2]) if tapped else 0

    async def read(self) -> service_pb.ConnectRequest | UnreadFrame | None:
        """Return the machine's next frame; None when it has hung up."""
        try:
            content = await self._context.read()
        except grpc.aio.BaseError:
            return None
        return frame_of(content) if isinstance(content, bytes) else None

    async def write(self, frame: service_pb.ConnectResponse) -> None:
        """Send a frame; on a call that is over it is lost."""
        with contextlib.suppress(grpc.aio.BaseError):
            await self._context.write(frame.SerializeToString())


def frame_of(content: bytes) -> service_pb.ConnectRequest | UnreadFrame:
    """Return the frame in these bytes, or why there is none."""
    size = len(content)
    if size > FRAME_BYTES_MAX:
        why = f"{size} bytes came as one frame, which has at most {FRAME_BYTES_MAX}"
        return UnreadFrame(why=why, size=size, ends=True)
    try:
        return service_pb.ConnectRequest.FromString(content)
    except DecodeError:
        read = from_bytes(content)
        assert isinstance(read, BadFrame)
        return UnreadFrame(why=read.detail, size=size, seq=read.seq)


class Examiner:
    """Gives each call to the desk. Frames go in and out as bytes, as in the gateway, so that one
    that cannot be read is seen.
    """

    def __init__(self, desk: Desk, *, tapped: bool) -> None:
        self._desk = desk
        self._tapped = tapped

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the method table."""
        connect: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            self.connect
        )
        return grpc.method_handlers_generic_handler(SERVICE_NAME, {"Connect": connect})

    async def connect(self, _requests: object, context: Any) -> None:
        """One stream of the machine."""
        ending = await self._desk.serve(GrpcWire(context, tapped=self._tapped))
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
    server.add_generic_rpc_handlers((Examiner(desk, tapped=tls is None).handlers(),))
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
                relay = relayed(
                    host.strip("[]"), int(port), bound, lambda known: _watch(desk, known)
                )
                bound = await stack.enter_async_context(relay)
            stack.callback(_ended, desk)
        except (RuntimeError, OSError, ValueError):
            raise NotListening(
                f"cannot listen on {address}: name another address with --listen, for example "
                "0.0.0.0:7443, or end the program that has it"
            ) from None
        yield bound


def _watch(desk: Desk, connection: int) -> PingWatch:
    return PingWatch(lambda text: desk.pinged(connection, text), desk.now_ms)


def _ended(desk: Desk) -> None:
    for call in desk.calls:
        call.end(detail="the examination is over")

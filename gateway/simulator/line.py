"""One stream to a gateway: dial, one reader, one writer, hang up.

Flows in: frames to write, in order. Flows out: frames read, to a callback, and in the end the gRPC
status. It knows nothing of what the frames mean. Every stream has a channel of its own: so a
machine is one connection, as in the field, and gRPC's own reconnection never competes with the
machine's back-off.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from gateway.v1 import machine_service_pb2 as service_pb
from gateway.v1 import machine_service_pb2_grpc as service_grpc

KEEPALIVE_TIME_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
RETRY_AFTER_MAX_MS = 3_600_000
UNWRITTEN_MAX = 128
"""More than this waiting to be written: the connection is stuck, hang up."""

_Call = grpc.aio.StreamStreamCall[service_pb.ConnectRequest, service_pb.ConnectResponse]

OPTIONS = (
    ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    (
        "grpc.http2.ping_timeout_ms",
        KEEPALIVE_TIMEOUT_MS,
    ),  # its default, a minute, would outlast keepalive_timeout
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 1_048_576),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """PEM texts. ``certificate`` and ``private_key`` are the machine's own; empty: the machine
    shows none.
    """

    ca: bytes
    certificate: bytes = b""
    private_key: bytes = field(default=b"", repr=False)


def read_tls(
    machine_id: str, *, ca: Path | None, cert: str | Path | None, key: str | Path | None
) -> ClientTls | None:
    """Read a machine's TLS files; None without a ``ca``. ``{machine_id}`` in a path is replaced."""
    if ca is None:
        if cert or key:
            raise ValueError(
                "a certificate without a ca: say with which ca the gateway is verified"
            )
        return None

    def own(path: str | Path | None) -> bytes:
        return Path(str(path).replace("{machine_id}", machine_id)).read_bytes() if path else b""

    return ClientTls(ca=ca.read_bytes(), certificate=own(cert), private_key=own(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a stream ended. ``retry_after_ms``: the gateway asks not to be called before
    (google.rpc.RetryInfo). ``reason``: its word for programs (google.rpc.ErrorInfo).
    """

    code: grpc.StatusCode
    detail: str = ""
    retry_after_ms: int = 0
    reason: str = ""


class Line:
    """One stream. ``run`` once; ``send`` and ``hang_up`` from the same event loop."""

    def __init__(self, target: str, tls: ClientTls | None) -> None:
        self._target = target
        self._tls = tls
        self._unwritten: deque[service_pb.ConnectRequest] = deque()
        self._wake = asyncio.Event()
        self._call: _Call | None = None
        self._hung_up = False

    def send(self, frame: service_pb.ConnectRequest) -> None:
        """Write the frame after those before it. On a line that is gone it is simply lost."""
        if len(self._unwritten) >= UNWRITTEN_MAX:
            self.hang_up()
            return
        self._unwritten.append(frame)
        self._wake.set()

    def hang_up(self) -> None:
        """End the stream now; ``run`` returns soon after."""
        self._hung_up = True
        if self._call is not None:
            self._call.cancel()

    async def run(self, received: Callable[["Line", service_pb.ConnectResponse], None]) -> Ended:
        """Dial, hand each frame to ``received``, return how it ended."""
        async with contextlib.AsyncExitStack() as stack:
            channel = await stack.enter_async_context(channel_to(self._target, self._tls))
            call: _Call = service_grpc.MachineServiceStub(channel).Connect()
            stack.callback(call.cancel)  # a call that is only let go of would never end
            self._call = call
            writer = asyncio.create_task(self._write(call))
            stack.push_async_callback(_finish, writer)
            if self._hung_up:
                return Ended(code=grpc.StatusCode.CANCELLED, detail="hung up")
            return await self._read(call, received)

    async def _read(
        self, call: _Call, received: Callable[["Line", service_pb.ConnectResponse], None]
    ) -> Ended:
        try:
            while (
                isinstance(frame := await call.read(), service_pb.ConnectResponse)
                and not self._hung_up
            ):
                received(self, frame)
        except grpc.aio.AioRpcError as error:
            return ended_by(error)
        except asyncio.CancelledError:
            if not self._hung_up:
                raise
        if self._hung_up:
            return Ended(code=grpc.StatusCode.CANCELLED, detail="hung up")
        return Ended(code=grpc.StatusCode.OK, detail="closed by the gateway")

    async def _write(self, call: _Call) -> None:
        # An error while writing shows itself to the reader too, with the status that matters.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                while self._unwritten:
                    await call.write(self._unwritten.popleft())
                self._wake.clear()
                await self._wake.wait()


def _options(target: str) -> tuple[tuple[str, int], ...]:
    """Return the options of a channel. What listens on this computer is called directly: a proxy
    that the environment names could not reach it.
    """
    host = target.rpartition(":")[0].strip("[]")
    is_local = host in {"localhost", "::1"} or host.startswith("127.")
    return (*OPTIONS, ("grpc.enable_http_proxy", 0)) if is_local else OPTIONS


def channel_to(target: str, tls: ClientTls | None) -> grpc.aio.Channel:
    """Return a channel of its own to an address; without ``tls`` it is plaintext."""
    options = _options(target)
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.ca,
        private_key=tls.private_key or None,
        certificate_chain=tls.certificate or None,
    )
    return grpc.aio.secure_channel(target, credentials, options=options)


def ended_by(error: grpc.aio.AioRpcError) -> Ended:
    """Return how a call ended that gRPC says has failed."""
    return Ended(
        code=error.code(),
        detail=error.details() or "",
        retry_after_ms=_retry_after_ms(error.trailing_metadata()),
        reason=reason_of(error.trailing_metadata()),
    )


def _retry_after_ms(metadata: Iterable[tuple[str, str | bytes]] | None) -> int:
    """Return the RetryInfo among the details of a status, 0 if there is none."""
    for key, value in metadata or ():
        if key != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        with contextlib.suppress(DecodeError):
            for detail in status_pb2.Status.FromString(value).details:
                retry = error_details_pb2.RetryInfo()
                if detail.Unpack(retry):
                    return min(max(0, int(retry.retry_delay.ToMilliseconds())), RETRY_AFTER_MAX_MS)
    return 0


def reason_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Return the reason among the details of a status, empty if there is none."""
    for key, value in metadata or ():
        if key != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        with contextlib.suppress(DecodeError):
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return ""


async def _finish(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])

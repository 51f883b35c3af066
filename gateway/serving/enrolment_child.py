"""The process at the enrolment port: ``python -m gateway.serving.enrolment_child``.

Flows in: a ``Task`` on standard input, then newer ``Keys``, each a line; calls of strangers, who
prove nothing. Flows out: one line, ``Opened``, on standard output, then an empty one every few
seconds, for as long as it serves; their calls for a certificate to the gateway, at a socket.

gRPC lets a stranger's one small header block take a hundred megabytes and hold Python's lock for
seconds (docs/decisions, record 0043). Here that is this process's trouble: what it takes has a
bound, beyond which it dies and another one begins, and machines sell on.
"""

import asyncio
import ctypes
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, cast

import grpc
import grpc.aio
import msgspec
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.rpc import reflection
from gateway.rpc.identity import server_credentials
from gateway.rpc.options import COMMON, Options, asked_after, at_most
from gateway.rpc.tls import Tls
from gateway.trust.strangers import CALLER, ENROL, ENROLMENT, Pause, SlowBeside
from gateway.v1 import enrolment_service_pb2

Context = grpc.aio.ServicerContext[Any, Any]

MESSAGE_BYTES_MAX = 16_384
MEMORY_MORE_MAX = 512 * 1024 * 1024
"""So much more than it has once it serves. An honest crowd, which fills all connections, takes a
twentieth of it.
"""
WAIT_MAX_S = 20.0
"""No call waits for the gateway longer."""
NO_ANSWER = "the gateway does not answer now: try again in a minute"
BEAT_EVERY_S = 2.0
"""How often it says that it lives: who is stopped, or busy for ever, does not."""
NICE = 5
_STREAMS_MAX = 4
_DIES_FIRST = "1000"
_LIMITS: Options = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 8_192),
    ("grpc.absolute_max_metadata_size", 8_192),
    # gRPC keeps the bounds on metadata only once the other end has acknowledged them.
    ("grpc.http2.settings_timeout", 5_000),
    ("grpc.max_concurrent_streams", _STREAMS_MAX),
    # One call is all that anybody wants here; who holds a connection for it takes another's place.
    ("grpc.max_connection_idle_ms", 5_000),
    ("grpc.max_connection_age_ms", 20_000),
    ("grpc.max_connection_age_grace_ms", 5_000),
)
_DESK: Options = (
    ("grpc.max_receive_message_length", 1_048_576),
    ("grpc.enable_retries", 0),
    # A gateway that is busy for a moment is tried again soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What its TLS shows, as PEM texts; empty for plaintext."""

    certificate: bytes = b""
    private_key: bytes = b""

    @property
    def tls(self) -> Tls:
        """The same for gRPC."""
        return Tls(certificate=self.certificate, private_key=self.private_key)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, at which socket to ask the gateway, how many may be connected, and how much
    more memory may be taken than is once it serves.
    """

    address: str
    desk: str
    connections_max: int
    memory_more_max: int = MEMORY_MORE_MAX
    keys: Keys | None = None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The port; 0: nobody can listen there."""

    port: int


class NewerKeys:
    """Has the newest keys, until a handshake has asked for them."""

    def __init__(self) -> None:
        self._present: Tls | None = None
        self._newer: Tls | None = None

    def give(self, keys: Keys) -> None:
        """Use these from the next handshake on."""
        self._newer = keys.tls

    def __call__(self) -> Tls | None:
        """Return what is to be used from now on; None: what is in use."""
        newer, self._newer = self._newer, None
        self._present = newer or self._present
        return newer

    def to_come(self) -> Tls | None:
        """Return what the next handshake is to use; None: what it began with."""
        return self._newer or self._present


class Relay:
    """Asks the gateway what a stranger asked, and answers what it answers."""

    def __init__(self, desk: grpc.aio.Channel) -> None:
        # Bytes as they are: to read them is the gateway's.
        self._enrol: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = desk.unary_unary(ENROL)

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the table of the listener."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
            self.enrol
        )
        return grpc.method_handlers_generic_handler(ENROLMENT.full_name, {"Enrol": method})

    async def enrol(self, request: bytes, context: Context) -> bytes:
        """Hand it on, with the name of whoever asks."""
        left = cast("float | None", context.time_remaining())  # None: the caller set no deadline
        try:
            answer: bytes = await self._enrol(
                request,
                timeout=min(WAIT_MAX_S, WAIT_MAX_S if left is None else left),
                metadata=((CALLER, context.peer()),),
            )
        except grpc.aio.AioRpcError as error:
            trailers = tuple(error.trailing_metadata() or ())
            # Without details it is gRPC that speaks, of sockets that are nobody's business.
            sentence = (error.details() or "") if trailers else NO_ANSWER
            await context.abort(error.code(), sentence, trailers)
        return answer


async def opened(
    task: Task,
    desk: grpc.aio.Channel,
    *,
    renewed: NewerKeys,
    monotonic: Callable[[], float] = time.monotonic,
    pause: Pause = asyncio.sleep,
) -> tuple[grpc.aio.Server, int]:
    """Return a server that serves, and its port. Raises RuntimeError if nobody can listen there."""
    server = grpc.aio.server(
        interceptors=(SlowBeside(monotonic, pause),),
        options=(*COMMON, *asked_after(), *at_most(task.connections_max), *_LIMITS),
    )
    server.add_generic_rpc_handlers((Relay(desk).handler(),))
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names, tables = reflection.handlers(
        (
            enrolment_service_pb2.DESCRIPTOR,
            cast("FileDescriptor", health_pb2.DESCRIPTOR),
        )
    )
    server.add_generic_rpc_handlers(tables)
    if task.keys is None:
        port = server.add_insecure_port(task.address)
    else:
        keys = task.keys
        tls = Tls(certificate=keys.certificate, private_key=keys.private_key, renewed=renewed)
        port = server.add_secure_port(task.address, server_credentials(tls))
    await server.start()
    for name in ("", *names):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    return server, port


def desk_at(path: str) -> grpc.aio.Channel:
    """Return the way to the gateway. gRPC takes the path for a URI, in which "%20" is a blank."""
    return grpc.aio.insecure_channel(f"unix:{path.replace('%', '%25')}", options=_DESK)


def bound_memory(more: int) -> int | None:
    """Let this process have so much more than it has now, and return all that it may have; None
    where no system says what it has.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    lines = (line.split() for line in status.splitlines())
    has = next((int(words[1]) for words in lines if words[:1] == ["VmData:"]), None)
    if has is None:
        return None
    most, given = has * 1024 + more, resource.getrlimit(resource.RLIMIT_DATA)[1]
    if given != resource.RLIM_INFINITY:  # to ask for more than was given is an error
        most = min(most, given)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    return most


def _die(*_told: object) -> NoReturn:
    """End at once: half of a process that has no memory left serves nobody."""
    os._exit(70)


def _be_the_first_to_die() -> None:
    os.nice(NICE)
    # A picture of its memory would hold the private key.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_DIES_FIRST)
    # One arena: what a burst took is given back to the next one, not kept in eight of them.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(-8, 1)


def _listen_to_the_gateway(renewed: NewerKeys, task: Task) -> None:
    """Take newer keys; end with the gateway, however that ended, and leave no socket of its."""
    for line in sys.stdin.buffer:
        renewed.give(msgspec.json.decode(line, type=Keys))
    desk = Path(task.desk)
    with suppress(OSError):
        desk.unlink(missing_ok=True)
        desk.parent.rmdir()
    os._exit(0)


def _told(hook: Callable[..., object]) -> Callable[..., object]:
    def heard(told: Any) -> None:
        if issubclass(told.exc_type or Exception, MemoryError):
            _die()
        hook(told)

    return heard


async def serve() -> None:
    """Do the task, until the gateway is gone."""
    renewed = NewerKeys()
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    loop = asyncio.get_running_loop()

    def failed(loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        if isinstance(told.get("exception"), MemoryError):
            _die()
        loop.default_exception_handler(told)

    loop.set_exception_handler(failed)
    threading.excepthook = _told(threading.excepthook)
    sys.unraisablehook = _told(sys.unraisablehook)
    async with desk_at(task.desk) as desk:
        try:
            server, port = await opened(task, desk, renewed=renewed)
        except RuntimeError:  # gRPC does not say why
            _say(msgspec.json.encode(Opened(port=0)))
            return
        bound_memory(task.memory_more_max)
        _say(msgspec.json.encode(Opened(port=port)))
        await _until_over(server, asyncio.to_thread(_listen_to_the_gateway, renewed, task))


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


async def _beat() -> None:
    while True:
        await asyncio.sleep(BEAT_EVERY_S)
        with suppress(OSError):  # the gateway is gone, which standard input tells
            _say(b"")


async def _until_over(server: grpc.aio.Server, listening: Coroutine[Any, Any, None]) -> None:
    """Serve until the gateway is gone. gRPC ends a server whose own work failed, for example
    because no memory was left, and tells nobody: then the process dies, and another one begins.
    """
    ended = asyncio.create_task(server.wait_for_termination())
    heard = asyncio.create_task(listening)
    beating = asyncio.create_task(_beat())
    await asyncio.wait((ended, heard, beating), return_when=asyncio.FIRST_COMPLETED)
    if heard.done():
        heard.result()
    _die()


def main() -> None:
    """Entry point."""
    _be_the_first_to_die()
    try:
        asyncio.run(serve())
    except MemoryError:
        _die()


if __name__ == "__main__":
    main()

"""The gRPC listeners: one for machines, one for administrators. Each has its own port, its own TLS,
its own health and reflection. What strangers reach, who come for a certificate, is another
process (``enrolment_child``), which asks here at a socket.

Flows in: services, an address, limits. Flows out: a ``Listener`` that is bound and not yet serving.
Without TLS a listener binds nothing but loopback: behind its port is money.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import grpc
import grpc.aio
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.machines.service import MachineService
from gateway.office import services
from gateway.process.addresses import ListenRefused, cannot_listen, why_not
from gateway.process.sections import Address, is_loopback_host
from gateway.rpc import reflection
from gateway.rpc.identity import server_credentials
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.options import COMMON, CONNECTIONS_MAX, QUIET_MS, Options, asked_after, at_most
from gateway.rpc.prompt import HEALTH_WATCH, WITHIN_S, Prompt
from gateway.rpc.tls import Tls
from gateway.serving import unix_socket
from gateway.serving.enrolment_child import MESSAGE_BYTES_MAX
from gateway.serving.unix_socket import Socket
from gateway.v1 import machine_service_pb2, renewal_service_pb2

_ADMIN: Options = (
    ("grpc.max_concurrent_streams", 100),
    # A client that comes back after a while opens another connection without being asked.
    ("grpc.max_connection_idle_ms", 300_000),
)

_BEAT_LATE_MS = 5_000
"""A machine is pinged when its heartbeat is so late. At the heartbeat's own interval each beat
would race a ping, and thousands that rest would be pinged for nothing.
"""

_DESK: Options = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 8_192),
    ("grpc.absolute_max_metadata_size", 8_192),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A server that is bound to ``port``. ``start`` it; before the end say ``not_serving``, drain,
    then ``stop``.
    """

    server: grpc.aio.Server
    port: int
    services: tuple[str, ...]
    health: health.aio.HealthServicer
    leave: Callable[[], None] = lambda: None
    """Takes away what the listener made for itself: its socket."""

    async def start(self) -> None:
        """Serve."""
        await self.server.start()
        for name in ("", *self.services):
            await self.health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def not_serving(self) -> None:
        """Tell load balancers to send nobody here any more; what is open goes on."""
        for name in ("", *self.services):
            await self.health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, *, grace_s: float) -> None:
        """Refuse new calls; cancel what is left after ``grace_s``."""
        self.leave()
        await self.server.stop(grace_s)


def build_machine_server(
    service: MachineService,
    *,
    address: str,
    tls: Tls | None = None,
    renewal: grpc.GenericRpcHandler | None = None,
    connections_max: int = CONNECTIONS_MAX,
) -> Listener:
    """Bind the machines' listener to ``address`` ("host:port", port 0 for any). Raises
    ListenRefused.

    With ``tls`` every machine must show a certificate of its ``client_ca``. A connection beyond
    ``connections_max`` is closed as soon as it is accepted. ``renewal`` renews certificates; None:
    nobody does here.
    """
    if tls is not None and not tls.client_ca:
        raise ListenRefused(
            f"the machines' listener {address} has a certificate but no CA for machines: "
            "configure the CA of their certificates"
        )
    server = grpc.aio.server(
        interceptors=(_prompt(service.limits.hello_timeout_s),),
        options=(*COMMON, *at_most(connections_max), *_machine_options(service.limits)),
    )
    server.add_generic_rpc_handlers((service.handlers(), *(() if renewal is None else (renewal,))))
    return _listener(
        server,
        files=(
            machine_service_pb2.DESCRIPTOR,
            *(() if renewal is None else (renewal_service_pb2.DESCRIPTOR,)),
        ),
        address=address,
        tls=tls,
        audience="machines",
    )


def build_enrolment_desk(enrolment: grpc.GenericRpcHandler, socket: Socket) -> grpc.aio.Server:
    """Bind the socket by which the process at the enrolment port asks what strangers asked it.
    Raises ListenRefused.
    """
    server = grpc.aio.server(options=(*COMMON, *asked_after(), *at_most(_DOORS_MAX), *_DESK))
    server.add_generic_rpc_handlers((enrolment,))
    unix_socket.bind(server, socket)
    return server


def build_admin_server(
    add_services: Callable[[grpc.aio.Server], None],
    *,
    door: grpc.aio.ServerInterceptor,
    address: str,
    tls: Tls | None = None,
    socket: Socket | None = None,
    connections_max: int = CONNECTIONS_MAX,
) -> Listener:
    """Bind the administrators' listener to ``address`` and, if there is one, to its ``socket``.
    ``add_services`` registers what ``gateway.office.services`` names; ``door`` lets callers in.
    Raises ListenRefused.
    """
    server = grpc.aio.server(
        interceptors=(_prompt(WITHIN_S), door),
        options=(*COMMON, *asked_after(), *at_most(connections_max), *_ADMIN),
    )
    add_services(server)
    leave = (lambda: None) if socket is None else unix_socket.bind(server, socket)
    return _listener(
        server,
        files=services.FILES,
        address=address,
        tls=tls,
        audience="administrators",
        leave=leave,
    )


_DOORS_MAX = 4
"""One process asks; the one before it may not be wholly gone."""
_FOR_EVER = 2**31 - 1
"""What gRPC takes for "without an end"."""


def _prompt(within_s: float) -> Prompt:
    """Return what ends calls that only hold a connection."""
    names = (reflection.NAME, reflection.ALPHA_NAME)
    asked = {f"/{name}/ServerReflectionInfo" for name in names}
    return Prompt(passing={HEALTH_WATCH, *asked}, within_s=within_s)


def _machine_options(limits: EdgeLimits) -> Options:
    # Not minimal_stack: it leaves out the filters that keep the bounds on message size and
    # connection age.
    return (
        *asked_after(max(QUIET_MS, limits.heartbeat_interval_ms + _BEAT_LATE_MS)),
        ("grpc.max_receive_message_length", limits.message_bytes_max),
        ("grpc.max_metadata_size", limits.metadata_bytes_max),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes_max),
        ("grpc.max_concurrent_streams", limits.streams_per_connection_max),
        # The defaults (1000, 3000) refuse machines at random when thousands come back at once.
        ("grpc.server.max_pending_requests", limits.streams_max),
        ("grpc.server.max_pending_requests_hard_limit", 2 * limits.streams_max),
        # A connection without a stream is nobody's: a machine opens its stream at once.
        ("grpc.max_connection_idle_ms", limits.connection_idle_max_ms),
        # An old connection takes no further stream. The one that is open goes on: its machine is
        # asked to move, and gRPC, which knows nothing of vends, must not cut it.
        ("grpc.max_connection_age_ms", limits.stream_age_max_ms),
        ("grpc.max_connection_age_grace_ms", _FOR_EVER),
    )


def _listener(
    server: grpc.aio.Server,
    *,
    files: Sequence[FileDescriptor],
    address: str,
    tls: Tls | None,
    audience: str,
    leave: Callable[[], None] = lambda: None,
) -> Listener:
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names, tables = reflection.handlers((*files, cast("FileDescriptor", health_pb2.DESCRIPTOR)))
    server.add_generic_rpc_handlers(tables)
    try:
        port = _bind(server, address=address, tls=tls, audience=audience)
    except RuntimeError:  # gRPC does not say why
        where = Address.parse(address)
        setting = f"{'admin' if audience == 'administrators' else audience}.listen"
        raise cannot_listen(where, setting=setting, error=why_not(where)) from None
    return Listener(server=server, port=port, services=names, health=servicer, leave=leave)


def _bind(server: grpc.aio.Server, *, address: str, tls: Tls | None, audience: str) -> int:
    if tls is not None:
        return server.add_secure_port(address, server_credentials(tls))
    if not is_loopback(address):
        raise ListenRefused(
            f"refusing to listen on {address} for {audience} without TLS: configure a "
            "certificate, its private key and the CA of the "
            f"{audience}' certificates for this listener, or listen on 127.0.0.1"
        )
    return server.add_insecure_port(address)


def is_loopback(address: str) -> bool:
    """Return whether only this computer can reach ``address`` ("host:port" or "unix:path")."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    return is_loopback_host(address.rpartition(":")[0].strip("[]"))

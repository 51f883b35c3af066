"""What all gRPC listeners have in common. Little is imported here: a process of its own, which must
start soon, asks for it too.
"""

from collections.abc import Sequence
from typing import Any

Options = Sequence[tuple[str, Any]]

QUIET = "GRPC_VERBOSITY"
"""A variable of gRPC's. At its default gRPC writes a line, which nobody counts and which names no
address, for each handshake that a stranger lets fail; at ERROR it writes what is wrong with us.
"""
CONNECTIONS_MAX = 1_000_000
"""More than one process can have: no bound but the process's own."""

QUIET_MS = 20_000
"""Who has sent nothing for so long is asked by a ping whether they are there."""

COMMON: Options = (
    ("grpc.so_reuseport", 0),  # a second gateway on the same port must fail, not steal streams
    ("grpc.http2.bdp_probe", 0),  # saves a ping for each burst on each connection
    ("grpc.enable_channelz", 0),
    # From the accept to the client's first HTTP/2 frame, TLS between them: who stays silent goes.
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    (
        "grpc.http2.ping_timeout_ms",
        10_000,
    ),  # its default, a minute, would outlast keepalive_timeout
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


def asked_after(quiet_ms: int = QUIET_MS) -> Options:
    """Return that a client is pinged when it has sent nothing for so many milliseconds."""
    return (("grpc.keepalive_time_ms", quiet_ms),)


def at_most(connections: int) -> Options:
    """Return the bound on connections: one more is closed as soon as it is accepted."""
    return (("grpc.max_allowed_incoming_connections", connections),)

"""HAProxy's configuration for the cluster: connections, not calls. Pure.

Flows in: where the balancer and the gateways listen. Flows out: the text of a configuration. It is
that of ``deploy/compose/haproxy.cfg``, with addresses of this computer.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INSTALL = "install HAProxy, on Debian with: apt-get install haproxy"
_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
"""Debian keeps it out of a user's PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One gateway: host:port of each of its doors."""

    name: str
    machines: str
    http: str
    health: str


def program() -> str | None:
    """Return HAProxy's path, or None if it is not installed."""
    found = shutil.which("haproxy")
    return found or next(
        (path for one in _FOLDERS if Path(path := f"{one}/haproxy").exists()), None
    )


def configuration(*, machines: str, http: str, servers: Sequence[Server]) -> str:
    """Return the configuration of a balancer that listens at ``machines`` and at ``http`` for
    notifications.
    """
    lines = [
        "# Made by vendgate cluster.",
        "global",
        "  maxconn 4000",
        "defaults",
        "  mode tcp",
        "  timeout connect 1s",
        "  timeout client 10m",
        "  timeout server 10m",
        "  retries 2",
        "  option redispatch",
        "  option httpchk",
        "  http-check send meth GET uri /readyz",
        "  http-check expect status 200",
        "  timeout check 1s",
        "  balance leastconn",
    ]
    for name, address in (("machines", machines), ("notifications", http)):
        lines += [f"listen {name}", f"  bind {address}"]
        for server in servers:
            to = server.machines if name == "machines" else server.http
            health = server.health.rpartition(":")[2]
            lines.append(f"  server {server.name} {to} check port {health} inter 1s fall 2 rise 1")
    return "\n".join(lines) + "\n"

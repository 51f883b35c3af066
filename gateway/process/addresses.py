"""What is said of an address on which nothing can listen: which setting names it, why it cannot be,
and what to do.
"""

import errno
import ipaddress
import os
import re
import socket
from pathlib import Path

from gateway.process.sections import Address, is_loopback_host

_UNRESOLVED = {socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_NODATA}
SOCKET_PATH_MAX = 107
"""Of a Unix socket, in bytes: Linux has 108, with a zero at the end."""
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+-]*")


class ListenRefused(Exception):
    """The listener was not opened; the sentence says what to change."""


def cannot_listen(address: Address, *, setting: str, error: OSError | None) -> ListenRefused:
    """Return the refusal of a listener whose address stands in ``setting``; ``error`` is the
    system's, None if nobody knows it.
    """
    number = None if error is None else error.errno
    if number == errno.EADDRINUSE:
        why = f"another program listens there, which 'ss -ltnp sport = :{address.port}' names"
        to_do = "end it, or set another port"
    elif number == errno.EADDRNOTAVAIL:
        why, to_do = "this computer has no such address", "set one that it has"
    elif number in {errno.EACCES, errno.EPERM}:
        why, to_do = "this user may not use that port", "set one above 1023"
    elif error is not None and (isinstance(error, socket.gaierror) or number in _UNRESOLVED):
        # socket.create_server raises it as an OSError of no such kind, with a tail of its own.
        said = str(error.strerror).partition(" (while attempting")[0]
        why, to_do = f"its host is not found: {said}", "set an address"
    else:
        why = "the system refuses it" if number is None else os.strerror(number)
        to_do = "set another one"
    return ListenRefused(f"{setting} is {address}, and {why}: {to_do}.")


def why_not(address: Address) -> OSError | None:
    """Return why nobody can listen there now, for libraries that do not tell; None if one can."""
    try:
        opened(address).close()
    except OSError as error:
        return error
    return None


def opened(address: Address, *, backlog: int | None = None) -> socket.socket:
    """Return a socket that listens there. Raises OSError. ``::`` is every address of this computer,
    those of IPv4 too, as it is for gRPC.
    """
    return socket.create_server(
        (address.host, address.port),
        family=socket.AF_INET6 if ":" in address.host else socket.AF_INET,
        backlog=backlog,
        dualstack_ipv6=address.host == "::" and socket.has_dualstack_ipv6(),
    )


def share_port(one: str, other: str) -> bool:
    """Return whether what listens at one host takes a port from the other."""
    both = {one.lower(), other.lower()}
    return (
        len(both) == 1
        or bool(both & {"0.0.0.0", "::"})  # noqa: S104 - only compared
        or ("localhost" in both and all(map(is_loopback_host, both)))
    )


def whoever_has(host: str) -> str:
    """Return what the calls of one address are counted under: the whole of an IPv4 one, the first
    half of an IPv6 one, because whoever has one there has all of it. What is no address is itself.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def can_be_a_socket(path: Path) -> bool:
    """Return whether a Unix socket can be made there whose whole path has no letter that a shell, a
    URL or a client of gRPC takes for something else.
    """
    whole = str(path.absolute())
    return len(whole) <= SOCKET_PATH_MAX and _PLAIN_PATH.fullmatch(whole) is not None

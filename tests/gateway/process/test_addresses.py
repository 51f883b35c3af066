"""An address on which nothing can listen is told with its setting."""

import errno
import os
import socket
from pathlib import Path

import pytest

from gateway.process.addresses import (
    SOCKET_PATH_MAX,
    can_be_a_socket,
    cannot_listen,
    opened,
    share_port,
    why_not,
)
from gateway.process.sections import Address

HERE = Address(host="127.0.0.1", port=7443)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EADDRINUSE, "in use"), "another program listens there, which 'ss -ltnp"),
        (OSError(errno.EADDRNOTAVAIL, "none"), "has no such address: set one that it has"),
        (PermissionError(errno.EACCES, "no"), "may not use that port: set one above 1023"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "its host is not found: unknown"),
        (OSError(errno.EMFILE, "many"), os.strerror(errno.EMFILE)),
        (None, "the system refuses it"),
    ],
)
def test_the_setting_and_what_to_do(error: OSError | None, said: str) -> None:
    """In one sentence, whatever the system says."""
    told = str(cannot_listen(HERE, setting="machines.listen", error=error))
    assert told.startswith("machines.listen is 127.0.0.1:7443, and ")
    assert said in told


def test_why_a_port_cannot_be_had() -> None:
    """It is asked of the system: taken, and free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address(host="127.0.0.1", port=taken.getsockname()[1])
        error = why_not(address)
        assert error is not None
        assert errno.EADDRINUSE == error.errno
    assert why_not(address) is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this computer has no IPv6")
def test_two_colons_are_every_address_of_the_computer() -> None:
    """As at the gRPC listeners: Alipay comes over IPv4 as well, and so may who holds the port."""
    with opened(Address(host="::", port=0)) as everywhere:
        port = everywhere.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port)).close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = why_not(Address(host="::", port=taken.getsockname()[1]))
        assert error is not None
        assert errno.EADDRINUSE == error.errno


def test_a_host_that_nobody_knows() -> None:
    """The system's own words, although the library raises it as no error of resolving."""
    nowhere = Address(host="nowhere.invalid", port=7443)
    error = why_not(nowhere)
    told = str(cannot_listen(nowhere, setting="http.listen", error=error))
    assert told.startswith("http.listen is nowhere.invalid:7443, and its host is not found: ")
    assert "while attempting" not in told


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("LOCALHOST", "localhost", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("localhost", "10.0.0.1", False),
    ],
)
def test_which_hosts_share_a_port(one: str, other: str, shared: bool) -> None:
    """The same one, any of all, and the names of this computer."""
    assert shared is share_port(one, other) is share_port(other, one)


def test_which_paths_a_socket_can_have() -> None:
    """Short ones, of letters that mean themselves everywhere."""
    longest = "/" + "x" * (SOCKET_PATH_MAX - 1)
    for path, can in ((longest, True), (longest + "x", False), ("/a b/s", False), ("/é/s", False)):
        assert can is can_be_a_socket(Path(path))

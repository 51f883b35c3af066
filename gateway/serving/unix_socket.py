"""The administrators' socket: a file, whose permissions say who may open it.

Flows in: a path and a mode. Flows out: a socket that is bound to a gRPC server. One that a gateway
left behind is taken away; one that somebody serves is not.
"""

import os
import socket as sockets
import stat
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from gateway.process.addresses import SOCKET_PATH_MAX, ListenRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """Where it is, who may open it (permission bits, for example 0o600), and which setting says
    where.
    """

    path: Path
    mode: int
    setting: str = "admin.socket_file"


def bind(server: grpc.aio.Server, socket: Socket) -> None:
    """Bind the server to the socket, which nobody can open before its mode is set. Raises
    ListenRefused.
    """
    _make_room(socket)
    before = os.umask(0o777 & ~socket.mode)
    try:
        # gRPC takes it for a URI, in which "%20" is a blank.
        server.add_insecure_port(f"unix:{str(socket.path).replace('%', '%25')}")
    except RuntimeError:
        raise _refused(
            socket, "it cannot be made there: name a folder that this user may write"
        ) from None
    finally:
        os.umask(before)


def _make_room(socket: Socket) -> None:
    path = socket.path
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        raise _refused(
            socket, f"its path has more than {SOCKET_PATH_MAX} bytes: name a shorter one"
        )
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise _refused(socket, "something else is there: name another path")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(socket, f"it cannot be reached ({error.strerror})") from None
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as trying:
        trying.settimeout(1.0)
        try:
            trying.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except PermissionError:
            raise _refused(socket, "another user's gateway serves it: name another path") from None
        except OSError:  # who serves it is too busy to accept
            raise _refused(socket, "another gateway serves it: give each its own") from None
        else:
            raise _refused(socket, "another gateway serves it: give each its own")


def _refused(socket: Socket, why: str) -> ListenRefused:
    return ListenRefused(f"{socket.setting} is {socket.path}, and {why}.")

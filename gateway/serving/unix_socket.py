"""The administrators' socket: a file, whose permissions say who may open it.

Flows in: a path and a mode. Flows out: a socket that is bound to a gRPC server. One that a gateway
left behind is taken away; one that somebody serves is not, neither at the start nor at the end.

gRPC takes away whatever stands under the name that it bound, when it stops. So it binds a name that
nobody else has, and the file is called as it shall be afterwards.
"""

import fcntl
import os
import secrets
import socket as sockets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from gateway.process.addresses import SOCKET_PATH_MAX, ListenRefused

LOCKED_MAX_S = 5.0
"""So long a gateway waits for others that make or take away theirs in the same folder."""
_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """Where it is, and who may open it: permission bits, for example 0o600."""

    path: Path
    mode: int
    setting: str = "admin.socket_file"


def bind(server: grpc.aio.Server, socket: Socket) -> Callable[[], None]:
    """Bind the server to the socket, which nobody can open before its mode is set; return what
    takes it away, to be called before the server stops. Raises ListenRefused.
    """
    path = socket.path
    aside = path.with_name(f".{secrets.token_hex(8)}"[: max(2, len(path.name))])
    _check(socket)
    with _locked(socket, within_s=LOCKED_MAX_S):
        _make_room(socket)
        before = os.umask(0o777 & ~socket.mode)
        try:
            # gRPC takes it for a URI, in which "%20" is a blank.
            server.add_insecure_port(f"unix:{str(aside).replace('%', '%25')}")
            made = _which(aside)
            aside.replace(path)
        except (RuntimeError, OSError):
            raise _cannot_be_made(socket) from None
        finally:
            os.umask(before)
    return lambda: _take_away(socket, made)


def _which(path: Path) -> tuple[int, int]:
    """Return which file it is, whatever it is called. The number is nobody else's for as long as
    its socket is open.
    """
    there = path.lstat()
    return there.st_dev, there.st_ino


def _take_away(socket: Socket, made: tuple[int, int]) -> None:
    """Take the socket away if it is still ours. Where somebody is at theirs, or nothing can be
    removed, it stays: the next gateway finds that nobody serves it.
    """
    try:
        with _locked(socket, within_s=0.0):
            if _which(socket.path) == made:
                socket.path.unlink()
    except (ListenRefused, OSError):
        return


@contextmanager
def _locked(socket: Socket, *, within_s: float) -> Iterator[None]:
    """Let no other gateway look at, make or take away a socket in this folder. Raises
    ListenRefused.
    """
    try:
        folder = os.open(socket.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise _cannot_be_made(socket) from None
    until = time.monotonic() + within_s
    try:
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    why = "another program holds its folder locked: end it, or name another folder"
                    raise _refused(socket, why) from None
                time.sleep(_AGAIN_S)
        yield
    finally:
        os.close(folder)


def _check(socket: Socket) -> None:
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


def _make_room(socket: Socket) -> None:
    """See that nobody serves what is there; what was left behind is replaced."""
    path = socket.path
    _check(socket)
    if not path.exists():
        return
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as trying:
        trying.settimeout(1.0)
        try:
            trying.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except PermissionError:
            raise _refused(socket, "another user's gateway serves it: name another path") from None
        except OSError:  # who serves it is too busy to accept
            raise _refused(socket, "another gateway serves it: give each its own") from None
        raise _refused(socket, "another gateway serves it: give each its own")


def _cannot_be_made(socket: Socket) -> ListenRefused:
    return _refused(socket, "it cannot be made there: name a folder that this user may write")


def _refused(socket: Socket, why: str) -> ListenRefused:
    return ListenRefused(f"{socket.setting} is {socket.path}, and {why}.")

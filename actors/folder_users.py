"""Who uses a folder: the processes of this user that have something of it open, stand in it, or
were started with its name, as the kernel lists them in /proc; nobody where there is no /proc.

It finds those that a Ray has left behind, which belong to nobody any more and hide their names.
Only who writes there, and is of the kernel's session that we are of, is one of those: people read.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LOOK_EVERY_S = 0.05


def users_of(folder: Path) -> list[int]:
    """Return their process ids, without our own."""
    return [pid for pid in _others() if _uses(pid, str(folder))]


def end_writers_of(folder: Path, *, within_s: float) -> list[int]:
    """Kill those of our session that write there, and wait until they are gone; return those that
    still are not. Blocks.
    """
    until = time.monotonic() + within_s
    while left := [pid for pid in _others() if _is_ours(pid, str(folder))]:
        for pid in left:
            _kill(pid, str(folder))
        if time.monotonic() > until:
            return left
        time.sleep(_LOOK_EVERY_S)
    return []


def _others() -> Iterator[int]:
    for entry in _PROC.glob("[0-9]*"):
        pid = int(entry.name)
        with suppress(OSError):  # it has gone meanwhile
            if pid != os.getpid() and entry.stat().st_uid == os.geteuid():
                yield pid


def _kill(pid: int, name: str) -> None:
    """Kill it if it is still the one: its number may have been given to another meanwhile."""
    with suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            if _is_ours(pid, name):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)


def _is_ours(pid: int, name: str) -> bool:
    with suppress(OSError):
        return os.getsid(pid) == os.getsid(0) and any(_written(pid, name))
    return False


def _uses(pid: int, name: str) -> bool:
    entry = _PROC / str(pid)
    with suppress(OSError):
        words = os.fsdecode((entry / "cmdline").read_bytes()).split("\0")
        named = (word.rpartition("=")[2] for word in words)
        return any(_is_in(one, name) for one in named) or any(
            _is_in(_target(link), name) for link in (entry / "cwd", *(entry / "fd").iterdir())
        )
    return False


def _written(pid: int, name: str) -> Iterator[Path]:
    """Yield the descriptors through which it writes there."""
    for link in (_PROC / str(pid) / "fd").iterdir():
        if _is_in(_target(link), name):
            said = (link.parent.parent / "fdinfo" / link.name).read_text().split()
            if int(said[said.index("flags:") + 1], 8) & (os.O_WRONLY | os.O_RDWR):
                yield link


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")

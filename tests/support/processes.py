"""Who runs: the processes below another one, as the kernel lists them."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path


def command_line(pid: int) -> bytes:
    """The process's command line; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def environment(pid: int) -> list[bytes]:
    """The variables that the process was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not asked about yet does not."""
    try:
        return _fields(Path(f"/proc/{pid}/stat"))[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """Every living process below this one."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
        except OSError:
            continue
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def listening(pids: Iterable[int]) -> dict[str, int]:
    """Where these processes listen on TCP, as the kernel writes addresses: the port, and which
    process it is.
    """
    owners = {inode: pid for pid in pids for inode in _sockets(pid)}
    found: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in owners:
                found[words[1]] = owners[words[9]]
    return found


def _sockets(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.append(target[len("socket:[") : -1])
    return found


async def gone(pids: Iterable[int], timeout_s: float) -> list[str]:
    """Wait until none of them runs; return the command lines of those that still do then."""
    until = time.monotonic() + timeout_s
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return [
        f"{pid} {command_line(pid).replace(bytes(1), b' ').decode(errors='replace')}"
        for pid in left
    ]


def _fields(stat: Path) -> list[str]:
    return stat.read_text().rpartition(")")[2].split()

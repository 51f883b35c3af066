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

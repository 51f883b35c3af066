"""What processes cost, as the kernel counts it in ``/proc``: processor time, memory, children.

Flows in: process ids. Flows out: seconds and bytes. A process that is gone costs nothing.
"""

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PARENT, _USER, _SYSTEM, _RESIDENT = 1, 11, 12, 21
"""Places in ``/proc/PID/stat`` behind the program's name (proc(5)), counted from 0."""


def counts_are_there() -> bool:
    """Return whether this system counts so."""
    return Path("/proc/self/stat").exists()


def cpu_s(pids: Iterable[int]) -> float:
    """Return the processor time that the processes have used since their starts."""
    found = [_fields(pid) for pid in pids]
    return sum((int(one[_USER]) + int(one[_SYSTEM])) / _TICKS_PER_S for one in found if one)


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the memory that is resident, what is shared with others included."""
    found = [_fields(pid) for pid in pids]
    return sum(int(one[_RESIDENT]) * _PAGE_BYTES for one in found if one)


def with_descendants(pid: int) -> list[int]:
    """Return the process and every one below it."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if fields := _fields(int(entry.name)):
            below.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found, waiting = [pid], [pid]
    while waiting:
        children = below.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def load() -> float:
    """Return how many processes wanted to run in the last minute, on average."""
    return os.getloadavg()[0]


def _fields(pid: int) -> list[str]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()

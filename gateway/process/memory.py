"""How much memory this process has, and how much there is for it.

Flows in: what Linux says of the process, of its control groups and of the computer. Flows out: two
numbers; None where no system says them.
"""

from dataclasses import dataclass
from os import sysconf
from pathlib import Path

_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """``resident``: this process's own. ``limit``: of the narrowest of its control groups, else all
    that the computer has; others may share it.
    """

    resident: int
    limit: int


def memory(*, proc: Path = _PROC, groups: Path = _GROUPS) -> ProcessMemory | None:
    """Return what there is now."""
    try:
        pages = int((proc / "self" / "statm").read_text().split()[1])
        total = next(
            int(line.split()[1]) * 1_024
            for line in (proc / "meminfo").read_text().splitlines()
            if line.startswith("MemTotal:")
        )
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    return ProcessMemory(
        resident=pages * sysconf("SC_PAGE_SIZE"), limit=min(total, *_limits(proc, groups))
    )


def _limits(proc: Path, groups: Path) -> list[int]:
    """Return the limits of its control group and of those around it; where a container sees only
    its own, that is the topmost.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = []
    own = next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
    found = [_NO_LIMIT]
    for group in (groups / own, *(groups / own).parents):
        try:
            found.append(int((group / "memory.max").read_text()))
        except (OSError, ValueError):  # the topmost has no such file; "max" is no number
            continue
    return found


_NO_LIMIT = 2**63

"""What there is of memory, as Linux says it."""

import os
from pathlib import Path

from gateway.process.memory import memory

GIB = 1024**3


def _linux(folder: Path, *, group: str, limits: dict[str, str]) -> dict[str, Path]:
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "statm").write_text("9999 1000 500 1 0 300 0\n")
    (folder / "proc" / "self" / "cgroup").write_text(f"0::{group}\n")
    (folder / "proc" / "meminfo").write_text("MemTotal:  8388608 kB\nMemFree: 1 kB\n")
    for name, limit in limits.items():
        place = folder / "groups" / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "memory.max").write_text(limit + "\n")
    return {"proc": folder / "proc", "groups": folder / "groups"}


def test_the_narrowest_group_is_the_limit(tmp_path: Path) -> None:
    """That of the service, or of a slice around it; without one it is the computer's."""
    there = _linux(
        tmp_path / "slice",
        group="/system.slice/vendgate.service",
        limits={"system.slice": str(3 * GIB), "system.slice/vendgate.service": "max"},
    )
    found = memory(**there)
    assert found is not None
    assert (1000 * os.sysconf("SC_PAGE_SIZE"), 3 * GIB) == (found.resident, found.limit)
    alone = memory(**_linux(tmp_path / "alone", group="/", limits={}))
    assert alone is not None
    assert 8 * GIB == alone.limit
    contained = memory(**_linux(tmp_path / "pod", group="/", limits={"": str(2 * GIB)}))
    assert contained is not None
    assert 2 * GIB == contained.limit


def test_where_no_system_says_it_nothing_is_told(tmp_path: Path) -> None:
    """An alarm on a guess would be worse than none."""
    assert memory(proc=tmp_path, groups=tmp_path) is None

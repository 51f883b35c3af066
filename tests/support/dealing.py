"""Which tests one worker runs one after the other, and which are begun first, where pytest-xdist
deals them (``--dist loadgroup``).

A worker compiles each statement once, and makes once what a file's tests share. So a file is dealt
as a whole, and with it its folder where a folder's files send the same SQL. What takes long by the
clock is begun first, and the smallest at the end, so that all workers end at the same time.

Flows in: a test's id and the group that it is marked with. Flows out: its group, and their order.
"""

from collections import Counter
from collections.abc import Sequence

FIRST = ("processes", "postgres", "worlds", "browser")
"""Minutes each, most of them spent waiting for programs."""
SLOW_BY_THE_CLOCK = ("gateway/serving/", "gateway/books/", "gateway/certify/", "deploy/")
"""Where tests wait too, each of them for seconds."""
TOGETHER = ("storage/", "gateway/office/", "gateway/fleet/")


def group_of(nodeid: str, marked: str = "") -> str:
    """Return the group: the one that it is marked with, or its place below ``tests``."""
    if marked:
        return marked
    path = nodeid.partition("::")[0].removeprefix("tests/").removesuffix(".py")
    return path.rpartition("/")[0] if path.startswith(TOGETHER) else path


def dealt(groups: Sequence[str]) -> list[int]:
    """Return the places of the tests, whose groups these are, in the order in which they are
    dealt.
    """
    sizes = Counter(groups)

    def turn(place: int) -> tuple[int, int, str]:
        group = groups[place]
        if group in FIRST:
            return FIRST.index(group), 0, group
        return len(FIRST) + (not group.startswith(SLOW_BY_THE_CLOCK)), -sizes[group], group

    return sorted(range(len(groups)), key=turn)

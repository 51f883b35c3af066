"""When goods were approved, as SQL tells it, and how long nobody got any. Pure.

Flows in: vends, some of them often. Flows out: the first one after a moment, of some machines or of
all, and the longest pause.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping

from storage.fleet.views import VendView

APPROVED = ("APPROVED", "SUCCEEDED", "FAILED", "IN_DOUBT")
"""The statuses of those that were approved: what became of the goods is another question."""
VENDS_MAX = 50_000
"""So many are remembered: more than come during the longest blow."""
LATE_MS = 60_000
"""How long a request may wait for its payment, and more."""


class Vends:
    """Approved requests for goods by when they were decided, in milliseconds since 1970 UTC."""

    def __init__(self, host_of: Mapping[str, int]) -> None:
        self._host_of = host_of
        self._at: dict[str, tuple[int, str]] = {}

    def saw(self, rows: Iterable[VendView]) -> None:
        """Note those that were approved."""
        for row in rows:
            if row.status in APPROVED:
                self._at.setdefault(row.vend_id, (row.requested_at_ms, row.machine_id))
        while len(self._at) > VENDS_MAX:
            del self._at[next(iter(self._at))]  # the one that was seen first

    def first(self, after_ms: int, hosts: Collection[int] | None = None) -> int | None:
        """Return when the first one was asked for after that moment, at a machine of these hosts;
        None if none was.
        """
        return min(
            (
                at_ms
                for at_ms, machine_id in self._at.values()
                if at_ms > after_ms and (hosts is None or self._host_of[machine_id] in hosts)
            ),
            default=None,
        )

    def pause_s(self, from_ms: int, until_ms: int) -> float:
        """Return the longest time without any in that span, in seconds."""
        inside = sorted(at_ms for at_ms, _ in self._at.values() if from_ms < at_ms < until_ms)
        edges = [from_ms, *inside, until_ms]
        return max(b - a for a, b in itertools.pairwise(edges)) / 1_000

"""The timers of all machines of a host: one heap, at most one live entry for each machine.

Flows in: each machine's next deadline after each of its turns. Flows out: the machines whose time
has come. A deadline that moves later leaves its old entry where it is; when that entry comes up,
the machine's present deadline is read. So the usual "five more minutes" costs nothing.
"""

import heapq
from collections.abc import Callable

from actors.machine.ids import MachineId

_STALE_KEPT = 1_024


class Timers:
    """Deadlines in milliseconds since 1970 UTC, one for each machine. ``rang`` is told of each how
    many milliseconds after its time it was found.
    """

    __slots__ = ("_deadlines", "_heap", "_placed", "_rang")

    def __init__(self, rang: Callable[[int], None] = lambda _late_ms: None) -> None:
        self._rang = rang
        self._deadlines: dict[MachineId, int] = {}
        self._placed: dict[MachineId, int] = {}
        self._heap: list[tuple[int, MachineId]] = []

    def __len__(self) -> int:
        return len(self._deadlines)

    def arm(self, machine_id: MachineId, deadline_ms: int | None) -> None:
        """Set the machine's only deadline, or take it away."""
        if deadline_ms is None:
            self._deadlines.pop(machine_id, None)
            return
        self._deadlines[machine_id] = deadline_ms
        placed = self._placed.get(machine_id)
        if placed is None or deadline_ms < placed:
            self._place(machine_id, deadline_ms)

    def due(self, now_ms: int) -> list[MachineId]:
        """Take out and return the machines whose deadline is not after ``now_ms``, earliest
        first.
        """
        machines: list[MachineId] = []
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, machine_id = heapq.heappop(self._heap)
            if self._placed.get(machine_id) != at_ms:
                continue  # an earlier entry took this one's place
            del self._placed[machine_id]
            deadline_ms = self._deadlines.get(machine_id)
            if deadline_ms is None:
                continue
            if deadline_ms > now_ms:
                self._place(machine_id, deadline_ms)
            else:
                del self._deadlines[machine_id]
                machines.append(machine_id)
                self._rang(now_ms - deadline_ms)
        return machines

    def next_at_ms(self) -> int | None:
        """Return when to ask ``due`` again: never later than the earliest deadline."""
        return self._heap[0][0] if self._heap else None

    def _place(self, machine_id: MachineId, at_ms: int) -> None:
        self._placed[machine_id] = at_ms
        heapq.heappush(self._heap, (at_ms, machine_id))
        if len(self._heap) > 4 * len(self._placed) + _STALE_KEPT:
            self._heap = [(placed_ms, machine) for machine, placed_ms in self._placed.items()]
            heapq.heapify(self._heap)

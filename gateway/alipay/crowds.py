"""How many notifications are under way at once, and how many of them are one machine's.

Flows in: machines whose notifications come. Flows out: a place for each, or none. One machine has
its share of the places, so that a token that got about closes the door for its own machine at most.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from actors.machine.ids import MachineId

SHARE = 4
"""One machine may have the fourth part of all places."""


class NotifyPlaces:
    """``most`` places in all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: Counter[MachineId] = Counter()

    @property
    def taken(self) -> int:
        """How many there are under way."""
        return self._of.total()

    @contextmanager
    def place(self, machine_id: MachineId) -> Iterator[bool]:
        """Hold a place for as long as the block lasts; False: there is none."""
        share = max(1, self._most // SHARE)
        if self.taken >= self._most or self._of[machine_id] >= share:
            yield False
            return
        self._of[machine_id] += 1
        try:
            yield True
        finally:
            self._of[machine_id] -= 1
            if not self._of[machine_id]:
                del self._of[machine_id]

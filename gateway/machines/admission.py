"""Whose Hello goes to its host next, when many machines come at once.

Flows in: each Hello that is heard, with the link that it would go over, and that its machine is
welcome or gone. Flows out: its turn, or that it had none in time. A host has a few Hellos before it
at a time, so that what customers do is never behind thousands of them, and how quickly it answers
is how quickly they come. Machines in the middle of something go first; then those that were sent
away before; of four turns one goes to who has waited longest of the others, so that nobody waits
for ever.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from actors.machine.ids import MachineId
from actors.ports import StoreError

log = structlog.get_logger()

Look = Callable[[Sequence[MachineId]], Awaitable[Collection[MachineId]]]
_ASKED_AT_ONCE = 500
_OTHERS_EVERY = 4
URGENT, AGAIN, OTHERS = range(3)


@dataclass(eq=False, slots=True)
class _Waiting:
    machine_id: MachineId
    turn: "asyncio.Future[None]"


@dataclass(slots=True)
class _Line:
    """Of one link. ``open``: Hellos that are on their way to a Welcome."""

    open: int = 0
    given: int = 0
    waiting: tuple[dict[_Waiting, None], ...] = field(default_factory=lambda: ({}, {}, {}))

    def __len__(self) -> int:
        return sum(map(len, self.waiting))

    def next(self) -> _Waiting:
        """Take out whose turn it is; somebody waits."""
        self.given += 1
        ranks = self.waiting[::-1] if self.given % _OTHERS_EVERY == 0 else self.waiting
        rank = next(each for each in ranks if each)
        found = next(iter(rank))
        del rank[found]
        return found

    def leave(self, one: _Waiting) -> None:
        """It waits no longer."""
        for rank in self.waiting:
            rank.pop(one, None)

    def hurry(self, machine_ids: Collection[MachineId]) -> None:
        """These machines are in the middle of something."""
        if not machine_ids:
            return  # as mostly in a storm, in which thousands are in line
        for rank in self.waiting[AGAIN:]:
            for one in [each for each in rank if each.machine_id in machine_ids]:
                del rank[one]
                self.waiting[URGENT][one] = None


class Admission:
    """Of one gateway. ``at_once``: so many Hellos one link has; ``wait_s``: so long a Hello waits;
    ``remembered_max``: of so many machines it is known that they were sent away. ``busy`` tells
    which machines are in the middle of something; without it only their own word counts.

    What waits is bounded by the streams that there may be.
    """

    def __init__(
        self, *, at_once: int, wait_s: float, remembered_max: int, busy: Look | None = None
    ) -> None:
        self._at_once = at_once
        self._wait_s = wait_s
        self._remembered_max = remembered_max
        self._busy = busy
        self._lines: dict[int, _Line] = {}
        self._sent_away: OrderedDict[MachineId, None] = OrderedDict()
        # Those of whom nobody asked yet whether they are.
        self._unasked: dict[MachineId, None] = {}
        self._asking: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many Hellos wait for their turn."""
        return sum(len(line) for line in self._lines.values())

    async def turn(self, host: int, machine_id: MachineId, *, urgent: bool) -> bool:
        """Return once it is this Hello's turn, which ends with ``over``; False if that was not soon
        enough, and there is nothing to end.
        """
        line = self._lines.setdefault(host, _Line())
        if line.open < self._at_once and not len(line):
            line.open += 1
            self._sent_away.pop(machine_id, None)
            return True
        one = _Waiting(machine_id, asyncio.get_running_loop().create_future())
        rank = URGENT if urgent else AGAIN if machine_id in self._sent_away else OTHERS
        line.waiting[rank][one] = None
        if not urgent and self._busy is not None:
            self._unasked[machine_id] = None
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask(self._busy))
        try:
            await asyncio.wait([one.turn], timeout=self._wait_s)
        except asyncio.CancelledError:
            if one.turn.done():
                self.over(host)
            raise
        finally:
            line.leave(one)
            self._unasked.pop(machine_id, None)
        if one.turn.done():
            self._sent_away.pop(machine_id, None)
            return True
        self._remember(machine_id)
        return False

    def over(self, host: int) -> None:
        """One whose turn it was is welcome, or gone."""
        line = self._lines[host]
        line.open -= 1
        while len(line) and line.open < self._at_once:
            line.open += 1
            line.next().turn.set_result(None)

    def _remember(self, machine_id: MachineId) -> None:
        self._sent_away[machine_id] = None
        self._sent_away.move_to_end(machine_id)
        while len(self._sent_away) > self._remembered_max:
            self._sent_away.popitem(last=False)

    async def _ask(self, busy: Look) -> None:
        """Let those go first who are in the middle of something, as far as SQL can be asked now."""
        try:
            while self._unasked:
                asked = list(self._unasked)[:_ASKED_AT_ONCE]
                self._forget(asked)
                try:
                    found = set(await busy(asked))
                except StoreError as error:
                    log.warning("which machines are busy cannot be read", error=str(error))
                    found = set()
                for line in self._lines.values():
                    line.hurry(found)
        finally:
            self._asking = None

    def _forget(self, machine_ids: Iterable[MachineId]) -> None:
        for machine_id in machine_ids:
            self._unasked.pop(machine_id, None)

"""Whether machines are registered, asked for many at once.

Flows in: machine ids of Hellos, one by one. Flows out: yes or no. What comes while a question is
under way goes into the next one, so that ten thousand strangers cost some twenty reads, and no host
is asked to load any of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from actors.machine.ids import MachineId
from actors.ports import StoreError

Look = Callable[[Sequence[MachineId]], Awaitable[Collection[MachineId]]]
AT_ONCE_MAX = 500


class Registered:
    """``look`` returns those of the ids that are registered. Raises StoreError when nobody can
    say.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._waiting: dict[MachineId, asyncio.Future[bool]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def has(self, machine_id: MachineId) -> bool:
        """Return whether the machine is registered; True if nobody can say now: its host will."""
        answer = self._waiting.get(machine_id)
        if answer is None:
            answer = self._waiting[machine_id] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(answer)

    async def _ask(self) -> None:
        try:
            while self._waiting:
                some = list(self._waiting)[:AT_ONCE_MAX]
                asked = {machine_id: self._waiting.pop(machine_id) for machine_id in some}
                try:
                    known = set(await self._look(some))
                except StoreError:
                    known = set(some)
                for machine_id, answer in asked.items():
                    answer.set_result(machine_id in known)
        finally:
            self._asking = None

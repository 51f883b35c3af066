"""Machines that a host lets go of, because their partition has been given up.

Flows in: their runners, between two turns: what they decided is saved and released. Flows out: no
word of them any more. What their mailboxes hold, their timers and their calls are left to the next
owner, who takes up what is owed as if this host had died.
"""

import asyncio
from collections.abc import Callable, Iterable

from actors.host.calls import Calls
from actors.host.gateways import Gateways
from actors.host.halts import Halts
from actors.host.mailboxes import Mailboxes
from actors.host.release import Refusals
from actors.host.runner import Runner
from actors.host.timers import Timers


class Leaving:
    """Forgets the machines that ``disown`` returns for a partition. ``wake`` has the loop call
    ``now`` as soon as no turn is under way.
    """

    def __init__(
        self,
        *,
        disown: Callable[[int], list[Runner]],
        wake: Callable[[], None],
        mailboxes: Mailboxes,
        gateways: Gateways,
        refusals: Refusals,
        timers: Timers,
        calls: Calls,
        halts: Halts,
    ) -> None:
        self._disown = disown
        self._wake = wake
        self._mailboxes = mailboxes
        self._gateways = gateways
        self._refusals = refusals
        self._timers = timers
        self._calls = calls
        self._halts = halts
        self._asked: dict[int, asyncio.Future[None]] = {}

    @property
    def wanted(self) -> bool:
        """Whether there is something for ``now``."""
        return bool(self._asked)

    async def let_go(self, partition: int) -> None:
        """Return once the partition's machines are forgotten, behind the turns that are under
        way.
        """
        done = self._asked[partition] = asyncio.get_running_loop().create_future()
        self._wake()
        await done

    def now(self) -> None:
        """Let go of what was asked for. No turn may be under way."""
        for partition, done in self._asked.items():
            self._forget(self._disown(partition))
            if not done.done():
                done.set_result(None)
        self._asked.clear()

    def everything(self) -> None:
        """Let go of all machines at once: of a start that failed half-way. No turn may be under
        way.
        """
        self._forget(list(self._mailboxes.runners.values()))

    def _forget(self, runners: Iterable[Runner]) -> None:
        for runner in runners:
            self._refusals.let_go(self._mailboxes.empty(runner))
            for stream_id in list(runner.routes):
                self._gateways.leave(runner, stream_id)
            self._timers.arm(runner.machine_id, None)
            self._calls.drop(runner.machine_id)
            self._halts.forget(runner.machine_id)
            self._mailboxes.drop(runner)
        self._gateways.announce()

"""Partitions that come to a host and leave it while its machines sell, one at a time, until it has
what the layout gives to it.

Flows in: what SQL says of the layout and of who has which partition. Flows out: partitions that are
let go, and partitions that are claimed, loaded and served; gateways hear of both. Nothing is agreed
upon between hosts: each does what SQL says at its next look. A partition is only given up to a
place where a host stands ready, and the next one only when it has been taken there, so that one
partition of a host is on its way at most. What happens in the middle a host that is killed there
shows: who claims next takes up what is owed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from actors.host.gateways import Gateways
from actors.host.loop import TurnLoop
from actors.host.sweeps import Sweeps
from actors.host.tenure import Tenure
from actors.leases import Standing
from actors.link import PartitionsMoved
from actors.placement import host_of
from actors.ports import ClaimRefused, Ownership, StaleOwner, StoreError

log = structlog.get_logger()
_AGAIN_S = 2.0
"""So long after a look that failed comes the next one."""


class Moves:
    """``run`` it beside the loop, once the first claim was granted. ``take_in`` loads what was
    gained and serves it beside what is served already; ``fatal`` is called if
    somebody has superseded this host.
    """

    def __init__(
        self,
        *,
        name: str,
        tenure: Tenure,
        loop: TurnLoop,
        gateways: Gateways,
        sweeps: Sweeps,
        take_in: Callable[[Ownership], Awaitable[None]],
        every_s: float,
        fatal: Callable[[str], None],
    ) -> None:
        self._name = name
        self._tenure = tenure
        self._loop = loop
        self._gateways = gateways
        self._sweeps = sweeps
        self._take_in = take_in
        self._every_s = every_s
        self._fatal = fatal
        # The last layout that gateways were told of.
        self._told = tenure.host_count
        # The one that was given up last, and may be on its way.
        self._given: int | None = None

    async def run(self) -> None:
        """Move until cancelled, or until this host was superseded."""
        settled = False
        while True:
            if settled:
                await self._tenure.changed.wait()
            else:
                await asyncio.sleep(self._every_s)
            self._tenure.changed.clear()
            try:
                settled = await self.step()
            except StaleOwner as error:
                self._fatal(f"another holder owns this host's partitions: {error}")
                return
            except (ClaimRefused, StoreError) as error:
                settled = False
                log.warning("partitions cannot move yet", host=self._name, error=str(error))
                await asyncio.sleep(_AGAIN_S)

    async def step(self) -> bool:
        """Take what is free, and give one up; return whether everything is where the layout says.
        Raises StoreError.
        """
        standing = await self._tenure.look()
        held = {n for n, each in standing.held.items() if each.holder == self._tenure.holder}
        served, wanted = set(self._served().epochs), set(self._tenure.wanted())
        if lost := sorted(served - held):
            raise StaleOwner(f"partition {lost[0]} has another holder.")
        if takes := self._tenure.may_take(standing, sorted(wanted - served)):
            await self._gain(takes)
        unanswered = sorted(held - served - wanted)
        for number in unanswered:
            await self._tenure.release(number, epoch=standing.held[number].epoch)
        leaves = sorted(served - wanted)
        if self._told != self._tenure.host_count:
            # A gateway opens its ways to new hosts before the first partition is on its way.
            self._told = self._tenure.host_count
            self._gateways.tell(PartitionsMoved())
        elif leaves and not unanswered and self._may_give(standing, leaves[0]):
            await self._give_up(leaves[0], standing.held[leaves[0]].epoch)
        return held == wanted == set(self._served().epochs)

    def _served(self) -> Ownership:
        assert self._loop.ownership is not None, "partitions move once the first were claimed"
        return self._loop.ownership

    def _may_give(self, standing: Standing, number: int) -> bool:
        """Return whether somebody stands ready for it, and has taken the one before."""
        host_count = self._tenure.host_count
        if host_count is None:
            return False
        if self._given is not None:
            alive = {each.holder for each in standing.holders}
            if standing.held[self._given].holder not in alive:
                return False
        return self._tenure.stands_ready(standing, host_of(number, host_count))

    async def _give_up(self, number: int, epoch: int) -> None:
        async with self._sweeps.alone:
            await self._loop.leaving.let_go(number)
            try:
                await self._tenure.release(number, epoch=epoch)
            finally:
                # Also if nobody knows whether it was released: its streams are forgotten here, and
                # gateways announce them again if it comes back.
                self._given = number
                self._gateways.tell(PartitionsMoved(left=(number,)))
        log.info("a partition has left", host=self._name, partition=number)

    async def _gain(self, numbers: Sequence[int]) -> None:
        async with self._sweeps.alone:
            gained = await self._tenure.gain(numbers)
            if not gained.epochs:
                return
            await self._take_in(gained)
            # Whatever becomes of the rest: what a gateway said too early it says again now.
            self._gateways.tell(PartitionsMoved(gained=tuple(sorted(gained.epochs))))
            await self._sweeps.gained(gained)
        log.info("partitions have come", host=self._name, partitions=sorted(gained.epochs))

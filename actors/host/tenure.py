"""A host's hold on its partitions: the claim, and the beat that keeps others away.

Flows in: who claims, what the database says of others who hold the partitions. Flows out: an
ownership, or a sentence that says who is in the way; later, a call of ``fatal`` if the host was
superseded. A claimant that is refused only looks on, and claims again when what is in its way has
changed: it never fights.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from actors.host.store_health import StoreHealth
from actors.leases import (
    BEATS_IN_A_LEASE,
    LEASE_MS,
    Claimant,
    Ended,
    Holder,
    LeaseWatch,
    Standing,
    grant,
    shares_place,
)
from actors.placement import host_of, partitions_of, place_of
from actors.ports import (
    ClaimRefused,
    Clock,
    Leases,
    MachineStore,
    Ownership,
    StaleOwner,
    StoreError,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLimits:
    """Times of the loop's clock."""

    lease_ms: int = LEASE_MS
    """Who has not beaten for this long may be superseded by a host of another home."""
    look_s: float = 0.5
    """So often a claimant looks at the beat that is in its way."""
    layout_again_s: float = 5.0
    """So often a host that was made for another layout asks whether it is its own by now."""
    moves_s: float = 0.2
    """So often a host looks at SQL while not everything is where the layout says."""
    last_word_s: float = 2.0
    """A host that ends waits this long for the database to hear that it gives up."""


class Tenure:
    """``hold`` first, which claims, ``beat`` from then on, and ``give_up`` at the end, when nothing
    is being written any more.

    ``partitions`` are what a host without a place in the layout wants; one that has a place wants
    what the layout gives to it, of ``partition_count``. ``ended`` tells of hosts of its own
    place that their processes have ended; None: nobody does, and only beats count.
    """

    def __init__(
        self,
        *,
        claimant: Claimant,
        partitions: Sequence[int],
        partition_count: int,
        store: MachineStore,
        leases: Leases,
        clock: Clock,
        limits: LeaseLimits,
        fatal: Callable[[str], None],
        ended: Ended | None = None,
    ) -> None:
        self._claimant = claimant
        self._ended = ended
        self._partitions = tuple(partitions)
        self._partition_count = partition_count
        self.host_count = claimant.host_count
        """Of the layout, by the last beat or look."""
        self.changed = asyncio.Event()
        """Set when the layout has changed."""
        self._store = store
        self._leases = leases
        self._clock = clock
        self._limits = limits
        self._fatal = fatal
        self._watch = LeaseWatch()
        self._told = ""
        self._held = False
        self._lost = False
        self.waits_for = ""
        """Who is in the way, as a sentence; empty if nobody is."""
        self.beats = True
        """Whether the last beat was saved: so one that saves nothing else shows that it could."""

    async def hold(
        self, take_over: Callable[[], Awaitable[None]], *, health: StoreHealth, waits: bool
    ) -> None:
        """Have ``take_over`` done, which claims, until it was: when others hold the partitions, and
        when the store does not answer. ``waits`` False: raises ClaimRefused. Returns, too, once
        what was held was lost again.
        """
        refused: ClaimRefused | None = None
        while not self._lost:
            try:
                if refused is not None:
                    await self.wait(refused)
                await take_over()
                break
            except ClaimRefused as error:
                if not waits:
                    raise
                refused, self.waits_for = error, f"the host waits: {error}"
            except StoreError as error:
                log.warning("cannot take over yet", host=self._claimant.host, error=str(error))
                health.failed()
                await asyncio.sleep(health.wait_s)
        self.waits_for = ""

    async def claim(self) -> Ownership:
        """Claim once: with what belongs here, what a former host of this place had and nobody
        stands there for. Raises ClaimRefused, or another StoreError.
        """
        kept: list[int] = []
        if self._claimant.place is not None:
            standing = await self._leases.look()
            self._heard(standing.host_count)
            kept = self._left_alone(standing)
        ownership = await self._claim([*self.wanted(), *kept])
        self._held = True
        self._claimant = replace(
            self._claimant, goes_on=self._claimant.place is not None, ended=frozenset()
        )
        return ownership

    async def _claim(self, partitions: Sequence[int]) -> Ownership:
        return await self._store.claim(
            self._claimant,
            partitions=partitions,
            now_ms=self._clock.now_ms(),
            still=self._watch.still(),
        )

    # --- what the layout gives ---

    @property
    def holder(self) -> str:
        """The name of this start of the host in the database."""
        return self._claimant.holder

    def wanted(self) -> Sequence[int]:
        """Return the partitions that belong to this host now."""
        place, host_count = self._claimant.place, self.host_count
        if place is None:
            return self._partitions
        if host_count is None or place >= host_count:
            return ()
        return partitions_of(place, host_count, self._partition_count)

    async def look(self) -> Standing:
        """Return what SQL says, and go by its layout."""
        standing = await self._leases.look()
        self._watch.look(standing.holders, asyncio.get_running_loop().time())
        self._heard(standing.host_count)
        return standing

    def may_take(self, standing: Standing, partitions: Iterable[int]) -> list[int]:
        """Return those of the partitions that nobody is in the way of."""
        holders = {each.holder: each for each in standing.holders}
        return [
            number
            for number in partitions
            if standing.held[number].holder == self.holder
            or grant(holders.get(standing.held[number].holder), self._claimant, self._watch.still())
        ]

    def stands_ready(self, standing: Standing, place: int) -> bool:
        """Return whether a host of this home lives at this place: it was seen to beat."""
        alive = self._watch.alive()
        return any(each.holder in alive for each in self._at(standing, place))

    def _at(self, standing: Standing, place: int) -> list[Holder]:
        """Return who of this home has a row at this place, dead or alive."""
        return [
            each
            for each in standing.holders
            if each.home == self._claimant.home and place_of(each.host) == place
        ]

    def _left_alone(self, standing: Standing) -> list[int]:
        """Return the partitions that were here, belong to another place by the layout, and would be
        nobody's: nobody stands there yet.
        """
        if self.host_count is None:
            return []
        mine = set(self.wanted())
        return [
            number
            for number, held in standing.held.items()
            if number not in mine
            and place_of(held.owner) == self._claimant.place
            and not self._at(standing, host_of(number, self.host_count))
        ]

    async def gain(self, partitions: Sequence[int]) -> Ownership:
        """Claim more; return what was gained. Raises StaleOwner if this host was superseded, or
        ClaimRefused.
        """
        return await self._claim(partitions)

    async def release(self, partition: int, *, epoch: int) -> None:
        """Let anybody have this partition. Raises StoreError."""
        await self._leases.release(self.holder, partition, epoch=epoch)

    def _heard(self, host_count: int | None) -> None:
        if self._claimant.place is None or host_count in {None, self.host_count}:
            return
        self.host_count = host_count
        self._claimant = replace(self._claimant, host_count=host_count)
        self.changed.set()

    # --- waiting, beating, giving up ---

    async def wait(self, refused: ClaimRefused) -> None:
        """Return once the next claim may have another answer. Raises StoreError."""
        if self._told != str(refused):
            self._told = str(refused)
            spare = all(shares_place(each, self._claimant) for each in refused.holders)
            tell = log.info if spare and refused.holders else log.warning
            tell("the host waits", host=self._claimant.host, reason=self._told)
        if not refused.holders:
            await asyncio.sleep(self._limits.layout_again_s)
            return
        in_the_way = {each.holder for each in refused.holders}
        ends = {
            each.holder: asyncio.create_task(self._end_of(each))
            for each in refused.holders
            if shares_place(each, self._claimant)
        }
        loop = asyncio.get_running_loop()
        try:
            while True:
                holders = await self._leases.holders()
                self._watch.look(holders, loop.time())
                if not in_the_way <= {each.holder for each in holders} - self._watch.still().keys():
                    return
                if await self._hears_of_an_end(ends):
                    return
        finally:
            for end in ends.values():
                end.cancel()

    async def _hears_of_an_end(self, ends: Mapping[str, asyncio.Task[None]]) -> bool:
        """Wait until the next look; return whether a holder's process has ended meanwhile."""
        if not ends:
            await asyncio.sleep(self._limits.look_s)
            return False
        await asyncio.wait(
            ends.values(), timeout=self._limits.look_s, return_when=asyncio.FIRST_COMPLETED
        )
        ended = {holder for holder, end in ends.items() if end.done()}
        if ended:
            log.info("processes have ended", host=self._claimant.host, holders=sorted(ended))
            self._claimant = replace(self._claimant, ended=self._claimant.ended | ended)
        return bool(ended)

    async def _end_of(self, holder: Holder) -> None:
        """Return once the holder's process has ended; never, if that cannot be told: then its beat
        stands still for a lease.
        """
        if self._ended is not None:
            try:
                await self._ended(holder)
            except Exception:
                log.exception("a process cannot be watched", host=self._claimant.host)
            else:
                return
        await asyncio.Event().wait()

    async def beat(self) -> None:
        """Beat until cancelled, or until nothing is held any more."""
        while True:
            await asyncio.sleep(self._limits.lease_ms / 1_000 / BEATS_IN_A_LEASE)
            try:
                self._heard(await self._leases.beat(self._claimant.holder))
                self.beats = True
            except StaleOwner as error:
                self._held, self._lost = False, True
                self._fatal(f"another holder owns this host's partitions: {error}")
                return
            except StoreError as error:
                self.beats = False
                log.warning("a beat failed", host=self._claimant.host, error=str(error))

    async def give_up(self) -> None:
        """Say that the partitions are anybody's, if the database hears it soon; else the next one
        must wait for the lease.
        """
        if not self._held:
            return
        self._held = False
        try:
            async with asyncio.timeout(self._limits.last_word_s):
                await self._leases.give_up(self._claimant.holder)
        except (StoreError, TimeoutError) as error:
            log.warning(
                "partitions are not given up",
                host=self._claimant.host,
                error=str(error) or "no answer",
            )

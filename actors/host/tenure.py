"""A host's hold on its partitions: the claim, and the beat that keeps others away.

Flows in: who claims, what the database says of others who hold the partitions. Flows out: an
ownership, or a sentence that says who is in the way; later, a call of ``fatal`` if the host was
superseded. A claimant that is refused only looks on, and claims again when what is in its way has
changed: it never fights.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from actors.host.store_health import StoreHealth
from actors.leases import BEATS_IN_A_LEASE, LEASE_MS, Claimant, LeaseWatch
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
    last_word_s: float = 2.0
    """A host that ends waits this long for the database to hear that it gives up."""


class Tenure:
    """``hold`` first, which claims, ``beat`` from then on, and ``give_up`` at the end, when nothing
    is being written any more.
    """

    def __init__(
        self,
        *,
        claimant: Claimant,
        partitions: Sequence[int],
        store: MachineStore,
        leases: Leases,
        clock: Clock,
        limits: LeaseLimits,
        fatal: Callable[[str], None],
    ) -> None:
        self._claimant = claimant
        self._partitions = tuple(partitions)
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
        """Claim once. Raises ClaimRefused, or another StoreError."""
        ownership = await self._store.claim(
            self._claimant,
            partitions=self._partitions,
            now_ms=self._clock.now_ms(),
            still=self._watch.still(),
        )
        self._held = True
        return ownership

    async def wait(self, refused: ClaimRefused) -> None:
        """Return once the next claim may have another answer. Raises StoreError."""
        if self._told != str(refused):
            self._told = str(refused)
            log.warning("the host waits", host=self._claimant.host, reason=self._told)
        if not refused.holders:
            await asyncio.sleep(self._limits.layout_again_s)
            return
        in_the_way = {each.holder for each in refused.holders}
        loop = asyncio.get_running_loop()
        while True:
            holders = await self._leases.holders()
            self._watch.look(holders, loop.time())
            if not in_the_way <= {each.holder for each in holders} - self._watch.still().keys():
                return
            await asyncio.sleep(self._limits.look_s)

    async def beat(self) -> None:
        """Beat until cancelled, or until nothing is held any more."""
        while True:
            await asyncio.sleep(self._limits.lease_ms / 1_000 / BEATS_IN_A_LEASE)
            try:
                await self._leases.beat(self._claimant.holder)
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

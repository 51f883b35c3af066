"""Locks the columns that recalls are about, and unlocks those that they are about no longer.

Flows in: the recall that somebody must look at, if no other gateway holds it, and what the moves of
goods say. Flows out: changes of machines, some each second, each with its audit row under the name
of whoever wanted the recall. Every gateway runs this; when one dies another goes on: what is locked
already differs no more. Each hour it makes recalls of the lots that have expired.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from actors.ports import Clock, StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.machine_acts import MachineActs
from storage.fleet.answers import KeepingClock
from storage.office.deeds import Deed
from storage.office.locks import Locks, locking
from storage.office.recalls import EXPIRED_AT_ONCE, ITSELF, Recalls, RecallView

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
SECOND_S = 1.0
MACHINES_PER_S = 50
WITHIN_S = 10.0
"""A change waits no longer for a machine's actor, which finds it by itself then."""
HELD_MS = 30_000
"""Nothing that is done in one go takes longer."""
EXPIRE_EVERY_MS = 3_600_000


@dataclass(slots=True, kw_only=True)
class RecallWorker:
    """``holder`` names this gateway's process among all of them, past ones too."""

    recalls: Recalls
    locks: Locks
    acts: MachineActs
    clock: Clock
    keeping: KeepingClock
    holder: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _expire_at_ms: int = 0

    def wake(self) -> None:
        """There is something to look at."""
        self._woken.set()

    async def run(self) -> None:
        """Look at what is due, until cancelled; then let another go on."""
        try:
            while True:
                if not await self._once():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY_S):
                            await self._woken.wait()
                self._woken.clear()
        finally:
            with suppress(StoreError):
                await self.recalls.let_go(self.holder)

    async def _once(self) -> bool:
        try:
            return await self.once()
        except StoreError as error:
            log.warning("a recall waits for the database", error=str(error))
        except Exception:
            log.exception("a recall failed on this gateway; it goes on by itself")
        return False

    async def once(self) -> bool:
        """Expire what has, look at the recall that is due, and return whether there was one. Raises
        StoreError; nothing is lost by it.
        """
        await self._expire()
        recall = await self.recalls.take(self.holder, now_ms=self.clock.now_ms(), held_ms=HELD_MS)
        if recall is not None:
            await self._look(recall)
        await self.locks.mark_obeyed(self.clock.now_ms())
        return recall is not None

    async def _expire(self) -> None:
        now_ms = self.clock.now_ms()
        # A clock that was set back must not make it wait for ever.
        if self._expire_at_ms - EXPIRE_EVERY_MS <= now_ms < self._expire_at_ms:
            return
        # By no clock that is wrong: what a person releases then does not expire by itself again.
        today_ms = await self.keeping.likely_ms()
        made = await self.recalls.expire(Deed(actor=ITSELF, action="LockExpired", now_ms=today_ms))
        if len(made) < EXPIRED_AT_ONCE:
            self._expire_at_ms = now_ms + EXPIRE_EVERY_MS
        if made:
            log.info("lots have expired", lots=len(made))

    async def _look(self, recall: RecallView) -> None:
        differing = await self.locks.differing(recall, self.clock.now_ms())
        for start in range(0, len(differing), MACHINES_PER_S):
            second = asyncio.create_task(_slept(self.sleep, SECOND_S))
            try:
                some = differing[start : start + MACHINES_PER_S]
                await asyncio.gather(*(self._lock(machine_id, recall) for machine_id in some))
                now_ms = self.clock.now_ms()
                await self.locks.mark_obeyed(now_ms)
                if not await self.recalls.hold(
                    recall.recall_id, self.holder, now_ms=now_ms, held_ms=HELD_MS
                ):
                    return  # another goes on
                if start + MACHINES_PER_S < len(differing):
                    await second
            finally:
                second.cancel()
        after = await self.recalls.looked(recall, self.holder, now_ms=self.clock.now_ms())
        if differing:
            log.info(
                "a recall has locked or unlocked columns",
                recall_id=recall.recall_id,
                machines=len(differing),
                locked=after.locked,
                not_obeyed=after.not_obeyed,
            )

    async def _lock(self, machine_id: str, recall: RecallView) -> None:
        act = Act(
            actor=recall.actor,
            claimed=recall.claimed,
            proven=recall.proven,
            within_s=WITHIN_S,
            person=f"recall {recall.recall_id}",
        )
        try:
            await self.acts.change(
                machine_id,
                locking(recall.recall_id, self.clock.now_ms()),
                act,
                action="LockColumns",
                detail=f"recall {recall.recall_id} of {recall.what}",
            )
        except CallRefused as error:
            # Its host is away, and finds by itself what is saved; or it is no machine of ours any
            # more. What is not saved differs at the next look.
            log.warning(
                "a machine does not know yet of a recall",
                machine_id=machine_id,
                recall_id=recall.recall_id,
                why=error.refusal.message,
            )
        except StoreError:
            raise
        except Exception:
            # It differs at the next look too; the others must not wait for it.
            log.exception(
                "this gateway failed to lock columns of a machine; it tries again",
                machine_id=machine_id,
                recall_id=recall.recall_id,
            )


async def _slept(sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
    await sleep(seconds)

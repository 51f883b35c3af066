"""One evaluation of a tag's rule after the other, a step at a time: each step is one short read or
one small transaction of the follower's, so that what it follows waits for no evaluation.

What is known between two steps stands here in memory and is made again by whoever goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from sqlalchemy import Connection

from actors.ports import Clock, StoreError
from storage.database.engine import Database
from storage.database.reader import T, Work
from storage.insight import lease, tagging
from storage.insight.lease import Standing
from storage.insight.tag_features import Among
from storage.insight.tag_sums import TagSums
from storage.insight.tagging import Due, MemberChange, TagRun

log = structlog.get_logger()

TRIES = 3
"""A run that a read broke off this often fails until the next day: it takes too long. Which read it
was does not matter: where pieces end changes with each payer who comes.
"""
BEAT_S = lease.LEASE_MS / 1_000 / lease.BEATS_IN_A_LEASE

Write = Callable[[Standing, Callable[[Connection], None]], Awaitable[Standing]]


@dataclass(slots=True)
class _Running:
    run: TagRun
    due: Due
    epoch: int
    after: str | None = ""
    """The last payer who was looked at; None: that was the last one."""
    members: int = 0
    waiting: Sequence[MemberChange] = ()
    unsummed: Among | None = None
    """The last payers who were looked at, if what they come to was not added up yet."""
    sums: TagSums = field(default_factory=TagSums)


@dataclass(slots=True, kw_only=True)
class Evaluation:
    """``write`` runs a transaction that proves the lease. Every method raises StoreError and
    FollowerLost.
    """

    db: Database
    clock: Clock
    write: Write
    _running: _Running | None = None
    _tries: dict[tuple[str, int, int], int] = field(default_factory=dict)

    async def step(self, held: Standing) -> Standing | None:
        """Do the next step of the evaluation that runs, or begin one if one is due; return how the
        follower stands then, None if there was nothing to do.
        """
        running, self._running = self._running, None
        if running is None or running.epoch != held.epoch or held.making_again:
            return await self._begin(held)
        # Only what was done to its end is gone on with: each of these keeps it then.
        if running.waiting:
            return await self._write_some(held, running)
        if running.unsummed is not None:
            return await self._add_up(held, running, running.unsummed)
        if running.after is not None:
            return await self._look(held, running)
        return await self._finish(held, running)

    async def _begin(self, held: Standing) -> Standing | None:
        due = await self.db.read(lambda connection: tagging.next_due(connection, held))
        if due is None:
            return None
        error = tagging.readable(due)
        if error:
            return await self._fail(held, due, error)
        try:
            fifths = await self._read(
                held, lambda connection: tagging.fifths_for(connection, due, held)
            )
        except StoreError as failure:
            return await self._again(held, due, failure)
        begun: list[TagRun] = []

        def save(connection: Connection) -> None:
            begun.append(tagging.begin(connection, due, held, fifths))

        standing = await self.write(held, save)
        self._running = _Running(run=begun[-1], due=due, epoch=held.epoch)
        return standing

    async def _look(self, held: Standing, running: _Running) -> Standing:
        after = running.after or ""
        try:
            piece = await self._read(
                held, lambda connection: tagging.piece_of(connection, running.run, after)
            )
        except StoreError as failure:
            return await self._again(held, running.due, failure)
        running.unsummed = Among(after=after, upto=piece.upto)
        running.after = piece.upto
        running.members += piece.members
        running.waiting = piece.differences
        self._running = running
        return held

    async def _write_some(self, held: Standing, running: _Running) -> Standing:
        some = running.waiting[: tagging.AT_ONCE]
        unknown: list[int] = []

        def save(connection: Connection) -> None:
            unknown.append(tagging.write_some(connection, running.run, some))

        standing = await self.write(held, save)
        running.waiting = running.waiting[tagging.AT_ONCE :]
        running.members -= unknown[-1]
        self._running = running
        return standing

    async def _add_up(self, held: Standing, running: _Running, among: Among) -> Standing:
        """What they come to is known once all that differs is written."""
        try:
            sums = await self._read(
                held, lambda connection: tagging.come_to(connection, running.run, among)
            )
        except StoreError as failure:
            return await self._again(held, running.due, failure)
        running.sums = running.sums.and_(sums)
        running.unsummed = None
        self._running = running
        return held

    async def _finish(self, held: Standing, running: _Running) -> Standing:
        finish = partial(
            tagging.finish,
            run=running.run,
            members=running.members,
            sums=running.sums,
            now_ms=self.clock.now_ms(),
        )
        standing = await self.write(held, finish)
        self._tries.clear()
        return standing

    async def _read(self, held: Standing, work: Work[T]) -> T:
        """Read, and show signs of life meanwhile: whoever else may follow would take a read that is
        longer than a lease for the end of this process and begin the run anew, and so on.
        """
        reading = asyncio.create_task(self.db.read(work))
        try:
            while not (await asyncio.wait({reading}, timeout=BEAT_S))[0]:
                await self.write(held, lambda _: None)
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()  # it is told below, if anybody is there to be told
        return reading.result()

    async def _again(self, held: Standing, due: Due, failure: StoreError) -> Standing:
        """A read that takes longer than a read may would be tried for ever."""
        key = (due.rule.tag, due.rule.version, due.d)
        self._tries[key] = self._tries.get(key, 0) + 1
        if self._tries[key] < TRIES:
            raise failure
        return await self._fail(held, due, f"its payers could not be read: {failure}")

    async def _fail(self, held: Standing, due: Due, error: str) -> Standing:
        now_ms = self.clock.now_ms()
        log.warning("the rule of a tag failed", tag=due.rule.tag, error=error)
        failed = partial(tagging.fail, due=due, standing=held, error=error, now_ms=now_ms)
        standing = await self.write(held, failed)
        self._tries.clear()
        return standing

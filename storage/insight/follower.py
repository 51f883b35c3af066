"""Follows the journal: a batch of lines, their facts and sums, and the new position, in one
transaction that proves the lease. What is not committed is done again from the same position, so
that each line counts once, wherever a process dies.

What a batch is made of is read and computed before that transaction, which is short: on SQLite it
holds the write lock, and machines sell meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import structlog
from sqlalchemy import Connection, Table, func, select

from actors.ports import Clock, StoreError
from storage.database.engine import Database
from storage.database.prepared import Row
from storage.fleet.answers import KeepingClock
from storage.fleet.horizon import Horizon
from storage.insight import clearing, exposing, lease, rollups, tagging
from storage.insight.evaluating import BEAT_S, Evaluation
from storage.insight.exposing import Exposed
from storage.insight.facts import Moved, SaleFact, sale_facts
from storage.insight.forgetting import Forgetting, Keeps
from storage.insight.funnel import add_funnel
from storage.insight.lease import CLEARING, FollowerLost, LeaseWatch, Standing
from storage.insight.local_time import HOUR_MS
from storage.insight.places import where
from storage.insight.reading import Batch, read_batch
from storage.insight.rollups import Sums
from storage.tables import journal, starts

log = structlog.get_logger()

NAME = "sales"
LINES_AT_ONCE = 1_000
LOOK_EVERY_S = 0.5
FAILED_EVERY_S = 10.0
AWAY_EVERY_S = 5.0
"""How long a database that does not answer is left alone: a full disk stays full for hours."""
"""What cannot be told now cannot be told half a second later: the log is not filled with it."""
RULES_EVERY_S = 10.0
"""A rule that somebody has just written waits no longer."""
FORGETS_EVERY_S = 3_600.0
_OLDEST = select(journal.c.at_ms).order_by(journal.c.id).limit(1)
_NEWEST = select(journal.c.id).order_by(journal.c.id.desc()).limit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far behind the books is what is told: ``lines`` positions, the oldest of which is waiting
    since ``waits_since_ms`` (None: nothing waits). All up to ``position`` is told, and so all that
    was saved before ``complete_until_ms`` by the clocks of hosts.
    """

    position: int
    complete_until_ms: int
    lines: int
    waits_since_ms: int | None
    holder: str
    stage: str
    making_again: bool
    """Not all is there that was there before."""
    hours_from_d: int = 0
    """Of days before this one the time of single machines is kept no more."""


async def lag_of(db: Database, name: str = NAME) -> Lag:
    """Return how far behind a follower is. Raises StoreError."""
    return await db.read(lambda connection: read_lag(connection, name))


def read_lag(connection: Connection, name: str = NAME) -> Lag:
    """Return how far behind a follower is, in the snapshot of this connection."""
    standing = lease.read_standing(connection, name)
    newest = connection.scalar(_NEWEST) or 0
    waits = connection.scalar(_OLDEST.where(journal.c.id > standing.position))
    return Lag(
        position=standing.position,
        complete_until_ms=standing.at_ms,
        lines=max(0, newest - standing.position),
        waits_since_ms=waits,
        holder=standing.holder,
        stage=standing.stage,
        making_again=standing.making_again,
        hours_from_d=standing.hours_from_d,
    )


async def archived_machines(db: Database) -> int:
    """Return of how many machines the books do not begin with their first line. Raises
    StoreError.
    """
    wanted = select(func.count()).select_from(starts).where(starts.c.machine_id != "")
    return await db.read(lambda connection: connection.scalar(wanted) or 0)


@dataclass(slots=True, kw_only=True)
class Follower:
    """``holder`` names this process among all that ever follow. ``keeping`` tells how far days may
    have come that machines told of; left out, ``clock`` does.
    """

    db: Database
    clock: Clock
    holder: str
    keeping: KeepingClock | None = None
    keeps: Keeps = Keeps()
    lines_at_once: int = LINES_AT_ONCE
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic_s: Callable[[], float] = field(
        default_factory=lambda: lambda: asyncio.get_running_loop().time()
    )
    held: Standing | None = None
    """How it stands, if it is this process that follows."""
    _watch: LeaseWatch = field(default_factory=LeaseWatch)
    _alive_s: float = 0.0
    _rules_at_s: float = 0.0
    _horizon: Horizon = field(init=False)
    _evaluation: Evaluation = field(init=False)
    _forgets_at_s: float = 0.0
    _forgetting: Forgetting = field(init=False)
    _none_silent: tuple[int, int] | None = None
    """At this position all machines are counted up to this time: nobody else counts them."""

    def __post_init__(self) -> None:
        self._horizon = Horizon(self.db)
        self._evaluation = Evaluation(db=self.db, clock=self.clock, write=self._write)
        self._forgetting = Forgetting(db=self.db, write=self._write, keeps=self.keeps)

    async def run(self) -> None:
        """Follow whenever nobody else does, until cancelled; then let another go on. Behind each
        batch the computer and the database are left to others for as long as the batch took: who
        has years to make up for must not slow down what is sold meanwhile.
        """
        try:
            while True:
                begun_s = self.monotonic_s()
                more = await self._tried(self.once())
                await self._rest(self.monotonic_s() - begun_s if more else LOOK_EVERY_S)
        finally:
            await self.give_up()

    async def _rest(self, for_s: float) -> None:
        """Whoever else may follow would take a rest that is longer than a lease for the end."""
        while self.held is not None and for_s > BEAT_S:
            await self.sleep(BEAT_S)
            for_s -= BEAT_S
            await self._tried(self._live(self.held))
        await self.sleep(for_s)

    async def _live(self, held: Standing) -> bool:
        self.held = await self._write(held, lambda _: None)
        return True

    async def _tried(self, doing: Awaitable[bool]) -> bool:
        try:
            return await doing
        except FollowerLost:
            log.info("another process follows the journal now", holder=self.holder)
        except StoreError as error:
            log.warning("the follower of the journal waits for the database", error=str(error))
            await self.sleep(AWAY_EVERY_S)
        except Exception:
            log.exception("the follower of the journal failed; it tries again")
            await self.sleep(FAILED_EVERY_S)
        self.held = None
        return False

    async def once(self) -> bool:
        """Claim what is free, and follow a batch; return whether there is more to do at once.
        Raises StoreError, or FollowerLost; nothing is lost by either.
        """
        if self.held is None and not await self._claim():
            return False
        assert self.held is not None
        if self.held.stage == CLEARING:
            await self._clear(self.held)
            return True
        return await self._follow(self.held)

    async def catch_up(self) -> int:
        """Follow up to where the journal is now; return the position. Raises StoreError,
        FollowerLost.
        """
        target = await self.db.read(lambda connection: connection.scalar(_NEWEST) or 0)
        while self.held is None or self.held.stage == CLEARING or self.held.position < target:
            if not await self.once():
                if self.held is None:
                    raise FollowerLost("Somebody else follows the journal.")
                await self.sleep(LOOK_EVERY_S / 5)
        while await self._count_on(self.held):
            pass
        return self.held.position

    async def rebuild(self) -> None:
        """Take the journal over from whoever follows it, and have all made again from its first
        line. Raises StoreError.
        """
        now_ms = self.clock.now_ms()
        self.held = await self.db.write(
            lambda connection: lease.take_over(connection, NAME, self.holder, now_ms=now_ms),
            proves=False,
        )
        self._none_silent = None

    async def give_up(self) -> None:
        """Let anybody go on at once."""
        held, self.held = self.held, None
        if held is None:
            return
        with suppress(StoreError, FollowerLost):
            await self._write(held, lambda _: None, holder="")

    async def _claim(self) -> bool:
        seen = await self.db.read(lambda connection: lease.read_standing(connection, NAME))
        # What it held itself it lost hold of only because an answer of the database's was lost.
        ours = seen.holder == self.holder
        if not ours and not self._watch.may_claim(seen, self.monotonic_s()):
            return False
        now_ms = self.clock.now_ms()
        self.held = await self.db.write(
            lambda connection: lease.claim(connection, seen, self.holder, now_ms=now_ms),
            proves=False,
        )
        self._alive_s, self._none_silent = self.monotonic_s(), None
        log.info("this process follows the journal", holder=self.holder, position=seen.position)
        return True

    async def _follow(self, held: Standing) -> bool:
        horizon = await self._horizon.position()

        def read(connection: Connection) -> tuple[Batch, Exposed] | None:
            batch = read_batch(
                connection, after=held.position, horizon=horizon, most=self.lines_at_once
            )
            if batch is None:
                return None
            exposed = exposing.read_exposed(connection, after_position=batch.after, upto=batch.upto)
            return batch, exposed

        # Who rests at the journal's end, which is always when nobody sells, asks no more than that.
        found = None if horizon <= held.position else await self.db.read(read)
        if found is None:
            if await self._between(held):
                return True
            await self._beat(held)
            return False
        batch, exposed = found

        def make() -> tuple[list[SaleFact], _Saved]:
            facts, sums = made_of(batch)
            counted = exposing.rows_of(exposed.counted(sums))
            return facts, _Saved(sums=sums.rows(), counted=counted)

        facts, made = await asyncio.to_thread(make)  # The loop has customers.

        def save(connection: Connection) -> None:
            known = tagging.still_known(connection, {one.payer_id for one in facts})
            rollups.save_facts(connection, facts, known)
            made.save(connection)

        # One host's clock that is a year ahead must not count all machines a year on, end all days
        # of it, and have what is kept for days forgotten.
        keeping = self.keeping
        now_ms = self.clock.now_ms() if keeping is None else await keeping.likely_ms()
        told_ms = min(batch.newest_ms, now_ms)
        self.held = await self._write(
            held, save, position=batch.upto, at_ms=max(held.at_ms, told_ms)
        )
        return batch.upto < horizon or await self._between(self.held)

    async def _between(self, held: Standing) -> bool:
        """Do what nobody waits for, a step of it: on a fleet that always sells there is no better
        time for it than when nothing is behind. Return whether there was any.
        """
        return await self._count_on(held) or await self._tag(held) or await self._forget(held)

    async def _forget(self, held: Standing) -> bool:
        """Delete a few rows of what is kept no more; return whether there may be others."""
        if self.monotonic_s() < self._forgets_at_s:
            return False
        standing = await self._forgetting.step(held)
        if standing is None:
            self._forgets_at_s = self.monotonic_s() + FORGETS_EVERY_S
            return False
        self.held = standing
        await self._beat(standing)
        return True

    async def _tag(self, held: Standing) -> bool:
        """Evaluate the rules of tags a step further; return whether there was any to do."""
        if self.monotonic_s() < self._rules_at_s:
            return False
        standing = await self._evaluation.step(held)
        if standing is None:
            self._rules_at_s = self.monotonic_s() + RULES_EVERY_S
            return False
        self.held = standing
        await self._beat(standing)
        return True

    async def _count_on(self, held: Standing) -> bool:
        """Count the time of some machines to whom nothing happened up to the last full hour of
        what is told; return whether there were any. It is of no later time than the books are, so
        that it is the same when all is made again.
        """
        until_ms = held.at_ms // HOUR_MS * HOUR_MS
        if self._none_silent == (held.position, until_ms):
            return False
        silent, exposed = await self.db.read(
            lambda connection: exposing.read_silent(connection, until_ms=until_ms)
        )
        if not silent:
            self._none_silent = (held.position, until_ms)
            return False

        def make() -> _Saved:
            sums = Sums()
            further = exposing.counted_further(sums, silent, exposed.stays, until_ms=until_ms)
            counted = exposing.rows_of(further)
            return _Saved(sums=sums.rows(), counted=counted)

        made = await asyncio.to_thread(make)
        self.held = await self._write(held, made.save)
        return True

    async def _beat(self, held: Standing) -> None:
        if self.monotonic_s() - self._alive_s >= BEAT_S:
            self.held = await self._write(held, lambda _: None)

    async def _clear(self, held: Standing) -> None:
        made_until = max(held.made_until, held.position)
        beginning = replace(held, position=0)
        self.held = await self._write(
            held, clearing.empty, position=0, at_ms=0, made_until=made_until
        )
        after: clearing.Place | None = clearing.BEGINNING
        while after is not None:
            after = await self._cleared(beginning, after)
        self.held = await self._write(beginning, lambda _: None, stage=lease.FOLLOWING)

    async def _cleared(self, held: Standing, after: clearing.Place) -> clearing.Place | None:
        page = await self.db.read(lambda connection: clearing.page_of(connection, after))
        await self._write(held, lambda connection: clearing.keep(connection, page))
        return page.upto

    async def _write(
        self, held: Standing, work: Callable[[Connection], None], **changed: object
    ) -> Standing:
        now_ms = self.clock.now_ms()

        def proved(connection: Connection) -> Standing:
            standing = lease.prove(connection, held, now_ms=now_ms, **changed)
            work(connection)
            return standing

        standing = await self.db.write(proved, proves=False)
        self._alive_s = self.monotonic_s()
        return standing


class _Saved(NamedTuple):
    """Rows as they will be saved: while they are, nobody else writes, and machines wait."""

    sums: list[tuple[Table, list[Row]]]
    counted: list[Row]

    def save(self, connection: Connection) -> None:
        rollups.save(connection, self.sums)
        exposing.save(connection, self.counted)


def made_of(batch: Batch) -> tuple[list[SaleFact], Sums]:
    """Return the facts of a batch, and what is to be added to the sums. Pure."""
    facts: list[SaleFact] = []
    of_line: dict[tuple[str, int], list[Moved]] = {}
    for one in batch.moved:
        of_line.setdefault((one.machine_id, one.version), []).append(one)
    payers = {trade_id: payment.payer_id for trade_id, payment in batch.payments.items()}
    for moved in of_line.values():
        there = where(batch.stays.get(moved[0].machine_id, ()), moved[0].at_ms)
        facts += sale_facts(moved, vends=batch.vends, payers=payers, there=there)
    sums = Sums()
    rollups.add_facts(sums, facts)
    add_funnel(sums, batch)
    return facts, sums

"""Keeps the totals of the whole fleet not far behind the journal, makes them where there are none
that hold, and in each process compares them with the balances until they are the same. Every
gateway does: who saves first counts, and what the other one added up is not saved.

Flows in: the database. Flows out: a row (``storage.fleet.fleet_totals``). No sale waits for it: it
reads in pieces, and leaves the database to others for as long as each took. Where a process dies,
the row is as it was, and the next one adds the same lines again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import structlog
from sqlalchemy import ColumnElement, Connection, select

from actors.ports import StoreError
from storage.database.engine import Database
from storage.database.reader import T, Work
from storage.fleet.balances import Totals, read_totals
from storage.fleet.fleet_totals import (
    Key,
    Saved,
    TotalsStanding,
    moved_behind,
    newest,
    read_fleet,
    read_moved,
    read_standing,
    save,
)
from storage.fleet.horizon import Horizon
from storage.tables import balances, journal, machines

log = structlog.get_logger()

EVERY_S = 5.0
AWAY_EVERY_S = 30.0
"""So long it waits after the database did not answer."""
LINES_BEHIND = 500
"""The totals are saved again when the journal is so many lines ahead: so many, and those of a few
seconds, are added by each who asks.
"""
LINES_AT_ONCE = 10_000
"""The transfers of so many lines are added in one read."""
MACHINES_AT_ONCE = 200
"""Of so many machines all days are added in one read."""
LOOKS, BETWEEN_LOOKS_S = 10, 0.2
"""So often it looks who is writing to the journal before it leaves it to the next time."""


def _nobody_counts() -> None:
    """Let it be."""


@dataclass(slots=True, kw_only=True)
class TotalsKeeper:
    """``wrong`` is called when totals were not what all balances say. ``sleep`` and ``monotonic_s``
    count the seconds of the pauses.
    """

    db: Database
    wrong: Callable[[], object] = _nobody_counts
    lines_behind: int = LINES_BEHIND
    lines_at_once: int = LINES_AT_ONCE
    machines_at_once: int = MACHINES_AT_ONCE
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic_s: Callable[[], float] = time.monotonic
    _compared: bool = False

    async def run(self) -> None:
        """Keep them until cancelled."""
        while True:
            rest_s = EVERY_S
            try:
                await self.once()
            except StoreError as error:
                log.warning("the fleet's totals wait for the database", error=str(error))
                rest_s = AWAY_EVERY_S
            await self.sleep(rest_s)

    async def once(self) -> None:
        """Bring the totals up to where the journal is if they are far behind it, and make them if
        there are none that hold, or compare them the first time. Raises StoreError; what was saved
        until then stays.
        """
        standing, end = await self.db.read(_look)
        saved = standing.saved
        # First: to compare is one read of all that is behind them.
        if saved is not None and end - saved.position >= self.lines_behind:
            await self._advance(saved, end)
        if saved is None or not self._compared:
            await self._make(standing.archived, end)

    async def _advance(self, saved: Saved, end: int) -> None:
        settled = await self._settled(end)
        while saved.position < settled:
            upto = min(saved.position + self.lines_at_once, settled)
            moved = await self._read(partial(_between, after=saved.position, upto=upto))
            now = replace(saved, position=upto, totals=saved.totals + moved)
            if not await self._save(saved.key, now):
                return
            saved = now

    async def _make(self, archived: str, end: int) -> None:
        """Add up all balances, less what the lines behind a position moved that is settled: of some
        machines at a time, each as they are by then.
        """
        # Every line that a month before took away was there when the month was seen here, so that
        # it is no line behind the position.
        settled = await self._settled(end)
        if settled < end:
            return
        began_s, totals = self.monotonic_s(), Totals()
        after: str | None = ""
        while after is not None:
            upto = await self.db.read(partial(_last_of, after=after, most=self.machines_at_once))
            work = partial(_up_to, position=settled, after=after, upto=upto)
            totals += await self._read(work)
            after = upto
        made = Saved(position=settled, archived=archived, totals=totals)
        if await self._replace(made):
            took_ms = int((self.monotonic_s() - began_s) * 1_000)
            log.info("the fleet's totals are made", position=settled, took_ms=took_ms)

    async def _replace(self, made: Saved) -> bool:
        """Save what was made, unless what is there says the same by now; return whether it is."""
        there, same = await self.db.read(partial(_compare, made=made))
        if same or there.archived != made.archived:
            self._compared = same
            return False
        if there.saved is not None:
            self.wrong()
            log.error("the fleet's totals were not what all balances say: run 'vendgate audit'")
        # It is compared in the next round as well: of what a standby took over meanwhile, some was
        # added up as the database before it had it.
        return await self._save(there.key, made)

    async def _settled(self, end: int) -> int:
        """Return a position, not before ``end``, up to which every line is there that will ever
        be; 0 if somebody writes for longer than is waited for here.
        """
        # A look of long ago may be of a database that has lost lines since, to one that took over.
        horizon = Horizon(self.db)
        for _ in range(LOOKS):
            settled = await horizon.position()
            if settled >= end:
                return settled
            await self.sleep(BETWEEN_LOOKS_S)
        return 0

    async def _read(self, work: Work[T]) -> T:
        """Read a piece, and leave the database to others for as long as it took."""
        begun_s = self.monotonic_s()
        found = await self.db.read(work)
        await self.sleep(self.monotonic_s() - begun_s)
        return found

    async def _save(self, seen: Key | None, now: Saved) -> bool:
        return await self.db.write(partial(save, seen=seen, now=now), proves=False)


def _look(connection: Connection) -> tuple[TotalsStanding, int]:
    return read_standing(connection), newest(connection)


def _compare(connection: Connection, *, made: Saved) -> tuple[TotalsStanding, bool]:
    """Return how it stands, and whether that comes to the same money as what was made."""
    told = read_fleet(connection)
    by_now = made.totals + moved_behind(connection, made.position)
    return read_standing(connection), told == by_now


def _between(connection: Connection, *, after: int, upto: int) -> Totals:
    return read_moved(connection, journal.c.id > after, journal.c.id <= upto)


def _last_of(connection: Connection, *, after: str, most: int) -> str | None:
    """Return the last of the next machines; None if there are fewer than so many."""
    c = machines.c.machine_id
    wanted = select(c).where(c > after).order_by(c).offset(most - 1).limit(1)
    last: str | None = connection.scalar(wanted)
    return last


def _up_to(connection: Connection, *, position: int, after: str, upto: str | None) -> Totals:
    """Return what the days of these machines say, less what lines behind the position moved."""

    def ours(machine_id: ColumnElement[str]) -> tuple[ColumnElement[bool], ...]:
        bounds = (machine_id > after,)
        return bounds if upto is None else (*bounds, machine_id <= upto)

    said = read_totals(connection, ours(balances.c.machine_id))
    # The lines are found by their ids, which are few, and not by their machines.
    of_line = journal.c.machine_id + ""
    return said - read_moved(connection, journal.c.id > position, *ours(of_line))

"""The money of the whole fleet, without reading every day of every machine each time: of 10,000
machines that are three million rows after sixty days, which takes seconds.

Flows in: the database, and what time it is. Flows out: balances by currency. The sums of days that
are over are kept in this process; the others are read each time. Who books on such a day all the
same, because their clock is behind or ours was ahead, is found among the lines of the books
that were written since: then all days are summed anew. No line is passed by: what is looked at
begins behind the position up to which every line is there (``storage.fleet.horizon``), so that one
with a lower position that is saved later is found too. Nothing that was saved before somebody asks
is missing from the answer.
"""

import asyncio
from functools import partial

from sqlalchemy import Connection, func, select

from storage.database.engine import Database
from storage.fleet.balances import Totals, read_totals, views
from storage.fleet.horizon import Horizon
from storage.fleet.views import BalanceView
from storage.machines.rows import DAY_MS
from storage.tables import balances, journal, machines

MACHINES = 200
"""Of so many machines days are summed in one read: none of them takes long, and none sees more of
the books than it needs.
"""
GRACE_MS = 15 * 60_000
"""A day (UTC) is over so long after its end: clocks of hosts differ, and a commit takes a while.
Who books later is found all the same; it costs a sum of all days.
"""
LINES_AT_ONCE = 50_000
"""Of so many lines that were written since the last read one read looks on which days they book."""
LATE_DAYS_MAX = 2
"""So many days more are read each time once somebody was seen who books late: a host whose clock is
behind goes on with it, and all days are not to be summed anew each time.
"""


class FleetBalances:
    """One for a process. Raises StoreError when the database does not answer."""

    def __init__(
        self,
        db: Database,
        horizon: Horizon,
        *,
        machines_at_once: int = MACHINES,
        lines_at_once: int = LINES_AT_ONCE,
    ) -> None:
        self._db = db
        self._horizon = horizon
        self._at_once = machines_at_once
        self._lines_at_once = lines_at_once
        self._kept = Totals()
        self._until = 0
        """The days before this one are in ``_kept``."""
        self._begun = (0, "", Totals())
        """Up to which day days are being added, of the machines up to which one, and their sum: who
        asks again goes on where a read was ended that took too long.
        """
        self._looked = 0
        """All lines up to this position were there when the days that are over began to be added,
        or it was seen since that they book on no such day.
        """
        self._late_days = 0
        self._one_at_a_time = asyncio.Lock()

    async def read(self, *, now_ms: int) -> list[BalanceView]:
        """Return the money of all machines, by currency."""
        async with self._one_at_a_time:
            newest_ms = await self._look(now_ms)
            first_open = (min(now_ms, newest_ms) - GRACE_MS) // DAY_MS - self._late_days
            if first_open > self._until:
                ended = await self._ended(self._until, first_open)
                self._kept, self._until = self._kept + ended, first_open
            kept, until = self._kept, self._until
        return views(kept + await self._db.read(lambda connection: open_days(connection, until)))

    async def _look(self, now_ms: int) -> int:
        """Forget all sums if something was booked since on a day that is in them, or if by our own
        clock one of them is to come. Return the time of the newest line.
        """
        # While somebody writes the first look of a process knows no position yet, the second does.
        settled = await self._horizon.position() or await self._horizon.position()
        upto, newest_ms = await self._db.read(_newest)
        over = max(self._until, self._begun[0])
        booked_from = now_ms // DAY_MS
        if over <= booked_from:
            booked_from = await self._booked_from(over, booked_from, settled=settled, upto=upto)
        if booked_from < over:
            late_days = max(self._late_days, over - booked_from)
            self._late_days = min(late_days, LATE_DAYS_MAX)
            self._kept, self._until, self._begun = Totals(), 0, (0, "", Totals())
        if not (self._until or self._begun[0]):
            self._looked = settled  # What is added from now on has all these lines.
        return newest_ms

    async def _booked_from(self, over: int, day: int, *, settled: int, upto: int) -> int:
        """Return the first day of those before ``over`` on which a line books that was not looked
        at before; ``day`` if there is none.
        """
        after = self._looked if over else upto
        while after < upto and day >= over:
            behind = after + self._lines_at_once
            at_ms = await self._db.read(partial(_earliest, after=after, upto=behind))
            day = day if at_ms is None else min(day, at_ms // DAY_MS)
            if day >= over:  # Who asks again after a read that was ended goes on here.
                self._looked = max(self._looked, min(behind, settled))
            after = behind
        return day

    async def _ended(self, from_day: int, until_day: int) -> Totals:
        """Return what days say that are over, some machines at a time."""
        if self._begun[0] != until_day:
            self._begun = (until_day, "", Totals())
        _, after, total = self._begun
        while ids := await self._db.read(partial(_next_machines, after=after, most=self._at_once)):
            some = (
                balances.c.machine_id > after,
                balances.c.machine_id <= ids[-1],
                balances.c.day >= from_day,
                balances.c.day < until_day,
            )
            total += await self._db.read(partial(read_totals, where=some))
            after = ids[-1]
            self._begun = (until_day, after, total)
        self._begun = (0, "", Totals())
        return total


def _next_machines(connection: Connection, *, after: str, most: int) -> list[str]:
    c = machines.c.machine_id
    return list(connection.scalars(select(c).where(c > after).order_by(c).limit(most)))


def open_days(connection: Connection, from_day: int) -> Totals:
    """Return what the days from this one on say: a few rows of each machine, one look for each."""
    by = machines.c.machine_id
    # Joined with nothing, it is no column that an index holds: so SQLite looks for each machine's
    # days, and does not read all days to look for their machines.
    ours = machines.join(balances, balances.c.machine_id == by + "")
    return read_totals(connection, (balances.c.day >= from_day,), of=ours, machine_id=by)


def _newest(connection: Connection) -> tuple[int, int]:
    """Return the id and time of the books' newest line."""
    newest = select(journal.c.id, journal.c.at_ms).order_by(journal.c.id.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return (0, 0) if row is None else (row.id, row.at_ms)


def _earliest(connection: Connection, *, after: int, upto: int) -> int | None:
    """Return the earliest time that one of these lines bears; None if there are none."""
    some = (journal.c.id > after, journal.c.id <= upto)
    at_ms: int | None = connection.scalar(select(func.min(journal.c.at_ms)).where(*some))
    return at_ms

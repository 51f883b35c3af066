"""The money of the whole fleet, without reading every day of every machine each time: of 10,000
machines that are three million rows after sixty days, which takes seconds.

Flows in: the database, and what time it is. Flows out: balances by currency. The sums of days that
are over are kept in this process; the others are read each time. Who books on such a day all the
same, because their clock is hours behind or ours was ahead, is found among the newest lines of the
books: then all days are summed anew. A late line that many others have followed before anybody
asked is told after the next start; ``vendgate audit`` reads all days.
"""

import asyncio
from functools import partial

from sqlalchemy import Connection, select

from storage.database.engine import Database
from storage.fleet.balances import Totals, read_totals, views
from storage.fleet.views import BalanceView
from storage.machines.rows import DAY_MS
from storage.tables import balances, journal, machines

MACHINES = 200
"""Of so many machines days are summed in one read: none of them takes long, and none sees more of
the books than it needs.
"""
GRACE_MS = 6 * 3_600_000
"""A day (UTC) is over so long after its end: clocks of hosts differ."""
NEW_LINES = 500
"""Of so many that were written since the last read it is looked on which days they book."""
LATE_DAYS_MAX = 2
"""So many days more are read each time once somebody was seen who books late: a host whose clock is
behind goes on with it, and all days are not to be summed anew each time.
"""


class FleetBalances:
    """One for a process. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database, *, machines_at_once: int = MACHINES) -> None:
        self._db = db
        self._at_once = machines_at_once
        self._kept = Totals()
        self._until = 0
        """The days before this one are in ``_kept``."""
        self._begun = (0, "", Totals())
        """Up to which day days are being added, of the machines up to which one, and their sum: who
        asks again goes on where a read was ended that took too long.
        """
        self._newest = (0, 0)
        """The id of the books' newest line at the last read, and its time."""
        self._late_days = 0
        self._one_at_a_time = asyncio.Lock()

    async def read(self, *, now_ms: int) -> list[BalanceView]:
        """Return the money of all machines, by currency."""
        async with self._one_at_a_time:
            first_open = await self._first_open_day(now_ms)
            if first_open > self._until:
                ended = await self._ended(self._until, first_open)
                self._kept, self._until = self._kept + ended, first_open
            kept, until = self._kept, self._until
        return views(kept + await self._db.read(lambda connection: open_days(connection, until)))

    async def _first_open_day(self, now_ms: int) -> int:
        """Return the first day on which something may still be booked, by the newest line of the
        books and by our own clock: one that is ahead by itself ends no day. Forgets all sums if
        that was wrong.
        """
        lines = await self._db.read(partial(_lines_after, after=self._newest[0]))
        booked_from = min([now_ms, *(at_ms for _, at_ms in lines)]) // DAY_MS
        if (over := max(self._until, self._begun[0])) > booked_from:
            late_days = max(self._late_days, over - booked_from)
            self._late_days = min(late_days, LATE_DAYS_MAX)
            self._kept, self._until, self._begun = Totals(), 0, (0, "", Totals())
        self._newest = lines[0] if lines else self._newest
        return (min(now_ms, self._newest[1]) - GRACE_MS) // DAY_MS - self._late_days

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


def _lines_after(connection: Connection, *, after: int) -> list[tuple[int, int]]:
    """Return the ids and times of the lines behind this one, the newest first."""
    c = journal.c
    behind = select(c.id, c.at_ms).where(c.id > after).order_by(c.id.desc()).limit(NEW_LINES)
    return [(row.id, row.at_ms) for row in connection.execute(behind)]

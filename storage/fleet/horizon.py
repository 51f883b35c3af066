"""How far the journal can be followed: up to which position every row is there that will ever be.

Positions are given out before the COMMIT that shows them, so a host that commits slowly leaves a
hole which another host's rows stand behind already. Whoever read on behind those rows would never
see the hole filled. Nobody waits for that, no commit takes a lock for it: the follower looks twice.
The first look notes the newest row, and then who is writing to the journal at this moment; when all
of these have ended, committed or not, no hole is left up to that row. Who begins to write after the
look gets a higher position.

SQLite has one writer at a time, which gives positions out in the order of its commits: what is seen
is all there is. The look must be made on the database that is written, not on a copy of it that
follows: the locks of its writers are not seen there.
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from storage.database import dialects
from storage.database.engine import Database
from storage.tables import journal

# An INSERT holds this lock from before it is given its position until its transaction has ended
# and is seen by all, wherever its process is by then.
_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks"
    " WHERE locktype = 'relation' AND relation = 'journal'::regclass"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND mode = 'RowExclusiveLock' AND granted"
)
_NEWEST = select(func.max(journal.c.id))


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: the newest position that was seen, and who was writing after that."""

    newest: int
    writers: frozenset[str]


class Horizon:
    """What one process knows of it. Only grows."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._looks = asyncio.Lock()  # each begins after the one before it: they are compared
        self._settled = 0
        self._unsettled: Look | None = None

    async def position(self) -> int:
        """Look once, and return the newest position up to which nothing can be missed; 0 if none
        is known yet. Behind rows that are being written it comes with a later look. Raises
        StoreError.
        """
        async with self._looks:
            look = await self._db.read(_look)
            earlier = self._unsettled
            if not look.writers:
                self._settled, self._unsettled = max(self._settled, look.newest), None
            elif earlier is None:
                self._unsettled = look
            elif not earlier.writers & look.writers:
                self._settled, self._unsettled = max(self._settled, earlier.newest), look
            return self._settled


def _look(connection: Connection) -> Look:
    newest = connection.scalar(_NEWEST) or 0
    if connection.dialect.name != dialects.POSTGRESQL:
        return Look(newest, frozenset())
    # In this order: who is not seen here has ended, or will be given a position above.
    return Look(newest, frozenset(connection.scalars(_WRITERS)))

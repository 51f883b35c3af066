"""The money of the whole fleet: the saved totals, and what was moved behind them. Nothing is kept
in this process, so that any two of them say the same.

Flows in: the database. Flows out: balances by currency. Before totals are saved that hold (in a
gateway's first seconds on a database that has none), or that are not far behind (where a program
of before ran for days, which keeps none), all days of all machines are summed instead, by one who
asks at a time: that takes seconds for millions of rows, and the others wait for the totals or for
their turn.
"""

import asyncio
from functools import partial

from sqlalchemy import Connection

from storage.database.engine import Database
from storage.fleet.balances import Totals, read_totals, views
from storage.fleet.fleet_totals import read_fleet
from storage.fleet.views import BalanceView

BEHIND_MAX = 1_000_000
"""To add up what so many lines moved takes about two seconds of processor; all days of a fleet that
sells that much take no less, but do not grow with it.
"""


class FleetBalances:
    """One for a process. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database, *, behind_max: int = BEHIND_MAX) -> None:
        self._db = db
        self._behind_max = behind_max
        self._one_at_a_time = asyncio.Lock()

    async def read(self) -> list[BalanceView]:
        """Return the money of all machines, by currency: all that was saved before."""
        totals = await self._db.read(partial(read_fleet, behind_max=self._behind_max))
        if totals is None:
            async with self._one_at_a_time:
                totals = await self._db.read(partial(_read_all, behind_max=self._behind_max))
        return views(totals)


def _read_all(connection: Connection, *, behind_max: int) -> Totals:
    # They may have been saved while others had their turns.
    totals = read_fleet(connection, behind_max=behind_max)
    return read_totals(connection, ()) if totals is None else totals

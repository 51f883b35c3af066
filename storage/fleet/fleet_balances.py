"""The money of the whole fleet: the saved totals, and what was moved behind them. Nothing is kept
in this process, so that any two of them say the same.

Flows in: the database. Flows out: balances by currency. Before totals are saved that hold (in a
gateway's first seconds on a database that has none) all days of all machines are summed instead, by
one who asks at a time: that takes seconds for millions of rows, and the others wait for the totals
or for their turn.
"""

import asyncio

from sqlalchemy import Connection

from storage.database.engine import Database
from storage.fleet.balances import Totals, read_totals, views
from storage.fleet.fleet_totals import read_fleet
from storage.fleet.views import BalanceView


class FleetBalances:
    """One for a process. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._one_at_a_time = asyncio.Lock()

    async def read(self) -> list[BalanceView]:
        """Return the money of all machines, by currency: all that was saved before."""
        totals = await self._db.read(read_fleet)
        if totals is None:
            async with self._one_at_a_time:
                totals = await self._db.read(_read_all)
        return views(totals)


def _read_all(connection: Connection) -> Totals:
    totals = read_fleet(connection)  # They may have been saved while others had their turns.
    return read_totals(connection, ()) if totals is None else totals

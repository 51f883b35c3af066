"""How many machines selectors mean now, so that whoever plans something for none of them is told.

Flows in: selectors. Flows out: numbers. A selector that means nobody is not refused where something
is planned: the machines may come to stand there later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from storage.database.engine import Database
from storage.office.selectors import Selector, machines_of
from storage.tables import machine_screens, machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Whom somebody means: machines of this currency alone, if one is given."""

    selector: Selector
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """How many machines, and how many of them have said that they have a screen."""

    machines: int
    screens: int


class MeantMachines:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def counts(self, meanings: Sequence[Meaning], now_ms: int) -> list[Meant]:
        """Return how many each means at that moment, in their order. The same one is asked once."""
        # A selector has labels, which have no hash.
        wanted = {repr(one): _count(one, now_ms) for one in meanings}
        if not wanted:
            return []

        def rows(connection: Connection) -> dict[str, Meant]:
            found = ((name, connection.execute(of).one()) for name, of in wanted.items())
            return {name: Meant(machines=row[0], screens=row[1]) for name, row in found}

        told = await self._db.read(rows)
        return [told[repr(one)] for one in meanings]


def _count(of: Meaning, now_ms: int) -> Any:
    meant = machines_of(of.selector, now_ms)
    if of.currency:
        meant = meant.where(machines.c.currency == of.currency)
    ids, shows = meant.subquery(), machine_screens.c.machine_id
    there = ids.outerjoin(machine_screens, shows == ids.c.machine_id)
    return select(func.count(ids.c.machine_id), func.count(shows)).select_from(there)

"""How many hosts share the machines, changed by a call: once for each request, whoever repeats it.

Flows in: a number of hosts, who wants it, and the claim of their request. Flows out: the layout as
it is then. Somebody else may have written another one before the call is repeated; that one stays.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from actors.ports import StoreError
from storage.books.audit_rows import Actor
from storage.database.engine import Database
from storage.fleet.answers import Claim, mark_done
from storage.machines.layout import scale
from storage.tables import layout


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutView:
    """``before``: how many hosts there were to be before the call."""

    hosts: int
    version: int
    before: int


class Layouts:
    """Changes the layout. Raises StoreError when the database does not answer, or if nothing has
    served it yet.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def now(self) -> LayoutView:
        """Return the present one."""
        return await self._db.read(_present)

    async def scale(
        self, hosts: int, *, actor: Actor, now_ms: int, claim: Claim | None = None
    ) -> LayoutView:
        """Write a layout of so many hosts, with an audit row if that changes it. A ``claim`` that
        has done so already finds what it did.
        """

        def work(connection: Connection) -> LayoutView:
            if claim is not None and claim.done:
                version, before = map(int, claim.kept.split())
                return LayoutView(hosts=hosts, version=version, before=before)
            there = _present(connection, lock=True)
            version = there.version + (there.hosts != hosts)
            if claim is not None:
                mark_done(connection, claim, kept=f"{version} {there.hosts}")
            scale(connection, hosts, actor=actor, now_ms=now_ms)
            return LayoutView(hosts=hosts, version=version, before=there.hosts)

        return await self._db.write(work)


def _present(connection: Connection, *, lock: bool = False) -> LayoutView:
    asked = select(layout)
    row = connection.execute(asked.with_for_update() if lock else asked).first()
    if row is None:
        raise StoreError("Nothing has served this database yet: start a gateway first.")
    return LayoutView(hosts=row.host_count, version=row.version, before=row.host_count)

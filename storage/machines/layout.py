"""How many hosts share the partitions: one row, which the first program that serves writes.

Flows in: how many hosts a program is set up for. Flows out: nothing, or a sentence that says what
to do. It is asked before any host is made, because a host that is made for another layout would
only stand in the way.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from actors.ports import StoreError
from storage.books.audit_rows import Actor, write_audit_row
from storage.database import dialects
from storage.database.engine import Database
from storage.tables import holders, layout


class LayoutDiffers(StoreError):
    """The program is set up for another number of hosts than the installation has."""


class StillServed(StoreError):
    """The layout cannot be changed while somebody holds partitions."""


class Layout:
    """The layout of one installation. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def first(self, host_count: int, *, by: str, now_ms: int) -> int:
        """Return how many hosts the installation has: so many, if nobody has said otherwise yet."""

        def work(connection: Connection) -> int:
            name = connection.dialect.name
            first = {
                "id": 1,
                "version": 1,
                "host_count": host_count,
                "set_at_ms": now_ms,
                "set_by": by,
            }
            connection.execute(dialects.insert_or_ignore(name, layout, ["id"]).values(first))
            count: int = connection.scalars(select(layout.c.host_count)).one()
            return count

        there = await self._db.read(layout_hosts)
        return there if there is not None else await self._db.write(work)

    async def agree(self, host_count: int, *, by: str, now_ms: int) -> None:
        """Return if the installation has so many hosts; it has, if nobody has said otherwise yet.
        Raises LayoutDiffers.
        """
        there = await self.first(host_count, by=by, now_ms=now_ms)
        if there != host_count:
            raise LayoutDiffers(
                f"This installation has {there} hosts and this program is set up for {host_count} "
                f"(ray.hosts; without Ray it is one, whatever that says): set ray.hosts = {there}, "
                "and have a Ray. To change the layout instead, end every gateway and every host, "
                f"then run 'vendgate hosts layout {host_count}' with the same settings; in a "
                "cluster, 'vendgate scale'."
            )

    async def scale(self, host_count: int, *, actor: Actor, now_ms: int) -> int:
        """Write a new layout while hosts serve, who follow it; return its version, which stays if
        there are so many hosts already. Raises StoreError if nothing has served yet.
        """

        def work(connection: Connection) -> int:
            return scale(connection, host_count, actor=actor, now_ms=now_ms)[0]

        return await self._db.write(work)

    async def change(
        self, host_count: int, *, actor: Actor, gone: Sequence[str], now_ms: int
    ) -> int:
        """Write a new layout; return its version. ``gone`` are holders that are known to live no
        more; raises StillServed if any other holds partitions.
        """

        def work(connection: Connection) -> int:
            # First, so that a claim that was granted for the old layout is seen below.
            row = connection.execute(select(layout).with_for_update()).first()
            there = set(connection.scalars(select(holders.c.holder).with_for_update()))
            if served := sorted(there - set(gone)):
                raise StillServed(
                    f"{', '.join(served)} holds machines: end every gateway and every host first."
                )
            connection.execute(delete(holders))
            version = 1 if row is None else row.version + 1
            _write(connection, host_count, version, actor=actor, now_ms=now_ms)
            _audit(connection, str(host_count), version, actor, now_ms)
            return version

        return await self._db.write(work)


def scale(connection: Connection, host_count: int, *, actor: Actor, now_ms: int) -> tuple[int, int]:
    """Write a layout of so many hosts; return its version, which stays if there are so many
    already, and how many there were. Call it last in a transaction: it writes an audit row. Raises
    StoreError if nothing has served yet.
    """
    row = connection.execute(select(layout).with_for_update()).first()
    if row is None:
        raise StoreError("Nothing has served this database yet: start a gateway first.")
    version: int = row.version
    if row.host_count != host_count:
        version += 1
        _write(connection, host_count, version, actor=actor, now_ms=now_ms)
        _audit(connection, f"{row.host_count} to {host_count}", version, actor, now_ms)
    return version, row.host_count


def layout_hosts(connection: Connection) -> int | None:
    """Return how many hosts the layout has; None: nothing has served yet."""
    count: int | None = connection.scalar(select(layout.c.host_count))
    return count


def _write(
    connection: Connection, host_count: int, version: int, *, actor: Actor, now_ms: int
) -> None:
    changed = {
        "version": version,
        "host_count": host_count,
        "set_at_ms": now_ms,
        "set_by": actor.name,
    }
    connection.execute(
        dialects.upsert(connection.dialect.name, layout, "id", tuple(changed)).values(
            id=1, **changed
        )
    )


def _audit(connection: Connection, hosts: str, version: int, actor: Actor, now_ms: int) -> None:
    write_audit_row(
        connection,
        at_ms=now_ms,
        actor=actor,
        action="layout",
        machine_id="",
        detail=f"{hosts} hosts, version {version}",
    )

"""What a poster says of machines, and which were printed.

Flows in: machines, by name or by selector. Flows out: for each what SQL has of it; and a row of the
audit log for each poster that was made, with the name of its code, so that a sticker from before a
code was changed can be found.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from storage.books.audit_rows import Actor, AuditRow, write_audit_rows
from storage.database.engine import Database
from storage.fleet.queries import Queries
from storage.office.poster_lines import PosterLine, Printed
from storage.office.selectors import Selector, check_known, machines_of
from storage.office.stays import is_at
from storage.tables import machine_sites, machines, sites

ACTION = "PrintPoster"
"""What it is called in the audit log."""


class PosterBooks:
    """Asks and writes a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._queries = Queries(db)

    async def held(self, selector: Selector, now_ms: int, *, limit: int) -> list[str]:
        """Return the machines that the selector holds, in the order of their ids, ``limit`` at
        most. Raises NotThere.
        """
        ids = machines_of(selector, now_ms).order_by(machines.c.machine_id).limit(limit)

        def work(connection: Connection) -> list[str]:
            check_known(connection, selector)
            return list(connection.scalars(ids))

        return await self._db.read(work)

    async def lines(self, machine_ids: Sequence[str], now_ms: int) -> list[PosterLine]:
        """Return those of the machines that there are, in the order that is given."""
        c = machine_sites.c
        places = (
            select(c.machine_id, sites.c.name)
            .join(sites, sites.c.site == c.site)
            .where(c.machine_id.in_(machine_ids), is_at(now_ms))
        )
        views = {
            view.machine_id: view
            for view in await self._queries.some_machines(machine_ids, columns=False)
        }
        named = await self._db.read(
            lambda connection: {row.machine_id: row.name for row in connection.execute(places)}
        )
        return [
            PosterLine(
                machine_id=view.machine_id,
                payload=view.qr_payload,
                status=view.code_status,
                mode=view.mode,
                differs=tuple(map(str, view.code_differs)),
                error=view.code_error,
                enabled=view.enabled,
                retired=view.retired_at_ms is not None,
                place=named.get(view.machine_id, ""),
            )
            for machine_id in machine_ids
            if (view := views.get(machine_id)) is not None
        ]

    async def note(
        self, printed: Sequence[Printed], *, form: str, actor: str | Actor, now_ms: int
    ) -> None:
        """Write a row of the audit log for each poster, all or none. ``form``: its size and
        format.
        """
        rows = [
            AuditRow(
                at_ms=now_ms,
                actor=actor,
                action=ACTION,
                machine_id=one.machine_id,
                detail=f"code {one.code_id}, {form}" + (f", at {one.place}" if one.place else ""),
            )
            for one in printed
        ]

        def work(connection: Connection) -> None:
            write_audit_rows(connection, rows)

        await self._db.write(work)

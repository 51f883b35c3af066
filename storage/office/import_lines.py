"""Lines of imports and applications that ended long ago are kept no longer: there may be ten
thousand for each. What became of the whole, its counts and who did it, stays in its row.

Flows in: the moment before which they must have ended. Flows out: how many lines went; a few in
each transaction, so that nobody waits long for one.
"""

from sqlalchemy import Connection, Select, delete, select, tuple_

from storage.database.engine import Database
from storage.office.imports import ImportState
from storage.tables import machine_import_lines, machine_imports

KEPT_DAYS = 400
"""A line is kept for so long after its import's or application's end."""
AT_ONCE = 500
_ENDED = (ImportState.DONE.value, ImportState.STOPPED.value)


async def forget(db: Database, *, before_ms: int) -> int:
    """Delete lines of what ended before this moment, at most AT_ONCE, and return how many. Those
    that another gateway has locked are left to it. Raises StoreError.
    """
    wanted = too_old(before_ms)
    if not await db.read(lambda connection: connection.execute(wanted).all()):
        return 0

    def work(connection: Connection) -> int:
        locked = wanted.with_for_update(skip_locked=True, of=machine_import_lines)
        keys = [(row.import_id, row.line) for row in connection.execute(locked)]
        if keys:
            c = machine_import_lines.c
            connection.execute(
                delete(machine_import_lines).where(tuple_(c.import_id, c.line).in_(keys))
            )
        return len(keys)

    return await db.write(work)


def too_old(before_ms: int) -> Select[tuple[str, int]]:
    """Return the query for lines of what ended before this moment."""
    c, of = machine_import_lines.c, machine_imports.c
    return (
        select(c.import_id, c.line)
        .join(machine_imports, of.import_id == c.import_id)
        .where(of.state.in_(_ENDED), of.created_at_ms < before_ms, of.ended_at_ms < before_ms)
        .limit(AT_ONCE)
    )

"""What is made again goes first, but for facts that nobody could make again."""

from functools import partial

from sqlalchemy import Connection, delete, insert

from storage.database.engine import Database
from storage.tables import journal, kept_transfers, sale_facts, sales_days, scope_days, starts
from tests.storage.insight.shop import follower, rows, sold

START = {"digest": "", "at_ms": 1, "from_day": 0, "balances": "{}", "link": "{}"}


def _archive(connection: Connection, machine_id: str, version: int) -> None:
    """Take the first lines of a machine out of the books."""
    connection.execute(insert(starts), {**START, "machine_id": machine_id, "version": version})
    for table in (kept_transfers, journal):
        ours = (table.c.machine_id == machine_id, table.c.version <= version)
        connection.execute(delete(table).where(*ours))


async def test_facts_of_archived_lines_are_kept_and_added_up_again(db: Database) -> None:
    """All else is made of the journal; a fact that never was goes."""
    await sold(db, "VM-1", "VM-2")
    ours = follower(db)
    await ours.catch_up()
    facts, days, scopes = [await rows(db, table) for table in (sale_facts, sales_days, scope_days)]
    first = next(row for row in facts if row[0] == "VM-1")
    version = first[1]
    assert isinstance(version, int)
    await db.write(partial(_archive, machine_id="VM-1", version=version))
    invented = dict(zip(sale_facts.c.keys(), first, strict=True)) | {"version": 9_999}
    await db.write(lambda connection: connection.execute(insert(sale_facts), invented))
    await ours.rebuild()
    await ours.catch_up()
    assert facts == await rows(db, sale_facts)
    assert days == await rows(db, sales_days)
    assert scopes == await rows(db, scope_days)

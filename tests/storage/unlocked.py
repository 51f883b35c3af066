"""How an intruder gets past the triggers: as whoever owns the database may, on SQLite and on
PostgreSQL. Of the ledger's view a table is made, with the same rows, in which all that is said of a
transfer can be changed; what is kept of it stays, and is not read any more.
"""

import re
from collections.abc import Iterable

from sqlalchemy import Connection, inspect, text

TABLES = ("journal", "transfers", "audit")
SAID_OTHERWISE = (
    "CREATE TABLE said_transfers AS SELECT * FROM transfers",
    "DROP VIEW transfers",
    "ALTER TABLE said_transfers RENAME TO transfers",
)


def speak_of_transfers(statements: Iterable[str]) -> bool:
    """Tell whether a statement is about what is said of transfers, not about what is kept."""
    return any(re.search(r"\btransfers\b", one) for one in statements)


def unlock(connection: Connection, *statements: str) -> None:
    """Let the append-only tables be changed, and, if one of the statements to come speaks of
    transfers, what is said in the ledger's view.
    """
    views = inspect(connection).get_view_names()
    if "transfers" in views and speak_of_transfers(statements):
        for statement in SAID_OTHERWISE:
            connection.execute(text(statement))
    if connection.dialect.name == "sqlite":
        for name in connection.scalars(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        return
    connection.execute(text("SET LOCAL session_replication_role = replica"))

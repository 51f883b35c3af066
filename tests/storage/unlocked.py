"""How an intruder gets past the triggers: as whoever owns the database may, on SQLite and on
PostgreSQL.
"""

from sqlalchemy import Connection, text

TABLES = ("journal", "transfers", "audit")


def unlock(connection: Connection) -> None:
    """Let the append-only tables be changed."""
    if connection.dialect.name == "sqlite":
        for name in connection.scalars(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        return
    connection.execute(text("SET LOCAL session_replication_role = replica"))

"""Whether what a PostgreSQL calls committed outlives what it is meant to outlive.

Two things go wrong there that SQLite does not know:

* The server may be told to promise less: not to flush, or not to wait for the standby to which it
  would fail over. ``weaknesses`` finds out, ``require_durable`` refuses.
* With a synchronous standby a COMMIT flushes here and then waits for the standby. One that is
  cancelled, or whose connection breaks, is committed *here alone*: it can be read, and a failover
  loses it. The server calls one that an administrator cancels done, with a warning, which
  ``postgres`` takes for what it is. Whoever acts on such a row first lets a later commit wait for
  the standby (``make_durable``): a commit is confirmed only when all before it are.

PostgreSQL 15, 20.5 "Write Ahead Log" and 27.2.8 "Synchronous Replication".
"""

from sqlalchemy import Connection, text

from actors.ports import StoreError
from storage.database.dialects import POSTGRESQL

_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
_MESSAGE = text("SELECT pg_logical_emit_message(true, 'vendgate', '')")
_STANDBYS = text(
    "SELECT count(*) FROM pg_stat_replication AS one WHERE coalesce(state, '') <> 'backup'"
    " AND coalesce(application_name, '') <> 'pg_basebackup'"
    " AND NOT EXISTS (SELECT 1 FROM pg_replication_slots AS slot"
    " WHERE slot.slot_type = 'logical' AND slot.active_pid = one.pid)"
)
"""Whoever copies the whole database just now; neither a backup, which has a connection for what is
written meanwhile too, nor a reader of changes.
"""


def make_durable(connection: Connection) -> None:
    """Let the transaction's COMMIT wait until all that was committed before it is durable, also if
    it writes nothing else. SQLite has nothing to wait for.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(_MESSAGE)


def weaknesses(connection: Connection) -> list[str]:
    """Return a sentence for each way in which the database promises less than a COMMIT says."""
    if connection.dialect.name != POSTGRESQL:
        return []
    told = {name: str(connection.scalar(text(f"SHOW {name}"))) for name in _SETTINGS}
    found = [
        f"{name} is off: what was saved is lost, or the database damaged, when the power fails; "
        f"set {name} = on"
        for name in ("fsync", "full_page_writes")
        if told[name] == "off"
    ]
    waits = told["synchronous_commit"]
    named = told["synchronous_standby_names"]
    standbys = connection.scalar(_STANDBYS) or 0
    if waits == "off":
        found.append(
            "synchronous_commit is off: the last sales are lost when the server dies; set "
            "synchronous_commit = on"
        )
    elif waits == "local" and named:
        found.append(
            "synchronous_commit is local, so that no COMMIT waits for the standby: a failover "
            "loses sales; set synchronous_commit = on"
        )
    if standbys and not named:
        found.append(
            f"{standbys} standby copies later than it says (asynchronous replication): a failover "
            "to it loses sales; set synchronous_standby_names"
        )
    return found


def require_durable(connection: Connection) -> None:
    """Raise StoreError with what to do if the database promises less than a COMMIT says."""
    if found := weaknesses(connection):
        raise StoreError(
            "The database promises less than money needs: "
            + "; ".join(found)
            + '. If that is meant, set database.durability = "weaker".'
        )

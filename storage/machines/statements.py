"""The statements of the write path, compiled once for each dialect
(``storage.database.prepared``).
"""

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Table,
    Update,
    bindparam,
    insert,
    select,
    update,
)

from storage.database import dialects
from storage.database.prepared import Prepared, Row, RowsAmong
from storage.machines.arrays import ArrayPart, Together, Values, array_insert
from storage.tables import (
    balances,
    goods_moves,
    inbox,
    incidents,
    journal,
    kept_transfers,
    machine_alarms,
    machine_commands,
    machine_states,
    partitions,
    refunds,
    sessions,
    trades,
    vends,
)

# What may change in the life of a row. The first of each is never null.
STATE_CHANGES = (
    "version",
    "epoch",
    "revision",
    "active",
    "phase",
    "online",
    "updated_at_ms",
    "code_differs_since_ms",
    "code_trouble",
    "planogram_shown",
    "format",
    "body",
    "digest",
)
SESSION_CHANGES = ("payer_id", "status", "end_reason", "ended_at_ms")
VEND_CHANGES = ("status", "reason", "evidence", "ended_at_ms")
TRADE_CHANGES = (
    "sold_minor",
    "refunded_minor",
    "written_off_minor",
    "held_minor",
    "session_id",
    "status",
    "closed_at_ms",
)
ALARM_CHANGES = ("times", "last_at_ms", "detail")
INCIDENT_CHANGES = (
    *("detail", "times", "last_at_ms", "ended_at_ms"),
    *("ending", "ended_by", "reason"),
)
COMMAND_CHANGES = (
    *("status", "sent_at_ms", "ended_at_ms", "dropped"),
    *("detail", "evidence", "report"),
)
REFUND_CHANGES = (
    "attempts",
    "status",
    "error",
    "next_attempt_at_ms",
    "ended_at_ms",
    "proposed_at_ms",
    "proposed_by",
    "proposed_reason",
)


class CommitStatements:
    """What a commit asks and what it writes. On SQLite each table has its statement; on PostgreSQL
    all that is written is one.
    """

    def __init__(self, dialect: Dialect) -> None:
        name = dialect.name
        self.holders = RowsAmong(_HOLDERS, partitions.c.partition, dialect)
        """Partitions, their holders and epochs, which stay until the transaction ends."""
        self.saved = RowsAmong(_SAVED, machine_states.c.machine_id, dialect)
        """Machines, their saved versions and newest digests."""
        days = ("machine_id", "day", "account")
        owned = {
            table: dialects.upsert(name, table, key, changing, owned_by="machine_id")
            for table, key, changing in (
                (sessions, "session_id", SESSION_CHANGES),
                (trades, "trade_id", TRADE_CHANGES),
                (vends, "vend_id", VEND_CHANGES),
                (refunds, "refund_id", REFUND_CHANGES),
                (machine_alarms, "alarm_id", ALARM_CHANGES),
                (incidents, "incident_id", INCIDENT_CHANGES),
                (machine_commands, "command_id", COMMAND_CHANGES),
            )
        }
        inserts = {
            **owned,
            kept_transfers: insert(kept_transfers),
            balances: dialects.add_up(name, balances, days, ("debit_minor", "credit_minor")),
            goods_moves: insert(goods_moves),
            machine_states: dialects.upsert(name, machine_states, "machine_id", STATE_CHANGES),
        }
        self._parts: list[Prepared] = []
        self._together: Together | None = None
        if name == dialects.POSTGRESQL:
            parts = [array_insert(made, _but_id(table), dialect) for table, made in inserts.items()]
            taking = ArrayPart(_TAKEN, _take_each, dialect)
            lines = array_insert(insert(journal), _but_id(journal), dialect)
            self._together = Together([*parts, taking, lines])
            return
        for table, made in inserts.items():
            self._parts.append(Prepared(made, _names(table), dialect))
        self._parts.append(Prepared(_TAKE, list(_TAKEN), dialect))
        self._parts.append(Prepared(insert(journal), _names(journal), dialect))

    def save(self, connection: Connection, rows: Sequence[Sequence[Row]]) -> None:
        """Write rows of sessions, trades, vends, refunds, alarms, incidents, commands,
        transfers, balances, moves of goods and states, what was taken of the inbox, and the lines
        of the journal.
        """
        if self._together is not None:
            self._together.run(connection, rows)
            return
        for part, some in zip(self._parts, rows, strict=True):
            part.run(connection, some)


# In the order in which claims and takeovers lock them, or PostgreSQL ends one of the two.
_HOLDERS = (
    select(*partitions.c["partition", "holder", "epoch"])
    .order_by(partitions.c.partition)
    .with_for_update(read=True)
)
_SAVED = select(*machine_states.c["machine_id", "version", "digest"])
_TAKEN = {"now_ms": BigInteger(), "at": BigInteger(), "inbox_id": BigInteger()}
_TAKE = (
    update(inbox)
    .where(inbox.c.id == bindparam("inbox_id"))
    .values(taken_at_ms=bindparam("now_ms"), taken_version=bindparam("at"))
)


def _take_each(rows: Values) -> Update:
    taken = update(inbox).where(inbox.c.id == rows["inbox_id"])
    return taken.values(taken_at_ms=rows["now_ms"], taken_version=rows["at"])


def _but_id(table: Table) -> list[Column[Any]]:
    """Return the columns without the number that the database counts up."""
    return [column for column in table.columns if column.name != "id"]


def _names(table: Table) -> list[str]:
    return [column.name for column in _but_id(table)]


@functools.lru_cache(maxsize=8)
def commit_statements(dialect: Dialect) -> CommitStatements:
    """Return what a commit writes, compiled once for each dialect."""
    return CommitStatements(dialect)

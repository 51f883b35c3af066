"""The statements of the write path, compiled once for each dialect and run with rows as plain
tuples.

Core's own path binds each value of each row by name and type; for the rows of a batch that costs
several times what the database does. Here the types have nothing to do: integers, booleans and
texts are what both drivers take.
"""

import functools
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table, Update, bindparam, insert, update

from storage.database import dialects
from storage.tables import (
    balances,
    inbox,
    journal,
    machine_alarms,
    machine_states,
    refunds,
    sessions,
    trades,
    transfers,
    vends,
)

Row = tuple[Any, ...]


# What may change in the life of a row. The first of each is never null.
STATE_CHANGES = (
    "version",
    "epoch",
    "revision",
    "active",
    "phase",
    "online",
    "updated_at_ms",
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


class Prepared:
    """One statement, to be run for many rows. Each row's values stand in the order of ``names``."""

    def __init__(self, statement: Insert | Update, names: Sequence[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        self._sql = str(compiled)
        order = list(getattr(compiled, "positiontup", None) or names)
        assert sorted(order) == sorted(names), f"{order} are not {list(names)}"
        self._arrange = (
            None
            if order == list(names)
            else itemgetter(*(list(names).index(name) for name in order))
        )

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Run the statement for all rows, if there are any."""
        if rows:
            arranged = list(rows) if self._arrange is None else [self._arrange(row) for row in rows]
            connection.exec_driver_sql(self._sql, arranged)


class CommitStatements:
    """What a commit writes."""

    def __init__(self, dialect: Dialect) -> None:
        self.journal = _append(journal, dialect)
        self.transfers = _append(transfers, dialect)
        self.balances = Prepared(
            dialects.add_up(
                dialect.name,
                balances,
                ("machine_id", "day", "account"),
                ("debit_minor", "credit_minor"),
            ),
            [column.name for column in balances.columns],
            dialect,
        )
        self.states = _overwrite(machine_states, "machine_id", STATE_CHANGES, dialect)
        self.sessions = _overwrite(
            sessions, "session_id", SESSION_CHANGES, dialect, owned_by="machine_id"
        )
        self.vends = _overwrite(vends, "vend_id", VEND_CHANGES, dialect, owned_by="machine_id")
        self.trades = _overwrite(trades, "trade_id", TRADE_CHANGES, dialect, owned_by="machine_id")
        self.refunds = _overwrite(
            refunds, "refund_id", REFUND_CHANGES, dialect, owned_by="machine_id"
        )
        self.alarms = _overwrite(
            machine_alarms, "alarm_id", ALARM_CHANGES, dialect, owned_by="machine_id"
        )
        taken = (
            update(inbox)
            .where(inbox.c.id == bindparam("inbox_id"))
            .values(taken_at_ms=bindparam("now_ms"), taken_version=bindparam("at"))
        )
        self.taken = Prepared(taken, ("now_ms", "at", "inbox_id"), dialect)


@functools.lru_cache(maxsize=8)
def commit_statements(dialect: Dialect) -> CommitStatements:
    """Return what a commit writes, compiled once for each dialect."""
    return CommitStatements(dialect)


def _append(table: Table, dialect: Dialect) -> Prepared:
    """Return an insert; the values are those of the table's columns in order, without the number
    that the database counts up.
    """
    return Prepared(
        insert(table), [column.name for column in table.columns if column.name != "id"], dialect
    )


def _overwrite(
    table: Table, key: str, changing: Sequence[str], dialect: Dialect, *, owned_by: str = ""
) -> Prepared:
    """Return an upsert; the values are those of the table's columns in order."""
    statement = dialects.upsert(dialect.name, table, key, changing, owned_by=owned_by)
    return Prepared(statement, [column.name for column in table.columns], dialect)

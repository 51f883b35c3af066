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

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    insert,
    select,
    update,
)

from storage.database import dialects, driving
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
        arranged = rows if self._arrange is None else [self._arrange(row) for row in rows]
        driving.execute_each(connection, self._sql, arranged)


class RowsAmong:
    """A SELECT of the rows in which a column is among some values.

    SQLite is asked with as many values as the next power of two, the last one repeated: so there
    are few texts, and the driver keeps each of them prepared.
    """

    def __init__(self, wanted: Select[Any], column: Column[Any], dialect: Dialect) -> None:
        self._wanted = wanted
        self._column = column
        self._dialect = dialect
        self._any = wanted.where(column.in_(bindparam("asked", expanding=True)))
        self._known: dict[int, str] = {}

    def run(self, connection: Connection, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return the rows. There must be a value."""
        if self._dialect.name != dialects.SQLITE:
            return connection.execute(self._any, {"asked": list(values)}).all()
        count = 1 << (len(values) - 1).bit_length()
        if count not in self._known:
            self._known[count] = self._for(count)
        last = values[-1]
        asked = (*values, *(last for _ in range(count - len(values))))
        return driving.fetch(connection, self._known[count], asked)

    def _for(self, count: int) -> str:
        among = self._column.in_([bindparam(f"asked_{place}") for place in range(count)])
        return str(self._wanted.where(among).compile(dialect=self._dialect))


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

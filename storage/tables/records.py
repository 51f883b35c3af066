"""Each machine's sessions, vends, trades, refunds and alarms: in present or final form what its
state holds only while they are open. Its owner alone writes them, under its epoch.

They have no foreign keys: each row is written with a line of the journal, whose key holds for it.

The indexes that lists go along end in the time, without the id: of the few rows of one millisecond
the database sorts those itself, and an id is more than half of what such an index would hold.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    literal_column,
    text,
)

from storage.tables.base import metadata

USUAL = {"sessions": "ENDED", "vends": "SUCCEEDED", "trades": "CLOSED", "refunds": "SUCCEEDED"}
"""The status in which nearly all rows of a table end. No index holds those: who wants them goes
along the time.
"""


def _unusual(table: str, *columns: str) -> Index:
    """Return the index of the rows that are in another status than the usual one."""
    some = text(f"status <> '{USUAL[table]}'")
    return Index(f"{table}_unusual", *columns, sqlite_where=some, postgresql_where=some)


def in_status(table: Table, statuses: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a row is in one of these statuses, in words with which the index of
    the unusual ones serves it: databases do not conclude that what is 'OPEN' is not 'ENDED'.
    """
    wanted = table.c.status == statuses[0] if len(statuses) == 1 else table.c.status.in_(statuses)
    usual = USUAL[table.name]
    return wanted if usual in statuses else and_(wanted, is_unusual(table))


def is_unusual(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row is in another status than the usual one."""
    return table.c.status != literal_column(f"'{USUAL[table.name]}'")


# A session's money is the sum over its trades: a vend in doubt may be settled long after its
# session has ended.
sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("mode", String(32), nullable=False),
    Column("end_reason", String(32), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("payer_id", String(32), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    CheckConstraint("status IN ('OPEN', 'ENDED')", name="status_known"),
    Index(None, "started_at_ms"),
    Index(None, "machine_id", "started_at_ms"),
    _unusual("sessions", "status", "started_at_ms", "session_id"),
)

vends = Table(
    "vends",
    metadata,
    Column("vend_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("session_id", String(64), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("column", String(16), nullable=False),
    Column("product", String(64), nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("evidence", Text, nullable=False),
    # ``price_minor`` is what is paid; the price that was shown is this much more, by the offer.
    Column("discount_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("offer", String(40), nullable=False, server_default=text("''")),
    CheckConstraint("price_minor >= 0", name="price_positive"),
    Index(None, "requested_at_ms"),
    Index(None, "machine_id", "requested_at_ms"),
    Index(None, "session_id", "requested_at_ms"),
    _unusual("vends", "status", "requested_at_ms", "vend_id"),
)

trades = Table(
    "trades",
    metadata,
    Column("trade_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("session_id", String(64)),
    Column("partner_trans_id", String(64), nullable=False),
    Column("payer_id", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("paid_minor", BigInteger, nullable=False),
    Column("sold_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("written_off_minor", BigInteger, nullable=False),
    Column("held_minor", BigInteger, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("closed_at_ms", BigInteger),
    CheckConstraint("status IN ('OPEN', 'CLOSED')", name="status_known"),
    CheckConstraint(
        "sold_minor >= 0 AND refunded_minor >= 0 AND written_off_minor >= 0 AND held_minor >= 0",
        name="amounts_positive",
    ),
    CheckConstraint(
        "paid_minor = sold_minor + refunded_minor + written_off_minor + held_minor", name="adds_up"
    ),
    Index(None, "received_at_ms"),
    Index(None, "machine_id", "received_at_ms"),
    Index(None, "session_id", "received_at_ms"),
    _unusual("trades", "status", "received_at_ms", "trade_id"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("partner_trans_id", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("cause", String(32), nullable=False),
    Column("status", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("next_attempt_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("proposed_at_ms", BigInteger),
    Column("proposed_by", String(160)),
    Column("proposed_reason", Text),
    Column("error", Text, nullable=False),
    CheckConstraint("amount_minor > 0", name="amount_positive"),
    Index(None, "due_at_ms"),
    Index(None, "machine_id", "due_at_ms"),
    Index(None, "trade_id", "due_at_ms"),
    _unusual("refunds", "status", "due_at_ms", "refund_id"),
)

# What a person must look at although no money waits for it; it ends by being closed
# (``work_item_closings``).
machine_alarms = Table(
    "machine_alarms",
    metadata,
    Column("alarm_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("times", Integer, nullable=False),
    Column("since_at_ms", BigInteger, nullable=False),
    Column("last_at_ms", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "since_at_ms"),
    Index(None, "machine_id", "since_at_ms"),
)

# What machines told to be broken, until it was over. Each has one row, however often it is told.
incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("code", String(16), nullable=False),
    Column("column", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("last_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("ending", String(16), nullable=False),
    Column("ended_by", String(160), nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "opened_at_ms", "incident_id"),
    Index(None, "machine_id", "opened_at_ms", "incident_id"),
    Index(
        "incidents_open",
        "opened_at_ms",
        "incident_id",
        sqlite_where=text("ended_at_ms IS NULL"),
        postgresql_where=text("ended_at_ms IS NULL"),
    ),
    Index(
        "incidents_open_of_machine",
        "machine_id",
        "opened_at_ms",
        "incident_id",
        sqlite_where=text("ended_at_ms IS NULL"),
        postgresql_where=text("ended_at_ms IS NULL"),
    ),
)

# What people ordered of machines. One row for each command, for ever; there are few, because people
# order them one by one.
machine_commands = Table(
    "machine_commands",
    metadata,
    Column("command_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("column", String(16), nullable=False),
    Column("show_for_ms", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("ordered_by", String(160), nullable=False),
    Column("ordered_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("sent_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("dropped", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("report", Text, nullable=False),
    Index(None, "ordered_at_ms", "command_id"),
    Index(None, "status", "ordered_at_ms", "command_id"),
    Index(None, "kind", "ordered_at_ms", "command_id"),
    Index(None, "machine_id", "ordered_at_ms", "command_id"),
    Index(None, "machine_id", "status", "ordered_at_ms", "command_id"),
    Index(None, "machine_id", "kind", "ordered_at_ms", "command_id"),
)

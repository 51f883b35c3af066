"""The books, which are only added to: the journal of what machines decided, and the audit of
administrators' acts; the ledger, their third, is in ``storage.tables.transfers``. Beside them
stands what the transfers add up to, for each machine and day and for the whole fleet.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.append_only import refuse_changes
from storage.tables.base import Position, metadata

journal = Table(
    "journal",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("session_id", String(64)),
    Column("effects", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("body", JSON, nullable=False),
    Column("digest", String(64), nullable=False, server_default=text("''")),
    UniqueConstraint("machine_id", "version"),
    # Without the id: a session's lines are few, and PostgreSQL keeps what is alike only once.
    Index(None, "session_id"),
)

# Written with the transfers, so that nobody reads the whole ledger for a sum.
balances = Table(
    "balances",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("day", Integer, primary_key=True),  # whole days since 1970, UTC
    Column("account", String(32), primary_key=True),
    Column("debit_minor", BigInteger, nullable=False),
    Column("credit_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    CheckConstraint("debit_minor >= 0 AND credit_minor >= 0", name="grows"),
)

# One row at most: what all transfers up to the line ``position`` add up to, as JSON
# (``storage.fleet.fleet_totals``). It holds for as long as ``archived`` is the newest month of
# ``archives`` ('': there is none). No book: whoever deletes the row has it made again.
fleet_totals = Table(
    "fleet_totals",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("archived", String(7), nullable=False),
    Column("totals", Text, nullable=False),
    CheckConstraint("id = 1", name="is_single"),
    CheckConstraint("position >= 0", name="position_is_one"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("action", String(64), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("digest", String(64), nullable=False, server_default=text("''")),
    Column("claimed", String(64), nullable=False, server_default=text("''")),
    Column("proven", String(64), nullable=False, server_default=text("''")),
    Column("outcome", String(16), nullable=False, server_default=text("''")),
    Index(None, "machine_id", "id"),
)

refuse_changes(audit)
refuse_changes(journal, but_archived=True)

"""The books, which are only added to: the journal of what machines decided, the transfers of their
money (the ledger), and the audit of administrators' acts. A transfer has no foreign key: it is
written with a line of the journal, whose key holds for it; partition and epoch stand there.

Beside them stands what the transfers add up to, for each machine and day.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
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
    Index(None, "session_id", "id"),
)

transfers = Table(
    "transfers",
    metadata,
    # Whose, and which of a decision's movements: found with its line of the journal.
    Column("machine_id", String(32), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("cause", String(200), nullable=False),
    Column("debit_account", String(32), nullable=False),
    Column("debit_reference", String(128), nullable=False),
    Column("credit_account", String(32), nullable=False),
    Column("credit_reference", String(128), nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # A cause is entered once, whatever happens: the last line of defence against paying or being
    # paid twice.
    UniqueConstraint("kind", "cause"),
    CheckConstraint("amount_minor > 0", name="moves_money"),
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
for _table in (journal, transfers):
    refuse_changes(_table, but_archived=True)

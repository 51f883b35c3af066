"""What SQL holds. Dialect-neutral types; times (``*_at_ms``) and amounts (``*_minor``) are 64-bit
integers, never floats.

Who writes what: a machine's own rows (``machine_states`` to ``refunds``) its owner alone, under its
epoch; ``inbox`` any gateway, the owner marks rows as taken; ``machines``, ``planogram_columns`` and
``audit`` the administrators' side. The wide column stands last in each table, so that a scan over
the others does not read it; a digest came later and stands behind it (``storage.books.chain``).
``journal``, ``ledger_entries`` and ``audit`` are only added to.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.append_only import refuse_changes

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_one_%(column_0_N_name)s",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_of_%(referred_table_name)s",
        "pk": "%(table_name)s_key",
    }
)

Position = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up; SQLite does that for its own INTEGER only."""

IS_CONFLICT = "cause LIKE 'conflict:%'"
"""Of an inbox row: a fact that was told before, with other content. Queries say it in these words,
so that the index serves them.
"""
IS_REFUSED = "cause LIKE 'refused:%'"
"""Of an inbox row: Alipay signed it, and it does not fit. Said in these words for the same reason.
"""

installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("partition_count", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("audit_digest", String(64), nullable=False, server_default=text("''")),
    CheckConstraint("id = 1", name="is_single"),
    CheckConstraint("partition_count > 0", name="has_partitions"),
)

partitions = Table(
    "partitions",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(128), nullable=False),
    Column("holder", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("claimed_at_ms", BigInteger, nullable=False),
    CheckConstraint("epoch >= 0", name="epoch_grows"),
)

machines = Table(
    "machines",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("store_name", String(64), nullable=False),
    Column("country_code", String(2), nullable=False),
    Column("address", String(200), nullable=False),
    Column("notify_token", String(64), nullable=False),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("mode", String(32), nullable=False),
    Column("planogram_version", BigInteger, nullable=False),
    Column("registered_at_ms", BigInteger, nullable=False),
    Column("overrides", JSON, nullable=False),
    ForeignKeyConstraint(["partition"], ["partitions.partition"]),
    UniqueConstraint("notify_token"),
    CheckConstraint("revision > 0", name="revision_grows"),
    CheckConstraint("planogram_version >= 0", name="planogram_grows"),
    Index(None, "partition", "machine_id", "revision"),
)

planogram_columns = Table(
    "planogram_columns",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("column", String(16), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("product", String(64), nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("stock", Integer, nullable=False),
    CheckConstraint("price_minor > 0", name="has_price"),
    CheckConstraint("capacity > 0", name="has_capacity"),
    CheckConstraint("stock >= 0 AND stock <= capacity", name="stock_fits"),
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
    Index(None, "machine_id", "id"),
)

machine_states = Table(
    "machine_states",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("active", Boolean(create_constraint=False), nullable=False),
    Column("phase", String(32), nullable=False),
    Column("online", Boolean(create_constraint=False), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("format", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", String(64), nullable=False, server_default=text("''")),
    CheckConstraint("version > 0", name="version_grows"),
)

# Machines that their owner has halted; a row goes with the first decision that is committed
# afterwards.
machine_halts = Table(
    "machine_halts",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("host", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("halted_at_ms", BigInteger, nullable=False),
    Column("fact", String(64), nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "halted_at_ms", "machine_id"),
)

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
    Column("event", Text, nullable=False),
    Column("effects", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("body", JSON, nullable=False),
    Column("digest", String(64), nullable=False, server_default=text("''")),
    UniqueConstraint("machine_id", "version"),
    Index(None, "session_id", "id"),
)

# From here on no foreign keys: every row below is written with a line of the journal, whose key
# holds for all of them.

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("machine_id", String(32), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("cause", String(200), nullable=False),
    Column("account", String(32), nullable=False),
    Column("reference", String(128), nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # A cause is posted once, whatever happens: the last line of defence against paying or being
    # paid twice.
    UniqueConstraint("kind", "cause", "account", "reference"),
    UniqueConstraint("machine_id", "version", "line"),
    CheckConstraint("amount_minor <> 0", name="moves_money"),
)

# The four kinds of record: the present or final form of what a state holds only while it is open.

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
    Column("payer", String(128), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    CheckConstraint("status IN ('OPEN', 'ENDED')", name="status_known"),
    Index(None, "started_at_ms", "session_id"),
    Index(None, "machine_id", "started_at_ms", "session_id"),
    Index(None, "status", "started_at_ms", "session_id"),
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
    CheckConstraint("price_minor >= 0", name="price_positive"),
    Index(None, "requested_at_ms", "vend_id"),
    Index(None, "machine_id", "requested_at_ms", "vend_id"),
    Index(None, "session_id", "requested_at_ms", "vend_id"),
    Index(None, "status", "requested_at_ms", "vend_id"),
)

trades = Table(
    "trades",
    metadata,
    Column("trade_id", String(64), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("session_id", String(64)),
    Column("partner_trans_id", String(64), nullable=False),
    Column("payer", String(128), nullable=False),
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
    Index(None, "received_at_ms", "trade_id"),
    Index(None, "machine_id", "received_at_ms", "trade_id"),
    Index(None, "session_id", "received_at_ms", "trade_id"),
    Index(None, "status", "received_at_ms", "trade_id"),
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
    Index(None, "due_at_ms", "refund_id"),
    Index(None, "machine_id", "due_at_ms", "refund_id"),
    Index(None, "trade_id", "due_at_ms", "refund_id"),
    Index(None, "status", "due_at_ms", "refund_id"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("cause", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("taken_at_ms", BigInteger),
    Column("taken_version", BigInteger),
    Column("event", JSON(none_as_null=True)),
    Column("fields", JSON, nullable=False),
    UniqueConstraint("cause"),
    Index(None, "trade_id"),
    # Few rows wait at any time; the index holds these only.
    Index(
        "inbox_untaken",
        "received_at_ms",
        "id",
        sqlite_where=text("taken_at_ms IS NULL"),
        postgresql_where=text("taken_at_ms IS NULL"),
    ),
    Index(
        "inbox_conflicts",
        "received_at_ms",
        "id",
        sqlite_where=text(IS_CONFLICT),
        postgresql_where=text(IS_CONFLICT),
    ),
    Index(
        "inbox_refused",
        "received_at_ms",
        "id",
        sqlite_where=text(IS_REFUSED),
        postgresql_where=text(IS_REFUSED),
    ),
)

# What the daily comparison with Alipay's own files found. Written by whoever reads a file; no actor
# reads it.

reconciliation_runs = Table(
    "reconciliation_runs",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("day", String(10), nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("read_at_ms", BigInteger, nullable=False),
    Column("totals", JSON, nullable=False),
    UniqueConstraint("file_sha256"),
    Index(None, "day", "id"),
)

# ``run_id`` is the newest run that found the difference, or found it gone. ``edition`` grows when
# it comes with other money.
reconciliation_differences = Table(
    "reconciliation_differences",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("run_id", Position, ForeignKey("reconciliation_runs.id"), nullable=False),
    Column("day", String(10), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("status", String(16), nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("refund_id", String(64), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("alipay_minor", BigInteger),
    Column("ours_minor", BigInteger),
    Column("edition", Integer, nullable=False, server_default=text("1")),
    Column("found_at_ms", BigInteger, nullable=False),
    Column("resolved_at_ms", BigInteger),
    Column("said", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("advice", Text, nullable=False),
    UniqueConstraint("day", "kind", "subject"),
    CheckConstraint("status IN ('OPEN', 'PASSED_ON', 'RESOLVED')", name="status_known"),
    Index(None, "status", "found_at_ms"),
)

# What people closed that waited for them and moved no money. The item is named as ListWorkItems
# names it.
work_item_closings = Table(
    "work_item_closings",
    metadata,
    Column("item_id", String(160), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("closed_at_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

for _table in (journal, ledger_entries, audit):
    refuse_changes(_table)

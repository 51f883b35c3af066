"""Each machine: its registration and planogram, which the administrators' side writes, and its
state, which its owner alone writes, under its epoch.
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
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.base import metadata

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
    Column("retired_at_ms", BigInteger),
    Column("store_id", String(64), nullable=False, server_default=text("''")),
    # The columns that must not sell, as a list in JSON; null if none ever was locked.
    Column("locked", Text),
    ForeignKeyConstraint(["partition"], ["partitions.partition"]),
    UniqueConstraint("notify_token"),
    CheckConstraint("revision > 0", name="revision_grows"),
    CheckConstraint("planogram_version >= 0", name="planogram_grows"),
    Index(None, "partition", "machine_id", "revision"),
)

# The notify tokens that machines had before: Alipay may go on telling of what was paid under one.
notify_tokens = Table(
    "notify_tokens",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), nullable=False),
    Column("replaced_at_ms", BigInteger, nullable=False),
    Index(None, "machine_id", "replaced_at_ms"),
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
    Index(None, "product", "machine_id"),
    CheckConstraint("price_minor > 0", name="has_price"),
    CheckConstraint("capacity > 0", name="has_capacity"),
    CheckConstraint("stock >= 0 AND stock <= capacity", name="stock_fits"),
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
    Column("code_differs_since_ms", BigInteger),
    Column("code_trouble", Text, nullable=False, server_default=text("''")),
    Column("planogram_shown", BigInteger, nullable=False, server_default=text("0")),
    Column("format", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", String(64), nullable=False, server_default=text("''")),
    CheckConstraint("version > 0", name="version_grows"),
    Index(
        "machine_states_code_differs",
        "code_differs_since_ms",
        "machine_id",
        sqlite_where=text("code_differs_since_ms IS NOT NULL"),
        postgresql_where=text("code_differs_since_ms IS NOT NULL"),
    ),
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
    Column("code_stop", String(16), nullable=False, server_default=text("''")),
    Index(None, "halted_at_ms", "machine_id"),
)

"""What the daily comparison with Alipay's files found. Whoever reads a file writes it; no actor
reads it.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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

from storage.tables.base import Position, metadata

# ``day_was_over``: what is missing at Alipay was looked for. A file that was read before is read
# again for that. ``restored``: a restore had lost sales of the day, and so says whoever looked.
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
    Column("day_was_over", Boolean(create_constraint=False), nullable=False),
    Column("restored", Boolean(create_constraint=False), nullable=False),
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

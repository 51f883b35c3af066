"""What Alipay told us. Any gateway adds rows; the owner of the machine marks them as taken."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.base import Position, metadata

IS_CONFLICT = "cause LIKE 'conflict:%'"
"""Of an inbox row: a fact that was told before, with other content. Queries say it in these words,
so that the index serves them.
"""
IS_REFUSED = "cause LIKE 'refused:%'"
"""Of an inbox row: Alipay signed it, and it does not fit. Said in these words for the same reason.
"""

inbox = Table(
    "inbox",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("cause", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("told_sha256", String(64), nullable=False),
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

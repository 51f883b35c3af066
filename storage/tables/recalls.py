"""What must not be sold any more, and the columns that are locked for it.

A recall is a wish about the whole fleet; a lock is what it comes to at one column, written together
with the machine's new revision. What a machine's actor must obey stands in the machine's own row
(``machines.locked``), all recalls together.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    text,
)

from storage.tables.base import metadata

# ``lot`` '': all of the product. ``expires_on`` is of the cause EXPIRED: the last day on which the
# lot may be sold. ``look_at_ms``: when somebody is to see again to which columns it locks, null if
# never: it is released, and locks none; 0: at once. ``holder`` is at it until ``held_until_ms``.
recalls = Table(
    "recalls",
    metadata,
    Column("recall_id", String(32), primary_key=True),
    Column("cause", String(16), nullable=False),
    Column("product", String(64), nullable=False),
    Column("lot", String(64), nullable=False),
    Column("expires_on", String(10), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("claimed", String(64), nullable=False),
    Column("proven", String(64), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("released_at_ms", BigInteger),
    Column("released_by", String(160), nullable=False),
    Column("look_at_ms", BigInteger),
    Column("looked_at_ms", BigInteger),
    Column("holder", String(64), nullable=False),
    Column("held_until_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("cause IN ('RECALLED', 'EXPIRED')", name="cause_known"),
    Index(None, "created_at_ms", "recall_id"),
)
_OPEN = text("released_at_ms IS NULL")
Index(
    "recalls_one_open",
    recalls.c.product,
    recalls.c.lot,
    recalls.c.cause,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
Index("recalls_of_lots", recalls.c.cause, recalls.c.product, recalls.c.lot)
_DUE = text("look_at_ms IS NOT NULL")
Index(
    "recalls_to_look_at",
    recalls.c.look_at_ms,
    recalls.c.recall_id,
    sqlite_where=_DUE,
    postgresql_where=_DUE,
)

# One column that one recall locks. ``revision``: the machine's, under which its actor knows of it;
# ``obeyed_at_ms``: when it was seen that the actor does, null until then.
column_locks = Table(
    "column_locks",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("column", String(16), primary_key=True),
    Column("recall_id", String(32), ForeignKey("recalls.recall_id"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("locked_at_ms", BigInteger, nullable=False),
    Column("obeyed_at_ms", BigInteger),
    Index(None, "recall_id", "machine_id", "column"),
)
_NOT_OBEYED = text("obeyed_at_ms IS NULL")
Index(
    "column_locks_not_obeyed",
    column_locks.c.machine_id,
    column_locks.c.column,
    column_locks.c.recall_id,
    sqlite_where=_NOT_OBEYED,
    postgresql_where=_NOT_OBEYED,
)

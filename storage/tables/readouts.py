"""What machines counted by themselves: their read-outs, as somebody brought them, what differs from
the books, and when the books' own interval began anew. All of it is only added to.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from storage.append_only import refuse_changes
from storage.tables.base import Position, metadata

# ``readout_id`` is the SHA-256 of its content. ``baseline``: it was not compared, the next one is
# compared with it. ``previous_id`` is the one that it was compared with, '' for installation.
# ``counters``, ``findings`` and ``span`` are as they were read and compared then.
readouts = Table(
    "readouts",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("readout_id", String(64), nullable=False, unique=True),
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("asset", String(64), nullable=False),
    Column("said_at", String(32), nullable=False),
    Column("read_at_ms", BigInteger, nullable=False),
    Column("imported_at_ms", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("baseline", Boolean(create_constraint=False), nullable=False),
    Column("damaged", Boolean(create_constraint=False), nullable=False),
    Column("previous_id", String(64), nullable=False),
    Column("difference_count", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("counters", Text, nullable=False),
    Column("findings", Text, nullable=False),
    Column("span", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "machine_id", "read_at_ms", "readout_id"),
    Index(None, "read_at_ms", "readout_id"),
)

# ``counter`` is the segment, for a column with its name: DA2, PA2*A1. What a side does not know is
# null.
readout_differences = Table(
    "readout_differences",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("readout_id", String(64), ForeignKey("readouts.readout_id"), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("counter", String(32), nullable=False),
    Column("machine_number", BigInteger),
    Column("machine_minor", BigInteger),
    Column("ours_number", BigInteger),
    Column("ours_minor", BigInteger),
    Column("currency", String(3), nullable=False),
    Column("found_at_ms", BigInteger, nullable=False),
    Column("said", Text, nullable=False),
    Column("cause", Text, nullable=False),
    UniqueConstraint("readout_id", "counter"),
    Index(None, "found_at_ms"),
    Index(None, "machine_id", "found_at_ms"),
)

# ``figures`` is what the books said of the machine at that moment.
audit_resets = Table(
    "audit_resets",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("reset_at_ms", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("reason", Text, nullable=False),
    Column("figures", Text, nullable=False),
    CheckConstraint("number > 0", name="number_counts"),
)

refuse_changes(readouts)
refuse_changes(readout_differences)
refuse_changes(audit_resets)

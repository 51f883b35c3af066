"""Planograms of many machines: templates, and who has not acknowledged what they shall have."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Table, Text

from storage.tables.base import metadata

# A row stands here for as long as the machine does not show the version that the registry has for
# it; ``since_at_ms`` is when that began. The administrators' side writes it with a new planogram. A
# trigger on ``machine_states.planogram_shown`` takes it away, or puts it back for a machine that
# lost its memory: in the COMMIT of whatever the machine said, whoever enters that.
planogram_waits = Table(
    "planogram_waits",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("planogram_version", BigInteger, nullable=False),
    Column("since_at_ms", BigInteger, nullable=False),
    CheckConstraint("planogram_version >= 0", name="planogram_grows"),
    Index(None, "since_at_ms", "machine_id"),
)

# What many machines have in their columns. ``price_list`` is where prices come from that
# ``columns`` (JSON) do not say; ``currency`` is of those that they do. Both may be empty.
planogram_templates = Table(
    "planogram_templates",
    metadata,
    Column("template", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("price_list", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("archived_at_ms", BigInteger),
    Column("columns", Text, nullable=False),
    CheckConstraint("revision > 0", name="revision_grows"),
)

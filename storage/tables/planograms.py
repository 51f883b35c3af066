"""Which machines have not acknowledged the planogram that they shall have."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Table

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

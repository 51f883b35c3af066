"""Who is denied: what every gateway reads from time to time, and holds in memory."""

from sqlalchemy import BigInteger, CheckConstraint, Column, String, Table, Text

from storage.tables.base import metadata

denials = Table(
    "denials",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("denied_by", String(160), nullable=False),
    Column("denied_at_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("kind IN ('CERTIFICATE', 'MACHINE', 'PERSON')", name="kind_known"),
)

"""What administrators keep about the fleet as a whole. Their side alone writes it."""

from sqlalchemy import (
    BigInteger,
    Column,
    String,
    Table,
    Text,
)

from storage.tables.base import metadata

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

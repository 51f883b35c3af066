"""What is kept of screens has an end: when files and manifests were last of use, and ways to find
what nobody refers to.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

kind = "EXPAND"

INDEXES = (
    ("plays_by_day", "plays", ["day"]),
    ("plays_by_manifest", "plays", ["manifest"]),
    ("manifest_assets_by_manifest", "manifest_assets", ["manifest"]),
    ("machine_screens_by_wanted", "machine_screens", ["wanted"]),
)


def upgrade() -> None:
    """Add columns that say nothing of the rows that are there, and indexes."""
    for table in ("assets", "manifests"):
        op.add_column(table, sa.Column("used_at_ms", sa.BigInteger()))
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Take them away."""
    for name, table, _ in INDEXES:
        op.drop_index(name, table)
    for table in ("manifests", "assets"):
        op.drop_column(table, "used_at_ms")

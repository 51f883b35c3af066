"""The files of the lake."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make their list."""
    op.create_table(
        "lake_files",
        sa.Column("path", sa.String(160), nullable=False),
        sa.Column("stream", sa.String(16), nullable=False),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("from_position", sa.BigInteger(), nullable=False),
        sa.Column("to_position", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("made_of", sa.String(64), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path", name="lake_files_key"),
        sa.CheckConstraint("stream IN ('SALES', 'CUBES')", name="stream_known"),
        sa.CheckConstraint("state IN ('PLANNED', 'WRITTEN', 'REPLACED')", name="state_known"),
        sa.CheckConstraint("from_position < to_position", name="has_a_range"),
    )
    op.create_index("lake_files_by_stream_d", "lake_files", ["stream", "d"])


def downgrade() -> None:
    """Drop it; the files stay where they are, and nobody reads them."""
    op.drop_table("lake_files")

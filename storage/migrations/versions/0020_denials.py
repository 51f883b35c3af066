"""Certificates, machines and people that are denied."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "denials",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("denied_by", sa.String(160), nullable=False),
        sa.Column("denied_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="denials_key"),
        sa.CheckConstraint("kind IN ('CERTIFICATE', 'MACHINE', 'PERSON')", name="kind_known"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("denials")

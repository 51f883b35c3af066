"""What one person wants of an offer and another must want too."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "offer_proposals",
        sa.Column("offer", sa.String(40), nullable=False),
        sa.Column("proposal", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("person", sa.String(160), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("offer", name="offer_proposals_key"),
        sa.CheckConstraint("expires_at_ms > at_ms", name="waits_for_a_while"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("offer_proposals")

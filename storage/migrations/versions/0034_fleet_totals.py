"""What the whole fleet's money added up to at a line of the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make the table. Its row is made by a gateway, while machines sell."""
    op.create_table(
        "fleet_totals",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("archived", sa.String(7), nullable=False),
        sa.Column("totals", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="fleet_totals_key"),
        sa.CheckConstraint("id = 1", name="is_single"),
        sa.CheckConstraint("position >= 0", name="position_is_one"),
    )


def downgrade() -> None:
    """Take it away: nothing else was kept in it."""
    op.drop_table("fleet_totals")

"""Which processes have a clock that is not Alipay's."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "wrong_clocks",
        sa.Column("teller", sa.String(length=128), nullable=False),
        sa.Column("ahead_ms", sa.BigInteger(), nullable=False),
        sa.Column("since_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("told_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("teller", name=op.f("wrong_clocks_pkey")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("wrong_clocks")

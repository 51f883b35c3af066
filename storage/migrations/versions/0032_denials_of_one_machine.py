"""A certificate that is denied as one machine's: another CA may have given its number to others."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Add the columns. What was denied before, and what a program of before denies, counts for
    whoever shows the number, as it did.
    """
    op.add_column(
        "denials",
        sa.Column("machine_id", sa.String(32), nullable=False, server_default=sa.text("''")),
    )
    op.add_column("denials", sa.Column("not_after_ms", sa.BigInteger()))
    op.create_index("denials_by_machine_id", "denials", ["machine_id"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("denials_by_machine_id", "denials")
    op.drop_column("denials", "not_after_ms")
    op.drop_column("denials", "machine_id")

"""What the host did about the code of a halted machine."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column; of a machine that is halted just now nothing was ordered."""
    op.add_column(
        "machine_halts",
        sa.Column("code_stop", sa.String(length=16), nullable=False, server_default=sa.text("''")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_column("machine_halts", "code_stop")

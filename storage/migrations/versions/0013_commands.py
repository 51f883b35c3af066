"""What people order of machines, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FILTERS = (
    *((), ("status",), ("kind",)),
    *(("machine_id",), ("machine_id", "status"), ("machine_id", "kind")),
)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "machine_commands",
        sa.Column("command_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("show_for_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("ordered_by", sa.String(160), nullable=False),
        sa.Column("ordered_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger()),
        sa.Column("ended_at_ms", sa.BigInteger()),
        sa.Column("dropped", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("command_id", name="machine_commands_key"),
    )
    for filters in FILTERS:
        columns = [*filters, "ordered_at_ms", "command_id"]
        op.create_index(f"machine_commands_by_{'_'.join(columns)}", "machine_commands", columns)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("machine_commands")

"""Machines that their host has halted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of halted machines."""
    op.create_table(
        "machine_halts",
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=128), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("halted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("fact", sa.String(length=64), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_halts_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machine_halts_key"),
    )
    op.create_index(
        "machine_halts_by_halted_at_ms_machine_id", "machine_halts", ["halted_at_ms", "machine_id"]
    )


def downgrade() -> None:
    """Drop it; a machine that is halted is so all the same."""
    op.drop_table("machine_halts")

"""What a person must look at although no money waits for it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of alarms."""
    op.create_table(
        "machine_alarms",
        sa.Column("alarm_id", sa.String(length=64), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("since_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alarm_id", name=op.f("machine_alarms_pkey")),
    )
    op.create_index(
        "machine_alarms_by_since_at_ms_alarm_id", "machine_alarms", ["since_at_ms", "alarm_id"]
    )
    op.create_index(
        "machine_alarms_by_machine_id_since_at_ms_alarm_id",
        "machine_alarms",
        ["machine_id", "since_at_ms", "alarm_id"],
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("machine_alarms")

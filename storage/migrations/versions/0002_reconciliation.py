"""The daily comparison with Alipay's files."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of runs and of the differences that they found."""
    position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", position, autoincrement=True, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("read_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("totals", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="reconciliation_runs_key"),
        sa.UniqueConstraint("file_sha256", name="reconciliation_runs_one_file_sha256"),
    )
    op.create_index("reconciliation_runs_by_day_id", "reconciliation_runs", ["day", "id"])
    op.create_table(
        "reconciliation_differences",
        sa.Column("id", position, autoincrement=True, nullable=False),
        sa.Column("run_id", position, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("trade_id", sa.String(length=64), nullable=False),
        sa.Column("refund_id", sa.String(length=64), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("alipay_minor", sa.BigInteger(), nullable=True),
        sa.Column("ours_minor", sa.BigInteger(), nullable=True),
        sa.Column("found_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('OPEN', 'PASSED_ON', 'RESOLVED')",
            name=op.f("reconciliation_differences_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_runs.id"],
            name="reconciliation_differences_of_reconciliation_runs",
        ),
        sa.PrimaryKeyConstraint("id", name="reconciliation_differences_key"),
        sa.UniqueConstraint(
            "day", "kind", "subject", name="reconciliation_differences_one_day_kind_subject"
        ),
    )
    op.create_index(
        "reconciliation_differences_by_status_found_at_ms",
        "reconciliation_differences",
        ["status", "found_at_ms"],
    )


def downgrade() -> None:
    """Drop them, and all that was found."""
    op.drop_table("reconciliation_differences")
    op.drop_table("reconciliation_runs")

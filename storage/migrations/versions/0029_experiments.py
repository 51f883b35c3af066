"""Experiments, who is in them, and the prices that they try."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "experiments",
        sa.Column("experiment", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("seed", sa.String(64), nullable=False),
        sa.Column("plan_sha256", sa.String(64), nullable=False),
        sa.Column("detectable_permille", sa.Integer(), nullable=True),
        sa.Column("pre_first_d", sa.Integer(), nullable=False),
        sa.Column("pre_last_d", sa.Integer(), nullable=False),
        sa.Column("first_d", sa.Integer(), nullable=False),
        sa.Column("last_d", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_by", sa.String(160), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", name="experiments_key"),
        sa.CheckConstraint(
            "state IN ('CREATED', 'RUNNING', 'STOPPED', 'ENDED')",
            name=op.f("experiments_state_known"),
        ),
    )
    op.create_index("experiments_by_state_experiment", "experiments", ["state", "experiment"])
    op.create_table(
        "experiment_units",
        *_of_a_machine(),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("left_out", sa.String(32), nullable=False),
        sa.Column("treated_days", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", "machine_id", name="experiment_units_key"),
        *_keys("experiment_units"),
        sa.CheckConstraint(
            "arm IN ('', 'TREATMENT', 'CONTROL', 'SWITCHES')",
            name=op.f("experiment_units_arm_known"),
        ),
    )
    op.create_index(
        "experiment_units_by_machine_id_experiment",
        "experiment_units",
        ["machine_id", "experiment"],
    )
    op.create_table(
        "experiment_days",
        *_of_a_machine(),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("acknowledged_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", "machine_id", "d", name="experiment_days_key"),
        *_keys("experiment_days"),
    )
    op.create_table(
        "experiment_prices",
        *_of_a_machine(),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("tried_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("set_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("restored_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("experiment", "machine_id", "column", name="experiment_prices_key"),
        *_keys("experiment_prices"),
    )
    op.create_index(
        "experiment_prices_by_restored_at_ms_experiment",
        "experiment_prices",
        ["restored_at_ms", "experiment"],
    )


def downgrade() -> None:
    """Drop them; machines keep the prices that they have."""
    for table in ("experiment_prices", "experiment_days", "experiment_units", "experiments"):
        op.drop_table(table)


def _of_a_machine() -> tuple["sa.Column[str]", "sa.Column[str]"]:
    return (
        sa.Column("experiment", sa.String(40), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
    )


def _keys(table: str) -> tuple[sa.ForeignKeyConstraint, sa.ForeignKeyConstraint]:
    return (
        sa.ForeignKeyConstraint(
            ["experiment"],
            ["experiments.experiment"],
            name=op.f(f"{table}_of_experiments"),
        ),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name=op.f(f"{table}_of_machines")
        ),
    )

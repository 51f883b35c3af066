"""The offers that experiments try, and the payers who are in them."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make their tables. No program of before knows such an experiment."""
    op.create_table(
        "experiment_offers",
        sa.Column("experiment", sa.String(40), nullable=False),
        sa.Column("offer", sa.String(40), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("treated", sa.Integer(), nullable=False),
        sa.Column("control", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", name="experiment_offers_key"),
        _of_an_experiment("experiment_offers"),
        sa.ForeignKeyConstraint(["offer"], ["offers.offer"], name="experiment_offers_of_offers"),
    )
    op.create_index("experiment_offers_by_offer", "experiment_offers", ["offer"])
    op.create_table(
        "experiment_payers",
        sa.Column("experiment", sa.String(40), nullable=False),
        sa.Column("payer_id", sa.String(32), nullable=False),
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("before_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", "payer_id", name="experiment_payers_key"),
        _of_an_experiment("experiment_payers"),
        sa.CheckConstraint(
            "arm IN ('TREATMENT', 'CONTROL')", name=op.f("experiment_payers_arm_known")
        ),
    )
    op.create_index("experiment_payers_by_payer_id", "experiment_payers", ["payer_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("experiment_payers")
    op.drop_table("experiment_offers")


def _of_an_experiment(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["experiment"], ["experiments.experiment"], name=op.f(f"{table}_of_experiments")
    )

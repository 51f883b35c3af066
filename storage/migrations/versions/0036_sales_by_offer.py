"""Which offer a sale had, sales added up by offers, and what columns cost when one was tried."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

kind = "EXPAND"


def _offers(name: str, *whose: sa.Column[str]) -> None:
    keys = [column.name for column in whose]
    op.create_table(
        name,
        *whose,
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("offer", sa.String(40), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("sales_minor", sa.BigInteger(), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*keys, "d", "offer", "currency", name=f"{name}_key"),
    )


def upgrade() -> None:
    """Make them. Of facts that are there it is not known: they are null, as are those that a
    program of before goes on to write.
    """
    op.add_column("sale_facts", sa.Column("offer", sa.String(40)))
    _offers("offer_days", sa.Column("machine_id", sa.String(32), nullable=False))
    _offers(
        "scope_offers",
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
    )

    op.create_table(
        "experiment_own_prices",
        sa.Column("experiment", sa.String(40), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("set_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "experiment", "machine_id", "set_at_ms", "column", name="experiment_own_prices_key"
        ),
        sa.ForeignKeyConstraint(
            ["experiment"],
            ["experiments.experiment"],
            name="experiment_own_prices_of_experiments",
        ),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="experiment_own_prices_of_machines"
        ),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("experiment_own_prices")
    op.drop_table("scope_offers")
    op.drop_table("offer_days")
    op.drop_column("sale_facts", "offer")

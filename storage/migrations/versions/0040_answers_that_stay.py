"""What tags come to, which version of one is tried, what is answered again, and vouchers' keys."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Add the columns. What was written before, and what a program of before goes on to write, says
    nothing in them: null, empty, or 0, which is long ago.
    """
    op.add_column("experiment_offers", sa.Column("tag_version", sa.Integer()))
    kept = sa.Column("kept", sa.Text(), nullable=False, server_default=sa.text("''"))
    op.add_column("answers", kept)
    taken = sa.Column("taken_at_ms", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    op.add_column("voucher_redemptions", taken)
    for name in ("number_key", "other_key"):
        op.add_column("voucher_redemptions", sa.Column(name, sa.String(64)))
        op.create_index(f"voucher_redemptions_by_{name}", "voucher_redemptions", [name])
    op.create_index("voucher_redemptions_by_trade_id", "voucher_redemptions", ["trade_id"])
    op.create_index(
        "voucher_redemptions_by_d_taken_at_ms", "voucher_redemptions", ["d", "taken_at_ms"]
    )
    whole = sa.BigInteger()
    op.create_table(
        "tag_sums",
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("run_id", whole, nullable=False),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tag", name="tag_sums_key"),
    )
    op.create_table(
        "tag_districts",
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("district", sa.String(64), nullable=False),
        sa.Column("payers", whole, nullable=False),
        sa.PrimaryKeyConstraint("tag", "district", name="tag_districts_key"),
    )
    sums = ("payers", "units", "sales_minor", "units_step", "sales_step")
    op.create_table(
        "tag_sales",
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        *(sa.Column(name, whole, nullable=False) for name in sums),
        sa.PrimaryKeyConstraint("tag", "currency", name="tag_sales_key"),
    )


def downgrade() -> None:
    """Take them away."""
    for table in ("tag_sales", "tag_districts", "tag_sums"):
        op.drop_table(table)
    op.drop_index("voucher_redemptions_by_d_taken_at_ms", "voucher_redemptions")
    op.drop_index("voucher_redemptions_by_trade_id", "voucher_redemptions")
    for name in ("other_key", "number_key"):
        op.drop_index(f"voucher_redemptions_by_{name}", "voucher_redemptions")
        op.drop_column("voucher_redemptions", name)
    op.drop_column("voucher_redemptions", "taken_at_ms")
    op.drop_column("answers", "kept")
    op.drop_column("experiment_offers", "tag_version")

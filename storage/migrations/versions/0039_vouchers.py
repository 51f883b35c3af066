"""Vouchers of Alipay that were redeemed at machines."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "voucher_redemptions",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("trade_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("order_minor", sa.BigInteger(), nullable=False),
        sa.Column("voucher_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="voucher_redemptions_key"),
        sa.CheckConstraint("kind IN ('REDEEMED', 'GIVEN_BACK')", name="kind_known"),
        sa.CheckConstraint("order_minor >= 0 AND voucher_minor > 0", name="amounts_positive"),
    )
    name = "voucher_redemptions_by_d_template"
    op.create_index(name, "voucher_redemptions", ["d", "template"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("voucher_redemptions")

"""Offers to known payers, what is used of them, and what they took off the price of a vend."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

kind = "EXPAND"

_VENDS = (
    'SELECT vend_id, machine_id, session_id, "column" AS machine_column, product, price_minor, '
    "currency, status, reason, requested_at_ms, ended_at_ms{more} FROM vends"
)
_DAYS = (
    "SELECT machine_id, d AS day, product, currency, units, sales_minor, given_back_minor, "
    "written_off_minor{more} FROM sales_days"
)
VIEWS = {
    "bi_vends": _VENDS.format(more=", discount_minor, offer"),
    "bi_sales_days": _DAYS.format(more=", discount_minor"),
}
BEFORE = {"bi_vends": _VENDS.format(more=""), "bi_sales_days": _DAYS.format(more="")}
OFFERS = (
    "SELECT offers.offer, name, tag, product, category, currency, discount_minor, basis_points, "
    "begins_at_ms, ends_at_ms, ended_at_ms, budget_minor, uses_per_payer AS uses_each, "
    "holdout_percent, spent_minor, uses FROM offers "
    "JOIN offer_spending ON offer_spending.offer = offers.offer"
)


def upgrade() -> None:
    """Make the tables, and columns that are as before for all vends so far."""
    op.create_table(
        "offers",
        sa.Column("offer", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=False),
        sa.Column("begins_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("budget_minor", sa.BigInteger(), nullable=False),
        sa.Column("uses_per_payer", sa.Integer(), nullable=False),
        sa.Column("holdout_percent", sa.Integer(), nullable=False),
        sa.Column("holdout_key", sa.String(64), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger()),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("offer", name="offers_key"),
        sa.CheckConstraint("(discount_minor > 0) <> (basis_points > 0)", name="one_discount"),
        sa.CheckConstraint("budget_minor > 0 AND uses_per_payer > 0", name="has_bounds"),
        sa.CheckConstraint("ends_at_ms > begins_at_ms", name="ends_later"),
        sa.CheckConstraint("holdout_percent BETWEEN 0 AND 90", name="holdout_is_a_share"),
    )
    op.create_index("offers_by_ends_at_ms", "offers", ["ends_at_ms"])
    op.create_table(
        "offer_spending",
        sa.Column("offer", sa.String(40), nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("uses", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("offer", name="offer_spending_key"),
        sa.CheckConstraint("spent_minor >= 0 AND uses >= 0", name="nothing_below_zero"),
    )
    op.create_table(
        "offer_uses",
        sa.Column("offer", sa.String(40), nullable=False),
        sa.Column("vend_id", sa.String(64), nullable=False),
        sa.Column("payer_id", sa.String(32), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("returned_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("offer", "vend_id", name="offer_uses_key"),
        sa.CheckConstraint("discount_minor > 0", name="takes_something_off"),
    )
    op.create_index("offer_uses_by_payer_id_offer", "offer_uses", ["payer_id", "offer"])
    op.add_column(
        "vends",
        sa.Column("discount_minor", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.add_column(
        "vends", sa.Column("offer", sa.String(40), nullable=False, server_default=sa.text("''"))
    )
    _make(VIEWS)
    op.execute(f"CREATE VIEW bi_offers AS {OFFERS}")


def downgrade() -> None:
    """Take them away."""
    op.execute("DROP VIEW bi_offers")
    for name in BEFORE:
        op.execute(f"DROP VIEW {name}")
    for name, select in BEFORE.items():
        op.execute(f"CREATE VIEW {name} AS {select}")
    op.drop_column("vends", "offer")
    op.drop_column("vends", "discount_minor")
    op.drop_table("offer_uses")
    op.drop_table("offer_spending")
    op.drop_table("offers")


def _make(views: dict[str, str]) -> None:
    """Let views have more at their right end; PostgreSQL keeps who may read them."""
    replaces = op.get_bind().dialect.name == "postgresql"
    for name, select in views.items():
        if not replaces:
            op.execute(f"DROP VIEW {name}")
        op.execute(f"CREATE {'OR REPLACE ' if replaces else ''}VIEW {name} AS {select}")

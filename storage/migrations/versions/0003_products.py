"""The catalogue of what is sold."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "products",
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("tax_class", sa.String(32), nullable=False),
        sa.Column("barcode", sa.String(14), nullable=False),
        sa.Column("shelf_life_days", sa.Integer(), nullable=False),
        sa.Column("unit_cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("unit_cost_currency", sa.String(3), nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("archived_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("revision > 0", name=op.f("products_revision_grows")),
        sa.CheckConstraint("shelf_life_days >= 0", name=op.f("products_keeps_a_while")),
        sa.CheckConstraint("unit_cost_minor >= 0", name=op.f("products_costs_something")),
        sa.PrimaryKeyConstraint("product", name="products_key"),
    )
    op.create_index("products_by_category_product", "products", ["category", "product"])
    op.create_index("products_by_barcode_product", "products", ["barcode", "product"])
    op.create_table(
        "product_names",
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["product"], ["products.product"], name="product_names_of_products"
        ),
        sa.PrimaryKeyConstraint("product", "language", name="product_names_key"),
    )


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    op.drop_table("product_names")
    op.drop_table("products")

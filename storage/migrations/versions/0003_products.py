"""The catalogue of what is sold, and price lists."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SENTENCE = "is append-only: its rows are never changed or deleted"


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
    op.create_index(
        "planogram_columns_by_product_machine_id", "planogram_columns", ["product", "machine_id"]
    )
    _prices()


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    op.drop_table("prices")
    op.drop_table("price_lists")
    op.drop_index("planogram_columns_by_product_machine_id", "planogram_columns")
    op.drop_table("product_names")
    op.drop_table("products")


def _prices() -> None:
    """Price lists, and prices that are never changed."""
    op.create_table(
        "price_lists",
        sa.Column("price_list", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("archived_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("revision > 0", name=op.f("price_lists_revision_grows")),
        sa.PrimaryKeyConstraint("price_list", name="price_lists_key"),
    )
    op.create_table(
        "prices",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("price_list", sa.String(64), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("set_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(160), nullable=False),
        sa.CheckConstraint("price_minor > 0", name=op.f("prices_costs_something")),
        sa.CheckConstraint("from_ms >= set_at_ms", name=op.f("prices_not_for_the_past")),
        sa.ForeignKeyConstraint(
            ["price_list"], ["price_lists.price_list"], name="prices_of_price_lists"
        ),
        sa.ForeignKeyConstraint(["product"], ["products.product"], name="prices_of_products"),
        sa.PrimaryKeyConstraint("id", name="prices_key"),
    )
    op.create_index(
        "prices_in_force", "prices", ["price_list", "product", "currency", "from_ms", "id"]
    )
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER prices_refuses_{what.lower()} BEFORE {what} ON prices"
                f" BEGIN SELECT RAISE(ABORT, 'prices {SENTENCE}'); END"
            )
        return
    # The function is of the first schema.
    op.execute(
        "CREATE TRIGGER prices_refuses_changes BEFORE UPDATE OR DELETE ON prices FOR EACH ROW"
        " EXECUTE FUNCTION refuse_a_change()"
    )
    op.execute(
        "CREATE TRIGGER prices_refuses_truncate BEFORE TRUNCATE ON prices FOR EACH STATEMENT"
        " EXECUTE FUNCTION refuse_a_change()"
    )

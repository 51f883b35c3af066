"""The catalogue of what is sold. The administrators' side alone writes it; what a machine must obey
of it reaches the machine as its planogram.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from storage.tables.base import metadata

# ``product`` is what planograms call it. A row is archived and never deleted: what was sold once
# can be named for ever.
products = Table(
    "products",
    metadata,
    Column("product", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("category", String(64), nullable=False),
    Column("tax_class", String(32), nullable=False),
    Column("barcode", String(14), nullable=False),
    Column("shelf_life_days", Integer, nullable=False),
    Column("unit_cost_minor", BigInteger),
    Column("unit_cost_currency", String(3), nullable=False),
    Column("image_sha256", String(64), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("archived_at_ms", BigInteger),
    CheckConstraint("revision > 0", name="revision_grows"),
    CheckConstraint("shelf_life_days >= 0", name="keeps_a_while"),
    CheckConstraint("unit_cost_minor >= 0", name="costs_something"),
    Index(None, "category", "product"),
    Index(None, "barcode", "product"),
)

product_names = Table(
    "product_names",
    metadata,
    Column("product", String(64), ForeignKey("products.product"), primary_key=True),
    Column("language", String(35), primary_key=True),
    Column("name", String(100), nullable=False),
)

"""The catalogue of what is sold, and price lists. The administrators' side alone writes them; what
a machine must obey of them reaches the machine as its planogram.
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

from storage.append_only import refuse_changes
from storage.tables.base import Position, metadata

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

# ``revision`` grows with each change of the list and of its prices.
price_lists = Table(
    "price_lists",
    metadata,
    Column("price_list", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("archived_at_ms", BigInteger),
    CheckConstraint("revision > 0", name="revision_grows"),
)

# A price is in force from ``from_ms`` until the next one of its list, product and currency; of two
# from the same moment the later row counts. ``price_minor`` is null where the list has none from
# then on. Rows are never changed.
prices = Table(
    "prices",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("price_list", String(64), ForeignKey("price_lists.price_list"), nullable=False),
    Column("product", String(64), ForeignKey("products.product"), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("price_minor", BigInteger),
    Column("set_at_ms", BigInteger, nullable=False),
    Column("set_by", String(160), nullable=False),
    CheckConstraint("price_minor > 0", name="costs_something"),
    CheckConstraint("from_ms >= set_at_ms", name="not_for_the_past"),
    Index("prices_in_force", "price_list", "product", "currency", "from_ms", "id"),
)
refuse_changes(prices)

"""Where machines stand and what they are called there. The administrators' side alone writes it.

Nothing here is deleted once it was used: districts and sites are archived, and a machine's stays at
sites are dated.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from storage.tables.base import metadata

# The operator's own tree. ``parent`` is null at its top.
districts = Table(
    "districts",
    metadata,
    Column("district", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("parent", String(64), ForeignKey("districts.district")),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("archived_at_ms", BigInteger),
    CheckConstraint("revision > 0", name="revision_grows"),
    CheckConstraint("parent <> district", name="not_its_own_parent"),
    Index(None, "parent", "district"),
)

# Which district is in which, at any depth: each is in itself, at depth 0. Written with the tree.
district_paths = Table(
    "district_paths",
    metadata,
    Column("ancestor", String(64), primary_key=True),
    Column("district", String(64), ForeignKey("districts.district"), primary_key=True),
    Column("depth", Integer, nullable=False),
    Index(None, "district", "depth"),
)

# ``latitude_e6`` and ``longitude_e6`` are in millionths of a degree, both null if nobody said.
# ``address_lines`` stand one below the other.
sites = Table(
    "sites",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("district", String(64), ForeignKey("districts.district"), nullable=False),
    Column("site_type", String(32), nullable=False),
    Column("type_word", String(64), nullable=False),
    Column("latitude_e6", Integer),
    Column("longitude_e6", Integer),
    Column("time_zone", String(64), nullable=False),
    Column("contact_name", String(100), nullable=False),
    Column("contact_phone", String(40), nullable=False),
    Column("contact_email", String(100), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("archived_at_ms", BigInteger),
    Column("address_lines", Text, nullable=False),
    CheckConstraint("revision > 0", name="revision_grows"),
    CheckConstraint("latitude_e6 BETWEEN -90000000 AND 90000000", name="latitude_on_earth"),
    CheckConstraint("longitude_e6 BETWEEN -180000000 AND 180000000", name="longitude_on_earth"),
    CheckConstraint("(latitude_e6 IS NULL) = (longitude_e6 IS NULL)", name="a_whole_position"),
    Index(None, "district", "site"),
    Index(None, "site_type", "site"),
)

# Where a machine stands from a day on, by the site's own calendar; ``site`` is null where it stands
# nowhere. ``from_at_ms`` is when that day begins there, ``until_at_ms`` when the machine's next
# stay does, null if there is none.
machine_sites = Table(
    "machine_sites",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("from_day", String(10), primary_key=True),
    Column("site", String(64), ForeignKey("sites.site")),
    Column("from_at_ms", BigInteger, nullable=False),
    Column("until_at_ms", BigInteger),
    CheckConstraint("until_at_ms > from_at_ms", name="a_stay_lasts"),
    Index(None, "site", "machine_id", "from_day"),
)

# What is known of a machine beside how it works. ``was_enabled``: it is to sell again when it is in
# service again.
machine_profiles = Table(
    "machine_profiles",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("serial", String(64), nullable=False),
    Column("model", String(64), nullable=False),
    Column("maintenance", String(16), nullable=False),
    Column("was_enabled", Boolean(create_constraint=False), nullable=False),
    Column("since_at_ms", BigInteger),
    Column("set_by", String(160), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("revision > 0", name="revision_grows"),
    CheckConstraint(
        "maintenance IN ('IN_SERVICE', 'MAINTENANCE', 'STORED')", name="maintenance_known"
    ),
    Index(None, "model", "machine_id"),
    Index(None, "serial", "machine_id"),
)

machine_labels = Table(
    "machine_labels",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("label", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
    Index(None, "label", "value", "machine_id"),
)

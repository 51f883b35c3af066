"""The files of the lake: which there are, of what, and which of them readers may read. What is in
them is known of sales already (``storage.tables.insight``); the list is what makes files a whole.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
)

from storage.tables.base import metadata

# ``path`` is below the lake's folder, and belongs to no other file ever. ``stream``: SALES (facts)
# or CUBES (facts added up by hour, machine and product). ``d`` is the one local day of its rows.
# Of SALES it has all facts of that day behind ``from_position`` up to ``to_position``.
# ``state``: PLANNED (being written, or left by who died over it), WRITTEN (readers read these and
# no others), or REPLACED at ``changed_at_ms`` (another one has its rows; it goes soon). ``made_of``
# is a hash of the names of the files of SALES that a cube was made of. ``format`` is the version of
# the columns. ``rows``, ``bytes`` and ``sha256`` are known once it is written.
lake_files = Table(
    "lake_files",
    metadata,
    Column("path", String(160), primary_key=True),
    Column("stream", String(16), nullable=False),
    Column("d", Integer, nullable=False),
    Column("from_position", BigInteger, nullable=False),
    Column("to_position", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("format", SmallInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("made_of", String(64), nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    CheckConstraint("stream IN ('SALES', 'CUBES')", name="stream_known"),
    CheckConstraint("state IN ('PLANNED', 'WRITTEN', 'REPLACED')", name="state_known"),
    CheckConstraint("from_position < to_position", name="has_a_range"),
    Index(None, "stream", "d"),
)

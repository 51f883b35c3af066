"""Where the books begin and up to where they were proved: what was archived of them, and what was
sealed. ``vendgate archive`` and ``vendgate audit`` write these tables, and nobody else.

``starts`` says of each machine behind which line the lines, transfers and notifications of this
database begin: those up to it stand in the archive, and what is left of them here is on its way
out. ``seals`` says up to which line the last audit that was sealed found everything whole. Both
hold what an audit must know of the time before: the digest that the next line is chained to, the
newest time of any line, the state of the stream, and what the balances of its last days said there.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, String, Table, Text

from storage.tables.base import metadata

# One month of the books. EXPORTED: its files are written and proved, and rows are being dropped.
# ``end_ms`` is the first moment that is not in it.
archives = Table(
    "archives",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("folder", Text, nullable=False),
    Column("manifest_sha256", String(64), nullable=False),
    Column("exported_at_ms", BigInteger, nullable=False),
    Column("dropped_at_ms", BigInteger),
    CheckConstraint("state IN ('EXPORTED', 'DROPPED')", name="state_known"),
)

starts = Table(
    "starts",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("from_day", Integer, nullable=False),
    Column("balances", Text, nullable=False),
    Column("link", Text, nullable=False),
)

# Without a machine it is the row of ``audit`` with the id ``version``. ``row_sha256`` is made
# of the others: a seal that was changed must not accuse the journal.
seals = Table(
    "seals",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("from_day", Integer, nullable=False),
    Column("balances", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("sealed_at_ms", BigInteger, nullable=False),
    Column("row_sha256", String(64), nullable=False),
)

"""Whose random number is whose. The only table that leads from a payer to a person, and so the only
one from which a person can be erased: no key refers to it, and the books are whole without it.
"""

from sqlalchemy import BigInteger, Column, Index, String, Table, UniqueConstraint

from storage.tables.base import metadata

# ``buyer_hash`` is made with a key that the database does not hold.
payers = Table(
    "payers",
    metadata,
    Column("buyer_hash", String(64), primary_key=True),
    Column("payer_id", String(32), nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    UniqueConstraint("payer_id"),
    Index(None, "last_seen_ms"),
)

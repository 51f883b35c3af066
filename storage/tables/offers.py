"""Offers to known payers: what somebody gives, how much of it is used, and by which vends.

What people say of an offer is the office's. What is used of it is written by the COMMITs of
machines alone, so that none of them waits for the office; they wait for one another where they use
the same offer, and so no two can spend the same money.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from storage.tables.base import metadata

# ``tag``: who has it; '' is every payer whom Alipay names. ``selector`` (JSON) is which machines.
# One of ``product`` and ``category`` at most; with neither it is for whatever they sell.
# ``holdout_key`` draws who is held out. ``ended_at_ms``: a person ended it before ``ends_at_ms``.
offers = Table(
    "offers",
    metadata,
    Column("offer", String(40), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("tag", String(32), nullable=False),
    Column("product", String(64), nullable=False),
    Column("category", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("discount_minor", BigInteger, nullable=False),
    Column("basis_points", Integer, nullable=False),
    Column("begins_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
    Column("budget_minor", BigInteger, nullable=False),
    Column("uses_per_payer", Integer, nullable=False),
    Column("holdout_percent", Integer, nullable=False),
    Column("holdout_key", String(64), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("selector", Text, nullable=False),
    CheckConstraint("(discount_minor > 0) <> (basis_points > 0)", name="one_discount"),
    CheckConstraint("budget_minor > 0 AND uses_per_payer > 0", name="has_bounds"),
    CheckConstraint("ends_at_ms > begins_at_ms", name="ends_later"),
    CheckConstraint("holdout_percent BETWEEN 0 AND 90", name="holdout_is_a_share"),
    Index(None, "ends_at_ms"),
)

# What of an offer's budget is used, and by how many vends. The row is locked by each COMMIT that
# uses the offer or gives a use back.
offer_spending = Table(
    "offer_spending",
    metadata,
    Column("offer", String(40), primary_key=True),
    Column("spent_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("uses", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("spent_minor >= 0 AND uses >= 0", name="nothing_below_zero"),
)

# Each vend that was approved with an offer, once. ``payer_id`` is the random number of who used it,
# '' once they are forgotten. ``returned_at_ms``: nothing was delivered.
offer_uses = Table(
    "offer_uses",
    metadata,
    Column("offer", String(40), primary_key=True),
    Column("vend_id", String(64), primary_key=True),
    Column("payer_id", String(32), nullable=False),
    Column("discount_minor", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger, nullable=False),
    Column("returned_at_ms", BigInteger),
    CheckConstraint("discount_minor > 0", name="takes_something_off"),
    Index(None, "payer_id", "offer"),
)

# What one person wants of an offer and another must want too: one wish for each offer. ``revision``
# of the offer as they saw it; 0: it is to be made. ``wanted`` (JSON) is the offer as it would be:
# of one that is there what can be changed, of a new one all, without ``begins_at_ms`` if that is
# when it is confirmed.
offer_proposals = Table(
    "offer_proposals",
    metadata,
    Column("offer", String(40), primary_key=True),
    Column("proposal", String(32), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("person", String(160), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("wanted", Text, nullable=False),
    CheckConstraint("expires_at_ms > at_ms", name="waits_for_a_while"),
)

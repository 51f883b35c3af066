"""Vouchers of Alipay that were redeemed at machines, as its daily file tells. Written by the
administrators' side alone; nothing of the money follows from it.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table, text

from storage.tables.base import metadata

# One line of the provider's file. ``key`` is a digest of the voucher, its payment and ``kind``: the
# voucher's own number is kept nowhere. A payment has two numbers; a line may leave out one.
# ``number_key`` and ``other_key`` are digests of the same with one of them each, so that the line
# is known by either; null: it was not given yet. ``trade_id``, ``machine_id`` and the local day
# ``d`` (as yyyymmdd) are of the payment; '' and 0 while the books know none of these numbers. A
# line goes some time after its day, or after it was taken in (storage.insight.forgetting).
voucher_redemptions = Table(
    "voucher_redemptions",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("template", String(64), nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("d", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("order_minor", BigInteger, nullable=False),
    Column("voucher_minor", BigInteger, nullable=False),
    Column("number_key", String(64)),
    Column("other_key", String(64)),
    Column("taken_at_ms", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("kind IN ('REDEEMED', 'GIVEN_BACK')", name="kind_known"),
    CheckConstraint("order_minor >= 0 AND voucher_minor > 0", name="amounts_positive"),
    Index(None, "d", "template"),
    Index(None, "d", "taken_at_ms"),
    Index(None, "number_key"),
    Index(None, "other_key"),
    Index(None, "trade_id"),
)

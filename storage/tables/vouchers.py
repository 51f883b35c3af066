"""Vouchers of Alipay that were redeemed at machines, as its daily file tells. Written by the
administrators' side alone; nothing of the money follows from it.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table

from storage.tables.base import metadata

# One line of the provider's file. ``key`` is a digest of the voucher, its payment and ``kind``: the
# voucher's own number is kept nowhere. ``trade_id``, ``machine_id`` and the local day ``d`` (as
# yyyymmdd) are of the payment; '' and 0 while the books know none of these numbers.
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
    CheckConstraint("kind IN ('REDEEMED', 'GIVEN_BACK')", name="kind_known"),
    CheckConstraint("order_minor >= 0 AND voucher_minor > 0", name="amounts_positive"),
    Index(None, "d", "template"),
)

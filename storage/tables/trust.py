"""Who is denied, and which certificates machines have: what every gateway reads, and what came of
the tokens with which machines are enrolled.
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
    UniqueConstraint,
    text,
)

from storage.tables.base import metadata

denials = Table(
    "denials",
    metadata,
    Column("kind", String(16), primary_key=True),
    # Of a certificate its number; a second machine's of the same number has its id behind it.
    Column("name", String(200), primary_key=True),
    Column("denied_by", String(160), nullable=False),
    Column("denied_at_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("machine_id", String(32), nullable=False, server_default=text("''")),
    Column("not_after_ms", BigInteger),  # when the certificate ends, where that is known
    Index(None, "machine_id"),
    CheckConstraint("kind IN ('CERTIFICATE', 'MACHINE', 'PERSON')", name="kind_known"),
)

enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
    # A machine has one token at most; a newer one takes its place.
    Column("machine_id", String(32), primary_key=True),
    Column("token_id", String(16), nullable=False, unique=True),
    Column("secret_sha256", String(64), nullable=False),
    Column("issued_by", String(160), nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("wrong_tries", Integer, nullable=False),
    Column("serial", String(40)),  # of the certificate that it was used for
)

machine_certificates = Table(
    "machine_certificates",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("request_sha256", String(64), nullable=False),  # empty: somebody issued it by hand
    Column("chain", Text, nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger),  # when the machine first came with it
    Column("enrolled_at_ms", BigInteger),  # when the machine was, last, as far as that is known
    UniqueConstraint("machine_id", "generation"),
)

doubled_machines = Table(
    "doubled_machines",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("found_at_ms", BigInteger, primary_key=True),
    Column("serial", String(40), nullable=False),
    Column("said", Text, nullable=False),
    Index(None, "found_at_ms"),
)

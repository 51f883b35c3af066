"""What administrators keep about the fleet as a whole. Their side alone writes it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from storage.tables.base import metadata

# What people closed that waited for them and moved no money. The item is named as ListWorkItems
# names it.
work_item_closings = Table(
    "work_item_closings",
    metadata,
    Column("item_id", String(160), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("machine_id", String(32), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("closed_at_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "closed_at_ms", "item_id"),
)

# What one person wants of a machine's limits and another must want too, at this revision of it.
limit_proposals = Table(
    "limit_proposals",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("actor", String(160), nullable=False),
    Column("person", String(160), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("limits", Text, nullable=False),
)

# What became of administrators' requests that carry an id, so that a repeated one is answered and
# not done again. ``answer`` is null while it runs, or after it was cut off; ``done``: its change of
# the registry is saved. ``machine_version``: what the machine's state had when it was begun.
answers = Table(
    "answers",
    metadata,
    Column("caller", String(200), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("rpc", String(64), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("token", String(32), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("done", Boolean(create_constraint=False), nullable=False),
    Column("machine_version", BigInteger, nullable=False),
    Column("answer", LargeBinary),
    # What its change of the registry alone knew and its answer says: columns (JSON) out of which a
    # planogram removes goods.
    Column("gone", Text, nullable=False, server_default=text("''")),
    # The same of a deed of the back office, in words of its own; empty: what is there tells it.
    Column("kept", Text, nullable=False, server_default=text("''")),
    Index(None, "at_ms"),
    Index(None, "caller", "at_ms"),
)

# Who is signed in at the console, and links by which somebody may sign in once. ``secret_sha256``
# is the hash of what the browser or the link holds; nothing here lets anybody in.
console_logins = Table(
    "console_logins",
    metadata,
    Column("secret_sha256", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("person", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("issued_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    CheckConstraint("expires_at_ms > issued_at_ms", name="ends_by_itself"),
    Index(None, "kind", "expires_at_ms"),
)

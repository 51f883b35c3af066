"""What is done to many machines, one line after the other: a file of machines, or planograms."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from storage.tables.base import metadata

# ``kind`` says what; ``about`` is what of it is not in its lines. It begins at ``from_ms``, and has
# begun when ``started_at_ms`` says so, whatever clocks say later.
# ``number``: the order in which applications were ordered, whatever clocks say.
# ``holder`` is at it until ``held_until_ms``; whoever comes later goes on.
machine_imports = Table(
    "machine_imports",
    metadata,
    Column("import_id", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("claimed", String(64), nullable=False),
    Column("proven", String(64), nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("done_count", Integer, nullable=False),
    Column("failed_count", Integer, nullable=False),
    Column("lines_per_s", Integer, nullable=False),
    Column("failures_max", Integer, nullable=False),
    Column("holder", String(64), nullable=False),
    Column("held_until_ms", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("kind", String(16), nullable=False, server_default=text("'MACHINES'")),
    Column("from_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("started_at_ms", BigInteger),
    Column("reason", Text, nullable=False),
    Column("about", Text, nullable=False, server_default=text("''")),
    Column("number", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("state IN ('RUNNING', 'DONE', 'STOPPED')", name="state_known"),
    Index(None, "state", "created_at_ms", "import_id"),
    Index("machine_imports_by_kind", "kind", "created_at_ms", "import_id"),
    Index("machine_imports_by_state", "kind", "state", "created_at_ms", "import_id"),
    Index("machine_imports_due", "kind", "state", "from_ms", "created_at_ms", "import_id"),
)

# ``content`` is the line as it was checked; ``said`` why it failed.
machine_import_lines = Table(
    "machine_import_lines",
    metadata,
    Column("import_id", String(32), ForeignKey("machine_imports.import_id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("machine_id", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("said", Text, nullable=False),
    Column("content", Text, nullable=False),
    CheckConstraint("state IN ('WAITING', 'DONE', 'FAILED')", name="state_known"),
    Index(None, "import_id", "state", "line"),
)

# Which applications still have something to do at a machine.
_WAITING = text("state = 'WAITING'")
Index(
    "machine_import_lines_waiting",
    machine_import_lines.c.machine_id,
    machine_import_lines.c.import_id,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)

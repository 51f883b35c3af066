"""Tags of payers: rules, what became of them each day, and who has them. Made by the follower of
the books from facts, but for the rules, which the administrators' side alone writes.

``payer_tags`` names payers by their random numbers, and so leads to nobody without ``payers``; an
erased payer's rows are deleted with that mapping.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
    literal_column,
    text,
)

from storage.tables.base import Position, metadata

# ``rule`` (JSON) is what storage.insight.tag_rules reads. A new version leaves the ones before as
# they are. ``purchases_min``: who bought fewer items in 365 days has no tag. ``currency``: the one
# whose money counts; '' if the rule asks for none. ``ended_at_ms``: the tag was retired.
tag_rules = Table(
    "tag_rules",
    metadata,
    Column("tag", String(32), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("purchases_min", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("author", String(160), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    CheckConstraint("version > 0", name="version_grows"),
    CheckConstraint("purchases_min > 0", name="has_evidence"),
)

# One evaluation of a rule as of the end of a local day (yyyymmdd), from facts up to ``position``.
# With an ``error`` nobody's tag changed. ``unfinished``: what it changes is being written, or was
# when it failed, and counts for nobody before the run is finished; a tag has at most one such run,
# the newest, and whoever evaluates next goes on with it.
tag_runs = Table(
    "tag_runs",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("tag", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("d", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("members", BigInteger, nullable=False),
    Column("joined", BigInteger, nullable=False),
    Column("departed", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("unfinished", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Index(None, "tag", "id"),
)

_FAILED = text("error <> ''")
Index(
    "tag_runs_failed",
    tag_runs.c.at_ms,
    tag_runs.c.tag,
    sqlite_where=_FAILED,
    postgresql_where=_FAILED,
)

_UNFINISHED = text("unfinished")
Index(
    "tag_runs_unfinished",
    tag_runs.c.tag,
    sqlite_where=_UNFINISHED,
    postgresql_where=_UNFINISHED,
)
UNFINISHED: ColumnElement[bool] = literal_column("tag_runs.unfinished")
"""Whether a run is unfinished, in words with which that index serves it: of no type, because of a
Boolean SQLite would be asked whether it is 1.
"""

# A payer has a tag from the day ``since_d`` on, until the day ``until_d``; null: still. The run
# ``run_id`` gave it, and ``until_run`` took it; what a run that is unfinished gave or took is not
# given or taken yet (``storage.insight.tagging.had_by_now``).
payer_tags = Table(
    "payer_tags",
    metadata,
    Column("payer_id", String(32), primary_key=True),
    Column("tag", String(32), primary_key=True),
    Column("run_id", BigInteger, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("since_d", Integer, nullable=False),
    Column("until_d", Integer),
    Column("until_run", BigInteger),
)

# What those with a tag came to when the run ``run_id`` was finished, as of the end of the day
# ``d``: one row, with those of ``tag_districts`` and ``tag_sales``. They are raw, and go out
# through the gate (storage.insight.suppression).
tag_sums = Table(
    "tag_sums",
    metadata,
    Column("tag", String(32), primary_key=True),
    Column("run_id", BigInteger, nullable=False),
    Column("d", Integer, nullable=False),
)

# How many of them bought most in a district; '' of those who bought in none.
tag_districts = Table(
    "tag_districts",
    metadata,
    Column("tag", String(32), primary_key=True),
    Column("district", String(64), primary_key=True),
    Column("payers", BigInteger, nullable=False),
)

# What they bought in a currency, if they are as many as any gate asks for. ``units_step`` and
# ``sales_step`` are 1, 2 or 5 with zeros, and at least what any one of them bought: what one payer
# bought stands nowhere.
tag_sales = Table(
    "tag_sales",
    metadata,
    Column("tag", String(32), primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("payers", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("sales_minor", BigInteger, nullable=False),
    Column("units_step", BigInteger, nullable=False),
    Column("sales_step", BigInteger, nullable=False),
)

_HAS = text("until_d IS NULL")
Index(
    "payer_tags_had",
    payer_tags.c.tag,
    payer_tags.c.payer_id,
    sqlite_where=_HAS,
    postgresql_where=_HAS,
)
_TAKEN = text("until_run IS NOT NULL")
Index(
    "payer_tags_taken",
    payer_tags.c.until_run,
    sqlite_where=_TAKEN,
    postgresql_where=_TAKEN,
)

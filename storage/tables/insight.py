"""What is known of sales, made of the books by whoever follows them (``storage.insight``). Nothing
here is a book: all of it can be made again, and no transaction of a machine's writes any of it.

``d`` is a day as yyyymmdd and ``local_hour`` an hour of it, 0 to 23, by the clock of the site where
the machine stood at that time. Two hours that bear one name, when clocks are put back, are one.

What is kept for each machine is kept for three scopes too, so that nobody adds up a fleet for a
page: the whole fleet (``FLEET``, named ''), each district (``DISTRICT``, the machine's own, not
those above it; '' of machines that stand nowhere) and each type of site (``SITE_TYPE``).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from storage.tables.base import metadata

# Who follows the journal, and how far. ``position`` is the newest line whose facts are here,
# ``at_ms`` the newest time of any line up to it, and never ahead of the clock of who followed it.
# ``beat`` grows with each sign of life of ``holder`` (empty: nobody); ``epoch`` with each claim,
# and every transaction of a follower proves it. Lines up to ``made_until`` were followed before all
# was made again. ``stage``: FOLLOWING, or CLEARING while what is to be made again goes. Of days
# before ``hours_from_d`` (yyyymmdd) the time of single machines is kept no more.
followers = Table(
    "followers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("holder", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("made_until", BigInteger, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("hours_from_d", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("position >= 0", name="position_is_one"),
    CheckConstraint("stage IN ('FOLLOWING', 'CLEARING')", name="stage_known"),
)

# One row for each transfer that moves SALES, under its key. ``sales_minor`` is what it adds to that
# account, below zero for goodwill. ``units`` counts items that fell, once for each vend: 0 in the
# other rows of a vend that several trades paid. ``site``, ``district`` and ``site_type`` are as
# they were when the row was made. ``offer`` took the discount off, '' if none did; null in rows of
# a program that did not know.
sale_facts = Table(
    "sale_facts",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("d", Integer, nullable=False),
    Column("local_hour", SmallInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("vend_id", String(64), nullable=False),
    Column("column", String(16), nullable=False),
    Column("product", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("units", Integer, nullable=False),
    Column("sales_minor", BigInteger, nullable=False),
    Column("discount_minor", BigInteger, nullable=False),
    Column("payer_id", String(32), nullable=False),
    Column("site", String(64), nullable=False),
    Column("district", String(64), nullable=False),
    Column("site_type", String(32), nullable=False),
    Column("offer", String(40)),
    CheckConstraint("kind IN ('SALE', 'GOODWILL', 'WRITE_OFF')", name="kind_known"),
    CheckConstraint("units >= 0", name="units_fell"),
    Index(None, "position"),
)
_NAMED = text("payer_id <> ''")
Index(
    "sale_facts_by_payer",
    sale_facts.c.payer_id,
    sale_facts.c.d,
    sqlite_where=_NAMED,
    postgresql_where=_NAMED,
)


def _days(name: str, *whose: Column[str]) -> Table:
    """Return a table of sales by day and product. ``sales_minor`` is what the account SALES got; of
    it ``written_off_minor`` is of goods that nobody paid, and ``given_back_minor`` (0 or more) was
    taken off as goodwill.
    """
    return Table(
        name,
        metadata,
        *whose,
        Column("d", Integer, primary_key=True),
        Column("product", String(64), primary_key=True),
        Column("currency", String(3), primary_key=True),
        Column("units", BigInteger, nullable=False),
        Column("sales_minor", BigInteger, nullable=False),
        Column("discount_minor", BigInteger, nullable=False),
        Column("given_back_minor", BigInteger, nullable=False),
        Column("written_off_minor", BigInteger, nullable=False),
    )


def _offers(name: str, *whose: Column[str]) -> Table:
    """Return a table of sales with offers, by day and offer; of the others there is no row.
    ``sales_minor`` is what SALES got of them, and ``discount_minor`` what the offer took off.
    """
    return Table(
        name,
        metadata,
        *whose,
        Column("d", Integer, primary_key=True),
        Column("offer", String(40), primary_key=True),
        Column("currency", String(3), primary_key=True),
        Column("units", BigInteger, nullable=False),
        Column("sales_minor", BigInteger, nullable=False),
        Column("discount_minor", BigInteger, nullable=False),
    )


def _hours(name: str, *whose: Column[str]) -> Table:
    return Table(
        name,
        metadata,
        *whose,
        Column("d", Integer, primary_key=True),
        Column("local_hour", SmallInteger, primary_key=True),
        Column("currency", String(3), primary_key=True),
        Column("units", BigInteger, nullable=False),
        Column("sales_minor", BigInteger, nullable=False),
    )


def _funnel(name: str, *whose: Column[str]) -> Table:
    """Return a table of how many came how far: ``stage`` is CODE_SHOWN, PAID, APPROVED or
    DELIVERED.
    """
    return Table(
        name,
        metadata,
        *whose,
        Column("d", Integer, primary_key=True),
        Column("mode", String(32), primary_key=True),
        Column("stage", String(16), primary_key=True),
        Column("n", BigInteger, nullable=False),
    )


def _exposure(name: str, *whose: Column[str]) -> Table:
    """Return a table of seconds: in which a machine was known at all, was online, was in service
    while it was online, and could sell something; and, of those in service, those that its columns
    and its empty or locked columns add up to.
    """
    return Table(
        name,
        metadata,
        *whose,
        Column("d", Integer, primary_key=True),
        Column("local_hour", SmallInteger, primary_key=True),
        Column("known_s", BigInteger, nullable=False),
        Column("online_s", BigInteger, nullable=False),
        Column("in_service_s", BigInteger, nullable=False),
        Column("sellable_s", BigInteger, nullable=False),
        Column("column_s", BigInteger, nullable=False),
        Column("empty_column_s", BigInteger, nullable=False),
    )


def _machine() -> Column[str]:
    return Column("machine_id", String(32), primary_key=True)


def _scope() -> tuple[Column[str], Column[str]]:
    return (
        Column("scope", String(16), primary_key=True),
        Column("name", String(64), primary_key=True),
    )


sales_days = _days("sales_days", _machine())
offer_days = _offers("offer_days", _machine())
sales_hours = _hours("sales_hours", _machine())
funnel_days = _funnel("funnel_days", _machine())
machine_hours = _exposure("machine_hours", _machine())
scope_days = _days("scope_days", *_scope())
scope_offers = _offers("scope_offers", *_scope())
scope_hours = _hours("scope_hours", *_scope())
scope_funnels = _funnel("scope_funnels", *_scope())
scope_exposures = _exposure("scope_exposures", *_scope())

# What the follower must know of a machine to go on counting its time, which is counted up to
# ``at_ms`` and last changed at ``since_ms``. ``stocks`` (JSON) is how many items are in which
# column, ``locked`` (JSON) which columns must not sell, ``planned`` (JSON) those of the planogram.
# ``move_id`` is the last move of its goods that is in it, ``reader_seq`` the last frame of its
# reader, ``revision`` that of its configuration.
machine_exposures = Table(
    "machine_exposures",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("online", Boolean(create_constraint=False), nullable=False),
    Column("reader_enabled", Boolean(create_constraint=False), nullable=False),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("stream_id", String(64), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("locked", Text, nullable=False),
    Column("stocks", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("move_id", BigInteger, nullable=False, server_default=text("0")),
    Column("reader_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    Column("retired_at_ms", BigInteger),
    Column("planned", Text, nullable=False, server_default=text("'[]'")),
    Index(None, "at_ms"),
)

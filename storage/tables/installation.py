"""The database itself: how many partitions it has, fixed when it was created, how many hosts they
are shared out to, and who owns each. A host takes partitions in a claim, each under its next epoch.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    SmallInteger,
    String,
    Table,
    text,
)

from storage.tables.base import metadata

installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("partition_count", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("audit_digest", String(64), nullable=False, server_default=text("''")),
    # Of a database that was restored: when it was copied by ``vendgate backup``, and the last line
    # of the journal then. What came between that and the next line is forgotten here.
    Column("copied_at_ms", BigInteger),
    Column("copied_line", BigInteger),
    # The schema of the oldest program that works with this database; older ones refuse it.
    Column("oldest_program", String(32), nullable=False, server_default=text("''")),
    CheckConstraint("id = 1", name="is_single"),
    CheckConstraint("partition_count > 0", name="has_partitions"),
)

partitions = Table(
    "partitions",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(128), nullable=False),
    Column("holder", String(128), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("claimed_at_ms", BigInteger, nullable=False),
    CheckConstraint("epoch >= 0", name="epoch_grows"),
)

# One row, written by the first program that serves: until then anybody may say how many hosts there
# are.
layout = Table(
    "layout",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("host_count", Integer, nullable=False),
    Column("set_at_ms", BigInteger, nullable=False),
    Column("set_by", String(128), nullable=False),
    CheckConstraint("id = 1", name="is_single"),
    CheckConstraint("host_count > 0", name="has_hosts"),
)

# Who holds partitions, one row for each start of a host. It goes with what it holds: a holder
# without a row is nobody. Apart from ``partitions``, because a beat must not wait for the share
# locks of a COMMIT.
holders = Table(
    "holders",
    metadata,
    Column("holder", String(128), primary_key=True),
    Column("host", String(128), nullable=False),
    Column("home", String(200), nullable=False),
    Column("node", String(128), nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("lease_ms", BigInteger, nullable=False),
    Column("since_at_ms", BigInteger, nullable=False),
    # The schema of the program that it runs; empty: one that did not say so yet.
    Column("program", String(32), nullable=False, server_default=text("''")),
    CheckConstraint("lease_ms > 0", name="has_a_lease"),
)

# Processes whose clock is not Alipay's, for as long as they say so again and again. Times are by
# Alipay's clock, as far as it is known.
wrong_clocks = Table(
    "wrong_clocks",
    metadata,
    Column("teller", String(128), primary_key=True),
    Column("ahead_ms", BigInteger, nullable=False),
    Column("since_at_ms", BigInteger, nullable=False),
    Column("told_at_ms", BigInteger, nullable=False),
)

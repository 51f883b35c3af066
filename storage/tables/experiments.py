"""Experiments: what is tried on some machines or payers and not on others, who is in which arm, and
what came of it. Nothing here is a book, and no machine's transaction writes any of it.
"""

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
)

from storage.tables.base import metadata

# ``content`` (JSON) is what people said of it (storage.experiments.content). What begins with
# ``pre_`` is the time before, and ``first_d`` to ``last_d`` the time that counts: days as yyyymmdd,
# 0 until it was started. ``seed`` and ``plan_sha256`` are empty until then too; from then on all of
# it is fixed. ``detectable_permille``: the smallest lift that can be seen, null if nobody knows.
# ``result`` (JSON) is written once, from facts up to ``position``.
experiments = Table(
    "experiments",
    metadata,
    Column("experiment", String(40), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("seed", String(64), nullable=False),
    Column("plan_sha256", String(64), nullable=False),
    Column("detectable_permille", Integer),
    Column("pre_first_d", Integer, nullable=False),
    Column("pre_last_d", Integer, nullable=False),
    Column("first_d", Integer, nullable=False),
    Column("last_d", Integer, nullable=False),
    Column("created_by", String(160), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("started_by", String(160), nullable=False),
    Column("started_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("stop_reason", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
    CheckConstraint("state IN ('CREATED', 'RUNNING', 'STOPPED', 'ENDED')", name="state_known"),
    Index(None, "state", "experiment"),
)

# Who is in it, as it was drawn at the start, and who is not: ``left_out`` says why, and is empty of
# the others. ``arm`` is TREATMENT or CONTROL for the whole time, SWITCHES of a machine that is
# treated on ``treated_days`` (JSON, days as yyyymmdd) alone. ``block`` is that of its pair.
experiment_units = Table(
    "experiment_units",
    metadata,
    Column("experiment", String(40), ForeignKey("experiments.experiment"), primary_key=True),
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("block", Integer, nullable=False),
    Column("arm", String(16), nullable=False),
    Column("left_out", String(32), nullable=False),
    Column("treated_days", Text, nullable=False),
    CheckConstraint("arm IN ('', 'TREATMENT', 'CONTROL', 'SWITCHES')", name="arm_known"),
    Index(None, "machine_id", "experiment"),
)

# On which days a machine was seen to have what its arm has, and since when. Of an arm for the whole
# time the first such day counts.
experiment_days = Table(
    "experiment_days",
    metadata,
    Column("experiment", String(40), ForeignKey("experiments.experiment"), primary_key=True),
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("d", Integer, primary_key=True),
    Column("acknowledged_at_ms", BigInteger, nullable=False),
)

# Columns that have, or had, the price of an experiment: ``price_minor`` is what they cost before,
# and again once it is over. ``restored_at_ms`` is null while the tried price is in force.
experiment_prices = Table(
    "experiment_prices",
    metadata,
    Column("experiment", String(40), ForeignKey("experiments.experiment"), primary_key=True),
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("column", String(16), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("tried_price_minor", BigInteger, nullable=False),
    Column("set_at_ms", BigInteger, nullable=False),
    Column("restored_at_ms", BigInteger),
    Index(None, "restored_at_ms", "experiment"),
)

# What columns cost of themselves each time when they were given a tried price, all of a machine's
# under one time; a set that is like the one before is not written again. So it is known of each day
# what was given up on it, though people price machines meanwhile.
experiment_own_prices = Table(
    "experiment_own_prices",
    metadata,
    Column("experiment", String(40), ForeignKey("experiments.experiment"), primary_key=True),
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("set_at_ms", BigInteger, primary_key=True),
    Column("column", String(16), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("price_minor", BigInteger, nullable=False),
)

# The offer that an experiment with payers tries, since its start. ``terms`` (JSON) is what it gave
# then, and ``tag_version`` the version of its tag's rule, neither of which changes while it is
# tried; null: it has no tag, or was started by a program that did not write it. ``treated`` and
# ``control`` are how many payers were drawn, which is told in steps alone.
experiment_offers = Table(
    "experiment_offers",
    metadata,
    Column("experiment", String(40), ForeignKey("experiments.experiment"), primary_key=True),
    Column("offer", String(40), ForeignKey("offers.offer"), nullable=False),
    Column("terms", Text, nullable=False),
    Column("tag_version", Integer),
    Column("treated", Integer, nullable=False),
    Column("control", Integer, nullable=False),
    Index(None, "offer"),
)

# The payers of such an experiment by their random numbers, as they were there at the start, and
# what each had spent in the time before. Who is erased goes from here; all go some time after the
# end (storage.insight.forgetting).
experiment_payers = Table(
    "experiment_payers",
    metadata,
    Column("experiment", String(40), ForeignKey("experiments.experiment"), primary_key=True),
    Column("payer_id", String(32), primary_key=True),
    Column("arm", String(16), nullable=False),
    Column("before_minor", BigInteger, nullable=False),
    CheckConstraint("arm IN ('TREATMENT', 'CONTROL')", name="arm_known"),
    Index(None, "payer_id"),
)

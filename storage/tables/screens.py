"""What machines show between customers: files by their hashes, lists of them, who shows which list
when, and what of it each machine has on its disk. The bytes of the files are in a folder.

All of it has an end (``storage.office.screen_sweeps``): a play after some hundred days; a manifest
when no machine has or wants it and no play names it any more; a file when no playlist and no
manifest names it. ``used_at_ms``: when that was last otherwise, or somebody brought the file again,
as far as it was written down; None: not since there is this column. What was recalled stays: it may
never be shown again.
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

assets = Table(
    "assets",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(32), nullable=False),
    Column("size", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("name", String(100), nullable=False),
    Column("added_by", String(160), nullable=False),
    Column("added_at_ms", BigInteger, nullable=False),
    Column("recalled_by", String(160), nullable=False),
    Column("recalled_at_ms", BigInteger),
    Column("recall_reason", Text, nullable=False),
    Column("used_at_ms", BigInteger),
    CheckConstraint("size > 0", name="not_empty"),
    Index(None, "recalled_at_ms"),
)

# ``items`` is JSON: the hash of each file, and for how many milliseconds it is shown.
playlists = Table(
    "playlists",
    metadata,
    Column("playlist", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("items", Text, nullable=False),
    CheckConstraint("revision > 0", name="revision_grows"),
)

# ``days`` has a bit for each day of the week, Monday's is 1; minutes are of the machine's own day.
# ``selector`` is JSON. ``ended_at_ms``: somebody ended it; ``not_after_ms``: it ends by itself.
screen_plans = Table(
    "screen_plans",
    metadata,
    Column("plan", String(64), primary_key=True),
    Column("playlist", String(64), ForeignKey("playlists.playlist"), nullable=False),
    Column("days", Integer, nullable=False),
    Column("from_minute", Integer, nullable=False),
    Column("to_minute", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("created_by", String(160), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("selector", Text, nullable=False),
    CheckConstraint("days BETWEEN 1 AND 127", name="some_days"),
    CheckConstraint("0 <= from_minute AND from_minute < to_minute", name="a_time_lasts"),
    CheckConstraint("to_minute <= 1440", name="within_a_day"),
    Index(None, "ended_at_ms", "plan"),
)

manifests = Table(
    "manifests",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("used_at_ms", BigInteger),
)

# Which files a manifest shows.
manifest_assets = Table(
    "manifest_assets",
    metadata,
    Column("asset", String(64), ForeignKey("assets.sha256"), primary_key=True),
    Column("manifest", String(64), ForeignKey("manifests.sha256"), primary_key=True),
    Index(None, "manifest"),
)

# Machines that said that they have a screen. ``wanted`` and ``applied`` are manifests, empty if
# none; ``wanted_at_ms`` is the time for which the wanted one was compiled; ``reason`` and
# ``detail``: why the machine rejected the wanted one, empty if it did not.
machine_screens = Table(
    "machine_screens",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("wanted", String(64), nullable=False),
    Column("wanted_at_ms", BigInteger, nullable=False),
    Column("applied", String(64), nullable=False),
    Column("applied_at_ms", BigInteger),
    Column("heard_at_ms", BigInteger, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", String(128), nullable=False),
    Index(None, "applied", "machine_id"),
    Index(None, "wanted"),
)

# What a machine counted, as totals: ``day`` is yyyymmdd and ``hour`` 0 to 23, both of the machine.
# ``item`` is the place in the manifest's list of items, from 0.
plays = Table(
    "plays",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("manifest", String(64), ForeignKey("manifests.sha256"), primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("times", BigInteger, nullable=False),
    Column("shown_ms", BigInteger, nullable=False),
    CheckConstraint("hour BETWEEN 0 AND 23", name="an_hour_of_a_day"),
    Index(None, "day"),
    Index(None, "manifest"),
)

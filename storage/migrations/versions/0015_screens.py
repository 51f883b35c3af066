"""What machines show between customers."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = (
    *("plays", "machine_screens", "manifest_assets", "manifests"),
    *("screen_plans", "playlists", "assets"),
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "assets",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("added_by", sa.String(160), nullable=False),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recalled_by", sa.String(160), nullable=False),
        sa.Column("recalled_at_ms", sa.BigInteger()),
        sa.Column("recall_reason", sa.Text(), nullable=False),
        sa.CheckConstraint("size > 0", name="not_empty"),
        sa.PrimaryKeyConstraint("sha256", name="assets_key"),
    )
    op.create_index("assets_by_recalled_at_ms", "assets", ["recalled_at_ms"])
    op.create_table(
        "playlists",
        sa.Column("playlist", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.CheckConstraint("revision > 0", name="revision_grows"),
        sa.PrimaryKeyConstraint("playlist", name="playlists_key"),
    )
    op.create_table(
        "screen_plans",
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("playlist", sa.String(64), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("to_minute", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(160), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger()),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.CheckConstraint("days BETWEEN 1 AND 127", name="some_days"),
        sa.CheckConstraint("0 <= from_minute AND from_minute < to_minute", name="a_time_lasts"),
        sa.CheckConstraint("to_minute <= 1440", name="within_a_day"),
        sa.ForeignKeyConstraint(
            ["playlist"], ["playlists.playlist"], name="screen_plans_of_playlists"
        ),
        sa.PrimaryKeyConstraint("plan", name="screen_plans_key"),
    )
    op.create_index("screen_plans_by_ended_at_ms_plan", "screen_plans", ["ended_at_ms", "plan"])
    op.create_table(
        "manifests",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="manifests_key"),
    )
    op.create_table(
        "manifest_assets",
        sa.Column("asset", sa.String(64), nullable=False),
        sa.Column("manifest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["asset"], ["assets.sha256"], name="manifest_assets_of_assets"),
        sa.ForeignKeyConstraint(
            ["manifest"], ["manifests.sha256"], name="manifest_assets_of_manifests"
        ),
        sa.PrimaryKeyConstraint("asset", "manifest", name="manifest_assets_key"),
    )
    op.create_table(
        "machine_screens",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("wanted", sa.String(64), nullable=False),
        sa.Column("wanted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("applied", sa.String(64), nullable=False),
        sa.Column("applied_at_ms", sa.BigInteger()),
        sa.Column("heard_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_screens_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machine_screens_key"),
    )
    columns = ["applied", "machine_id"]
    op.create_index("machine_screens_by_applied_machine_id", "machine_screens", columns)
    op.create_table(
        "plays",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(64), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("shown_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("hour BETWEEN 0 AND 23", name="an_hour_of_a_day"),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.machine_id"], name="plays_of_machines"),
        sa.ForeignKeyConstraint(["manifest"], ["manifests.sha256"], name="plays_of_manifests"),
        sa.PrimaryKeyConstraint("machine_id", "day", "hour", "manifest", "item", name="plays_key"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in TABLES:
        op.drop_table(table)

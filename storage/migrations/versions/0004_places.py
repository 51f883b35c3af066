"""Where machines stand: districts, sites, stays and profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _districts()
    _district_paths()
    _sites()
    _machine_sites()
    _machine_profiles()
    _machine_labels()
    _machine_imports()
    _machine_import_lines()


def _districts() -> None:
    op.create_table(
        "districts",
        sa.Column("district", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("parent", sa.String(64), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("archived_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("parent <> district", name=op.f("districts_not_its_own_parent")),
        sa.CheckConstraint("revision > 0", name=op.f("districts_revision_grows")),
        sa.ForeignKeyConstraint(["parent"], ["districts.district"], name="districts_of_districts"),
        sa.PrimaryKeyConstraint("district", name="districts_key"),
    )
    op.create_index("districts_by_parent_district", "districts", ["parent", "district"])


def _district_paths() -> None:
    op.create_table(
        "district_paths",
        sa.Column("ancestor", sa.String(64), nullable=False),
        sa.Column("district", sa.String(64), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["district"], ["districts.district"], name="district_paths_of_districts"
        ),
        sa.PrimaryKeyConstraint("ancestor", "district", name="district_paths_key"),
    )
    op.create_index("district_paths_by_district_depth", "district_paths", ["district", "depth"])


def _sites() -> None:
    op.create_table(
        "sites",
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("district", sa.String(64), nullable=False),
        sa.Column("site_type", sa.String(32), nullable=False),
        sa.Column("type_word", sa.String(64), nullable=False),
        sa.Column("latitude_e6", sa.Integer(), nullable=True),
        sa.Column("longitude_e6", sa.Integer(), nullable=True),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("contact_name", sa.String(100), nullable=False),
        sa.Column("contact_phone", sa.String(40), nullable=False),
        sa.Column("contact_email", sa.String(100), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("archived_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("address_lines", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(latitude_e6 IS NULL) = (longitude_e6 IS NULL)", name=op.f("sites_a_whole_position")
        ),
        sa.CheckConstraint(
            "latitude_e6 BETWEEN -90000000 AND 90000000", name=op.f("sites_latitude_on_earth")
        ),
        sa.CheckConstraint(
            "longitude_e6 BETWEEN -180000000 AND 180000000", name=op.f("sites_longitude_on_earth")
        ),
        sa.CheckConstraint("revision > 0", name=op.f("sites_revision_grows")),
        sa.ForeignKeyConstraint(["district"], ["districts.district"], name="sites_of_districts"),
        sa.PrimaryKeyConstraint("site", name="sites_key"),
    )
    op.create_index("sites_by_district_site", "sites", ["district", "site"])
    op.create_index("sites_by_site_type_site", "sites", ["site_type", "site"])


def _machine_sites() -> None:
    op.create_table(
        "machine_sites",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("from_day", sa.String(10), nullable=False),
        sa.Column("site", sa.String(64), nullable=True),
        sa.Column("from_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("until_at_ms > from_at_ms", name=op.f("machine_sites_a_stay_lasts")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_sites_of_machines"
        ),
        sa.ForeignKeyConstraint(["site"], ["sites.site"], name="machine_sites_of_sites"),
        sa.PrimaryKeyConstraint("machine_id", "from_day", name="machine_sites_key"),
    )
    op.create_index(
        "machine_sites_by_site_machine_id_from_day",
        "machine_sites",
        ["site", "machine_id", "from_day"],
    )


def _machine_profiles() -> None:
    op.create_table(
        "machine_profiles",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("maintenance", sa.String(16), nullable=False),
        sa.Column("was_enabled", sa.Boolean(), nullable=False),
        sa.Column("since_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("set_by", sa.String(160), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "maintenance IN ('IN_SERVICE', 'MAINTENANCE', 'STORED')",
            name=op.f("machine_profiles_maintenance_known"),
        ),
        sa.CheckConstraint("revision > 0", name=op.f("machine_profiles_revision_grows")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_profiles_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machine_profiles_key"),
    )
    op.create_index(
        "machine_profiles_by_model_machine_id", "machine_profiles", ["model", "machine_id"]
    )
    op.create_index(
        "machine_profiles_by_serial_machine_id", "machine_profiles", ["serial", "machine_id"]
    )


def _machine_labels() -> None:
    op.create_table(
        "machine_labels",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("label", sa.String(32), nullable=False),
        sa.Column("value", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_labels_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", "label", name="machine_labels_key"),
    )
    op.create_index(
        "machine_labels_by_label_value_machine_id",
        "machine_labels",
        ["label", "value", "machine_id"],
    )


def _machine_imports() -> None:
    op.create_table(
        "machine_imports",
        sa.Column("import_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("claimed", sa.String(64), nullable=False),
        sa.Column("proven", sa.String(64), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("done_count", sa.Integer(), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("lines_per_s", sa.Integer(), nullable=False),
        sa.Column("failures_max", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("held_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('RUNNING', 'DONE', 'STOPPED')", name=op.f("machine_imports_state_known")
        ),
        sa.PrimaryKeyConstraint("import_id", name="machine_imports_key"),
    )
    op.create_index(
        "machine_imports_by_state_created_at_ms_import_id",
        "machine_imports",
        ["state", "created_at_ms", "import_id"],
    )


def _machine_import_lines() -> None:
    op.create_table(
        "machine_import_lines",
        sa.Column("import_id", sa.String(32), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('WAITING', 'DONE', 'FAILED')", name=op.f("machine_import_lines_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["machine_imports.import_id"],
            name="machine_import_lines_of_machine_imports",
        ),
        sa.PrimaryKeyConstraint("import_id", "line", name="machine_import_lines_key"),
    )
    op.create_index(
        "machine_import_lines_by_import_id_state_line",
        "machine_import_lines",
        ["import_id", "state", "line"],
    )


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    op.drop_table("machine_import_lines")
    op.drop_table("machine_imports")
    op.drop_table("machine_labels")
    op.drop_table("machine_profiles")
    op.drop_table("machine_sites")
    op.drop_table("sites")
    op.drop_table("district_paths")
    op.drop_table("districts")

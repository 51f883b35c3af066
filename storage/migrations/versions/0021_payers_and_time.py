"""For how long machines can sell, and tags of those who pay."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

kind = "EXPAND"

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTED = ("since_ms", "move_id", "reader_seq", "revision")


def _time() -> None:
    """Of a table that nobody filled before."""
    for name in COUNTED:
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        op.add_column("machine_exposures", column)
    op.add_column("machine_exposures", sa.Column("retired_at_ms", sa.BigInteger()))
    op.add_column(
        "machine_exposures",
        sa.Column("planned", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
    )


def _tags() -> None:
    op.create_table(
        "tag_rules",
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("purchases_min", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("author", sa.String(160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("tag", "version", name="tag_rules_key"),
        sa.CheckConstraint("version > 0", name="version_grows"),
        sa.CheckConstraint("purchases_min > 0", name="has_evidence"),
    )
    op.create_table(
        "tag_runs",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("d", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("position", "at_ms", "members", "joined", "departed")
        ),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="tag_runs_key"),
    )
    op.create_index("tag_runs_by_tag_id", "tag_runs", ["tag", "id"])
    op.create_index(
        "tag_runs_failed",
        "tag_runs",
        ["at_ms", "tag"],
        sqlite_where=sa.text("error <> ''"),
        postgresql_where=sa.text("error <> ''"),
    )
    op.create_table(
        "payer_tags",
        sa.Column("payer_id", sa.String(32), nullable=False),
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since_d", sa.Integer(), nullable=False),
        sa.Column("until_d", sa.Integer()),
        sa.PrimaryKeyConstraint("payer_id", "tag", "run_id", name="payer_tags_key"),
    )
    op.create_index(
        "payer_tags_had",
        "payer_tags",
        ["tag", "payer_id"],
        sqlite_where=sa.text("until_d IS NULL"),
        postgresql_where=sa.text("until_d IS NULL"),
    )
    op.create_index(
        "sale_facts_by_payer",
        "sale_facts",
        ["payer_id", "d"],
        sqlite_where=sa.text("payer_id <> ''"),
        postgresql_where=sa.text("payer_id <> ''"),
    )


def upgrade() -> None:
    """Add what the follower must know more, of which it has nothing yet, and the tags."""
    _time()
    _tags()


def downgrade() -> None:
    """Drop it; what the follower has counted goes with it, because nobody could go on from it."""
    op.drop_index("sale_facts_by_payer", "sale_facts")
    for table in ("payer_tags", "tag_runs", "tag_rules"):
        op.drop_table(table)
    op.execute("DELETE FROM machine_exposures")
    with op.batch_alter_table("machine_exposures") as batch:
        for name in (*COUNTED, "retired_at_ms", "planned"):
            batch.drop_column(name)

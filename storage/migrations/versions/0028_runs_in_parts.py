"""Runs of tags are written in parts, and count when they are finished; what grows has an end."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

kind = "EXPAND"

_INDEXES = {
    "tag_runs_unfinished": ("tag_runs", "tag", "unfinished"),
    "payer_tags_taken": ("payer_tags", "until_run", "until_run IS NOT NULL"),
}


def upgrade() -> None:
    """Add what says it. Which run took the tags that were taken before, nobody wrote down: they go
    when the run that gave them is forgotten.
    """
    op.add_column(
        "tag_runs",
        sa.Column("unfinished", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("payer_tags", sa.Column("until_run", sa.BigInteger()))
    op.add_column(
        "followers",
        sa.Column("hours_from_d", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.execute("UPDATE payer_tags SET until_run = run_id WHERE until_d IS NOT NULL")
    for name, (table, column, condition) in _INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop it, with what unfinished runs gave: it counts for nobody yet. What they took is had
    again.
    """
    op.execute(
        "UPDATE payer_tags SET until_d = NULL "
        "WHERE until_run IN (SELECT id FROM tag_runs WHERE unfinished)"
    )
    op.execute("DELETE FROM payer_tags WHERE run_id IN (SELECT id FROM tag_runs WHERE unfinished)")
    op.execute("DELETE FROM tag_runs WHERE unfinished")
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table)
    gone = {"followers": "hours_from_d", "payer_tags": "until_run", "tag_runs": "unfinished"}
    for table, column in gone.items():
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)

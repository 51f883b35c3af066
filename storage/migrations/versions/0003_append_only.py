"""Books that cannot be edited: append-only tables, and digests that chain their rows.

Rows that are there keep '' for a digest: nobody can vouch for them afterwards.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("journal", "ledger_entries", "audit")
DIGESTS = (
    ("journal", "digest"),
    ("machine_states", "digest"),
    ("audit", "digest"),
    ("installation", "audit_digest"),
)
SENTENCE = "is append-only: its rows are never changed or deleted"


def upgrade() -> None:
    """Add the digests and the triggers."""
    for table, column in DIGESTS:
        op.add_column(
            table,
            sa.Column(column, sa.String(length=64), nullable=False, server_default=sa.text("''")),
        )
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for what in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuses_{what.lower()} BEFORE {what} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{table} {SENTENCE}'); END"
                )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_a_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '% {SENTENCE}', TG_TABLE_NAME USING ERRCODE = "
        "'restrict_violation'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE ON {table} FOR "
            "EACH ROW EXECUTE FUNCTION refuse_a_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH "
            "STATEMENT EXECUTE FUNCTION refuse_a_change()"
        )


def downgrade() -> None:
    """Drop them, and with them the proof of what was not edited."""
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for what in ("update", "delete"):
                op.execute(f"DROP TRIGGER {table}_refuses_{what}")
    else:
        op.execute("DROP FUNCTION refuse_a_change() CASCADE")
    for table, column in DIGESTS:
        op.drop_column(table, column)

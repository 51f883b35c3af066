"""Read-outs of machines, what differs from the books, and the books' own intervals."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("readouts", "readout_differences", "audit_resets")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SENTENCE = "is append-only: its rows are never changed or deleted"


def upgrade() -> None:
    """Make the tables, which are only added to."""
    _readouts()
    _differences()
    _resets()
    for table in TABLES:
        _refuse_changes(table)


def downgrade() -> None:
    """Drop them."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _readouts() -> None:
    op.create_table(
        "readouts",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("readout_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("asset", sa.String(64), nullable=False),
        sa.Column("said_at", sa.String(32), nullable=False),
        sa.Column("read_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("imported_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("baseline", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("damaged", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("previous_id", sa.String(64), nullable=False),
        sa.Column("difference_count", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("counters", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="readouts_of_machines"
        ),
        sa.PrimaryKeyConstraint("id", name="readouts_key"),
        sa.UniqueConstraint("readout_id", name="readouts_one_readout_id"),
    )
    for columns in (["machine_id", "read_at_ms", "readout_id"], ["read_at_ms", "readout_id"]):
        op.create_index(f"readouts_by_{'_'.join(columns)}", "readouts", columns)


def _differences() -> None:
    op.create_table(
        "readout_differences",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("readout_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("counter", sa.String(32), nullable=False),
        sa.Column("machine_number", sa.BigInteger(), nullable=True),
        sa.Column("machine_minor", sa.BigInteger(), nullable=True),
        sa.Column("ours_number", sa.BigInteger(), nullable=True),
        sa.Column("ours_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("found_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["readout_id"], ["readouts.readout_id"], name="readout_differences_of_readouts"
        ),
        sa.PrimaryKeyConstraint("id", name="readout_differences_key"),
        sa.UniqueConstraint(
            "readout_id", "counter", name="readout_differences_one_readout_id_counter"
        ),
    )
    for columns in (["found_at_ms"], ["machine_id", "found_at_ms"]):
        op.create_index(
            f"readout_differences_by_{'_'.join(columns)}", "readout_differences", columns
        )


def _resets() -> None:
    op.create_table(
        "audit_resets",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reset_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("audit_resets_number_counts")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="audit_resets_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", "number", name="audit_resets_key"),
    )


def _refuse_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{what.lower()} BEFORE {what} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} {SENTENCE}'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE ON {table} FOR EACH "
        "ROW EXECUTE FUNCTION refuse_a_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH "
        "STATEMENT EXECUTE FUNCTION refuse_a_change()"
    )

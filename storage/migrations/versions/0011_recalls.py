"""What must not be sold any more, and the columns that are locked for it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OPEN = sa.text("released_at_ms IS NULL")
DUE = sa.text("look_at_ms IS NOT NULL")
NOT_OBEYED = sa.text("obeyed_at_ms IS NULL")


def upgrade() -> None:
    """Make the tables and the column. No column is locked yet."""
    op.add_column("machines", sa.Column("locked", sa.Text()))
    _recalls()
    op.create_table(
        "column_locks",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("recall_id", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("locked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("obeyed_at_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="column_locks_of_machines"
        ),
        sa.ForeignKeyConstraint(
            ["recall_id"], ["recalls.recall_id"], name="column_locks_of_recalls"
        ),
        sa.PrimaryKeyConstraint("machine_id", "column", "recall_id", name="column_locks_key"),
    )
    op.create_index(
        "column_locks_by_recall_id_machine_id_column",
        "column_locks",
        ["recall_id", "machine_id", "column"],
    )
    op.create_index(
        "column_locks_not_obeyed",
        "column_locks",
        ["machine_id", "column", "recall_id"],
        sqlite_where=NOT_OBEYED,
        postgresql_where=NOT_OBEYED,
    )


def _recalls() -> None:
    op.create_table(
        "recalls",
        sa.Column("recall_id", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("lot", sa.String(64), nullable=False),
        sa.Column("expires_on", sa.String(10), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("claimed", sa.String(64), nullable=False),
        sa.Column("proven", sa.String(64), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("released_at_ms", sa.BigInteger()),
        sa.Column("released_by", sa.String(160), nullable=False),
        sa.Column("look_at_ms", sa.BigInteger()),
        sa.Column("looked_at_ms", sa.BigInteger()),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("held_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("cause IN ('RECALLED', 'EXPIRED')", name="cause_known"),
        sa.PrimaryKeyConstraint("recall_id", name="recalls_key"),
    )
    op.create_index("recalls_by_created_at_ms_recall_id", "recalls", ["created_at_ms", "recall_id"])
    op.create_index(
        "recalls_one_open",
        "recalls",
        ["product", "lot", "cause"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("recalls_of_lots", "recalls", ["cause", "product", "lot"])
    op.create_index(
        "recalls_to_look_at",
        "recalls",
        ["look_at_ms", "recall_id"],
        sqlite_where=DUE,
        postgresql_where=DUE,
    )


def downgrade() -> None:
    """Drop them. Columns that are locked sell again as soon as their machines are configured."""
    op.drop_table("column_locks")
    op.drop_table("recalls")
    op.drop_column("machines", "locked")

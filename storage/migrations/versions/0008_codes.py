"""What machines' codes say at Alipay: another store, earlier tokens, and what is not as it should
be.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DIFFERS = sa.text("code_differs_since_ms IS NOT NULL")


def upgrade() -> None:
    """Make the table and the columns. A code of which nothing is written yet is as it should be
    until its machine decides something.
    """
    op.add_column(
        "machines",
        sa.Column("store_id", sa.String(64), nullable=False, server_default=sa.text("''")),
    )
    op.add_column("machine_states", sa.Column("code_differs_since_ms", sa.BigInteger()))
    op.add_column(
        "machine_states",
        sa.Column("code_trouble", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
    op.create_index(
        "machine_states_code_differs",
        "machine_states",
        ["code_differs_since_ms", "machine_id"],
        sqlite_where=DIFFERS,
        postgresql_where=DIFFERS,
    )
    op.create_table(
        "notify_tokens",
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("replaced_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="notify_tokens_of_machines"
        ),
        sa.PrimaryKeyConstraint("token", name="notify_tokens_key"),
    )
    op.create_index(
        "notify_tokens_by_machine_id_replaced_at_ms",
        "notify_tokens",
        ["machine_id", "replaced_at_ms"],
    )


def downgrade() -> None:
    """Drop them. Payments that Alipay tells under an earlier token are then put aside."""
    op.drop_index("notify_tokens_by_machine_id_replaced_at_ms", "notify_tokens")
    op.drop_table("notify_tokens")
    op.drop_index("machine_states_code_differs", "machine_states")
    op.drop_column("machine_states", "code_trouble")
    op.drop_column("machine_states", "code_differs_since_ms")
    op.drop_column("machines", "store_id")

"""Who an act is proven to be of and who it claims, what became of it, and limits that wait for a
second person.

Rows of audit that are there keep '' for what nobody wrote down: their digests do not cover it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = (("claimed", 64), ("proven", 64), ("outcome", 16))


def upgrade() -> None:
    """Make the table, and the columns of audit."""
    op.create_table(
        "limit_proposals",
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("person", sa.String(length=160), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="limit_proposals_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="limit_proposals_key"),
    )
    for name, length in COLUMNS:
        op.add_column(
            "audit",
            sa.Column(name, sa.String(length=length), nullable=False, server_default=sa.text("''")),
        )


def downgrade() -> None:
    """Drop them; what was proposed is to be proposed again."""
    for name, _ in reversed(COLUMNS):
        op.drop_column("audit", name)
    op.drop_table("limit_proposals")

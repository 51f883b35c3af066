"""What people closed, who proposed a write-off, and refused notifications as a list."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PROPOSAL = (
    ("proposed_at_ms", sa.BigInteger()),
    ("proposed_by", sa.String(length=160)),
    ("proposed_reason", sa.Text()),
)


def upgrade() -> None:
    """Make the table of closings, and give older tables what the list of work items reads."""
    op.create_table(
        "work_item_closings",
        sa.Column("item_id", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="work_item_closings_key"),
    )
    for name, kind in _PROPOSAL:
        op.add_column("refunds", sa.Column(name, kind, nullable=True))
    op.add_column(
        "reconciliation_differences",
        sa.Column("edition", sa.Integer(), nullable=False, server_default=sa.text("1")),
    )
    refused = sa.text("cause LIKE 'refused:%'")
    op.create_index(
        "inbox_refused",
        "inbox",
        ["received_at_ms", "id"],
        sqlite_where=refused,
        postgresql_where=refused,
    )


def downgrade() -> None:
    """Drop them, and who closed what."""
    op.drop_index("inbox_refused", "inbox")
    op.drop_column("reconciliation_differences", "edition")
    for name, _ in _PROPOSAL:
        op.drop_column("refunds", name)
    op.drop_table("work_item_closings")

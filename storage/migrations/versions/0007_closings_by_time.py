"""What people closed, in the order of time."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index that the list goes along."""
    op.create_index(
        "work_item_closings_by_closed_at_ms_item_id",
        "work_item_closings",
        ["closed_at_ms", "item_id"],
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("work_item_closings_by_closed_at_ms_item_id", "work_item_closings")

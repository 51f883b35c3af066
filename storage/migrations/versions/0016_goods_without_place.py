"""Whether a planogram that waits may remove goods which have no place in it."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Of what waits already nobody knows: goods that it would remove keep it
    waiting, and a person is told.
    """
    op.add_column(
        "planogram_waits",
        sa.Column(
            "goods_may_be_removed", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_column("planogram_waits", "goods_may_be_removed")

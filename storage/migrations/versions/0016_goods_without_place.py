"""Whether a planogram that waits may remove goods which have no place in it, and which it removes,
for an answer that is given again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Of what waits already nobody knows: goods that it would remove keep it
    waiting, and a person is told.
    """
    op.add_column(
        "planogram_waits",
        sa.Column(
            "goods_may_be_removed", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
    )
    op.add_column(
        "answers", sa.Column("gone", sa.Text(), nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_column("answers", "gone")
    op.drop_column("planogram_waits", "goods_may_be_removed")

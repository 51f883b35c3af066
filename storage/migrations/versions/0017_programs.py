"""Which programs work with a database, and which one each host runs: two versions may be alive."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

kind = "EXPAND"


ADDED = (("installation", "oldest_program"), ("holders", "program"))


def upgrade() -> None:
    """Add a column to each of the two tables; ``vendgate db upgrade`` fills the first one."""
    for table, name in ADDED:
        op.add_column(
            table, sa.Column(name, sa.String(32), nullable=False, server_default=sa.text("''"))
        )


def downgrade() -> None:
    """Drop them."""
    for table, name in reversed(ADDED):
        op.drop_column(table, name)

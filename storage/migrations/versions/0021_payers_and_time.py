"""For how long machines can sell."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

kind = "EXPAND"

COUNTED = ("since_ms", "move_id", "reader_seq", "revision")


def _time() -> None:
    """Of a table that nobody filled before."""
    for name in COUNTED:
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        op.add_column("machine_exposures", column)
    op.add_column("machine_exposures", sa.Column("retired_at_ms", sa.BigInteger()))
    op.add_column(
        "machine_exposures",
        sa.Column("planned", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
    )


def upgrade() -> None:
    """Add what the follower must know more, of which it has nothing yet."""
    _time()


def downgrade() -> None:
    """Drop it; what the follower has counted goes with it, because nobody could go on from it."""
    op.execute("DELETE FROM machine_exposures")
    with op.batch_alter_table("machine_exposures") as batch:
        for name in (*COUNTED, "retired_at_ms", "planned"):
            batch.drop_column(name)

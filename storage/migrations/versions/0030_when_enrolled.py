"""Since when a machine is enrolled: what a person made for it before is turned away."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Add the column. Of machines that were enrolled before nobody knows when, and nothing follows
    from that until they are enrolled again.
    """
    op.add_column("machine_certificates", sa.Column("enrolled_at_ms", sa.BigInteger()))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("machine_certificates", "enrolled_at_ms")

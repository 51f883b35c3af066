"""Which version of a tag's rule an experiment began with."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make the column. Of what began before, and of what a program of before goes on to start, it
    is not known: null.
    """
    op.add_column("experiment_offers", sa.Column("tag_version", sa.Integer()))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("experiment_offers", "tag_version")

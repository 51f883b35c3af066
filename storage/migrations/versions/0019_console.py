"""Who is signed in at the console, and links by which somebody may sign in once."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "console_logins",
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name="console_logins_key"),
        sa.CheckConstraint("expires_at_ms > issued_at_ms", name="ends_by_itself"),
    )
    op.create_index(
        "console_logins_by_kind_expires_at_ms", "console_logins", ["kind", "expires_at_ms"]
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("console_logins")

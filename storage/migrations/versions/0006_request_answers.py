"""Answers to administrators' requests that carry an id, and machines that were retired."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of answers, and the column that ends a machine's life."""
    op.create_table(
        "answers",
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("rpc", sa.String(length=64), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("machine_version", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("caller", "request_id", name="answers_key"),
    )
    op.create_index("answers_by_at_ms", "answers", ["at_ms"])
    op.create_index("answers_by_caller_at_ms", "answers", ["caller", "at_ms"])
    op.add_column("machines", sa.Column("retired_at_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them; a machine that was retired stays disabled."""
    op.drop_column("machines", "retired_at_ms")
    op.drop_table("answers")

"""Tokens with which machines are enrolled, the certificates that machines have, and machines of
which there are two.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "enrolment_tokens",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("token_id", sa.String(16), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("issued_by", sa.String(160), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(40)),
        sa.PrimaryKeyConstraint("machine_id", name="enrolment_tokens_key"),
        sa.UniqueConstraint("token_id", name="enrolment_tokens_one_token_id"),
    )
    op.create_table(
        "machine_certificates",
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("serial", name="machine_certificates_key"),
        sa.UniqueConstraint(
            "machine_id", "generation", name="machine_certificates_one_machine_id_generation"
        ),
    )
    op.create_table(
        "doubled_machines",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("found_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("machine_id", "found_at_ms", name="doubled_machines_key"),
    )
    op.create_index("doubled_machines_by_found_at_ms", "doubled_machines", ["found_at_ms"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("doubled_machines")
    op.drop_table("machine_certificates")
    op.drop_table("enrolment_tokens")

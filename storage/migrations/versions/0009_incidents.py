"""What machines told to be broken, until it was over."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at_ms IS NULL")


def upgrade() -> None:
    """Make the table. Faults that were told before stand in the journal only."""
    op.create_table(
        "incidents",
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger()),
        sa.Column("ending", sa.String(16), nullable=False),
        sa.Column("ended_by", sa.String(160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="incidents_key"),
    )
    at = ["opened_at_ms", "incident_id"]
    of_machine = ["machine_id", *at]
    op.create_index("incidents_by_opened_at_ms_incident_id", "incidents", at)
    op.create_index("incidents_by_machine_id_opened_at_ms_incident_id", "incidents", of_machine)
    for name, columns in (("incidents_open", at), ("incidents_open_of_machine", of_machine)):
        op.create_index(name, "incidents", columns, sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("incidents")

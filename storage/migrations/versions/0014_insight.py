"""What is known of sales, made of the books by whoever follows them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MACHINE = ("machine_id",)
SCOPE = ("scope", "name")
TABLES = (
    *("machine_exposures", "scope_exposures", "scope_funnels", "scope_hours", "scope_days"),
    *("machine_hours", "funnel_days", "sales_hours", "sales_days", "sale_facts", "followers"),
)


def _columns(names: tuple[str, ...], kind: sa.types.TypeEngine[Any]) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def _whose(names: tuple[str, ...]) -> list[sa.Column[Any]]:
    lengths = {"machine_id": 32, "scope": 16, "name": 64}
    return [sa.Column(name, sa.String(lengths[name]), nullable=False) for name in names]


def _days(name: str, whose: tuple[str, ...]) -> None:
    sums = ("units", "sales_minor", "discount_minor", "given_back_minor", "written_off_minor")
    op.create_table(
        name,
        *_whose(whose),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        *_columns(sums, sa.BigInteger()),
        sa.PrimaryKeyConstraint(*whose, "d", "product", "currency", name=f"{name}_key"),
    )


def _hours(name: str, whose: tuple[str, ...]) -> None:
    op.create_table(
        name,
        *_whose(whose),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("local_hour", sa.SmallInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        *_columns(("units", "sales_minor"), sa.BigInteger()),
        sa.PrimaryKeyConstraint(*whose, "d", "local_hour", "currency", name=f"{name}_key"),
    )


def _funnel(name: str, whose: tuple[str, ...]) -> None:
    op.create_table(
        name,
        *_whose(whose),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(32), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*whose, "d", "mode", "stage", name=f"{name}_key"),
    )


def _exposure(name: str, whose: tuple[str, ...]) -> None:
    seconds = ("known_s", "online_s", "in_service_s", "sellable_s", "column_s", "empty_column_s")
    op.create_table(
        name,
        *_whose(whose),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("local_hour", sa.SmallInteger(), nullable=False),
        *_columns(seconds, sa.BigInteger()),
        sa.PrimaryKeyConstraint(*whose, "d", "local_hour", name=f"{name}_key"),
    )


def _followers() -> None:
    op.create_table(
        "followers",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        *_columns(("epoch", "beat", "made_until"), sa.BigInteger()),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="followers_key"),
        sa.CheckConstraint("position >= 0", name="position_is_one"),
        sa.CheckConstraint("stage IN ('FOLLOWING', 'CLEARING')", name="stage_known"),
    )


def _facts() -> None:
    op.create_table(
        "sale_facts",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        *_columns(("position", "at_ms"), sa.BigInteger()),
        sa.Column("d", sa.Integer(), nullable=False),
        sa.Column("local_hour", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("vend_id", sa.String(64), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        *_columns(("sales_minor", "discount_minor"), sa.BigInteger()),
        sa.Column("payer_id", sa.String(32), nullable=False),
        *_columns(("site", "district"), sa.String(64)),
        sa.Column("site_type", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("machine_id", "version", "line", name="sale_facts_key"),
        sa.CheckConstraint("kind IN ('SALE', 'GOODWILL', 'WRITE_OFF')", name="kind_known"),
        sa.CheckConstraint("units >= 0", name="units_fell"),
    )
    op.create_index("sale_facts_by_position", "sale_facts", ["position"])


def _exposures() -> None:
    op.create_table(
        "machine_exposures",
        sa.Column("machine_id", sa.String(32), nullable=False),
        *_columns(("at_ms", "version"), sa.BigInteger()),
        *_columns(("online", "reader_enabled", "enabled"), sa.Boolean()),
        *_columns(("stream_id", "boot_id"), sa.String(64)),
        *_columns(("locked", "stocks"), sa.Text()),
        sa.PrimaryKeyConstraint("machine_id", name="machine_exposures_key"),
    )
    op.create_index("machine_exposures_by_at_ms", "machine_exposures", ["at_ms"])


def upgrade() -> None:
    """Make the tables, empty: the follower begins with the first line of the journal."""
    _followers()
    _facts()
    for make, of_machines, of_scopes in (
        (_days, "sales_days", "scope_days"),
        (_hours, "sales_hours", "scope_hours"),
        (_funnel, "funnel_days", "scope_funnels"),
        (_exposure, "machine_hours", "scope_exposures"),
    ):
        make(of_machines, MACHINE)
        make(of_scopes, SCOPE)
    _exposures()


def downgrade() -> None:
    """Drop them: all can be made again."""
    for table in TABLES:
        op.drop_table(table)

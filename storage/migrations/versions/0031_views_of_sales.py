"""Views of what is told of sales, for tools of others (docs/views.md)."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

kind = "EXPAND"

VIEWS = {
    "bi_sales_days": (
        "SELECT machine_id, d AS day, product, currency, units, sales_minor, given_back_minor, "
        "written_off_minor FROM sales_days"
    ),
    "bi_sales_hours": (
        "SELECT machine_id, d AS day, local_hour, currency, units, sales_minor FROM sales_hours"
    ),
    "bi_machine_hours": (
        "SELECT machine_id, d AS day, local_hour, known_s, online_s, in_service_s, sellable_s, "
        "column_s, empty_column_s FROM machine_hours"
    ),
}


def upgrade() -> None:
    """Make them."""
    for name, select in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {select}")


def downgrade() -> None:
    """Drop them."""
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")

"""Who is signed in at the console, and links by which somebody may sign in once; and the views that
tools of others read (docs/views.md), under names that stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None

kind = "EXPAND"

VIEWS = {
    "bi_contract": "SELECT 1 AS version",
    "bi_machines": (
        "SELECT machine_id, store_name, country_code, currency, mode, enabled, registered_at_ms, "
        "retired_at_ms FROM machines"
    ),
    "bi_sites": (
        "SELECT site, name, district, site_type, latitude_e6, longitude_e6, time_zone, "
        "archived_at_ms FROM sites"
    ),
    "bi_districts": "SELECT district, name, parent, archived_at_ms FROM districts",
    "bi_placements": (
        "SELECT machine_id, site, from_day, from_at_ms, until_at_ms FROM machine_sites"
    ),
    "bi_products": (
        "SELECT product, category, shelf_life_days, unit_cost_minor, "
        "CASE WHEN unit_cost_minor IS NULL THEN NULL ELSE unit_cost_currency END "
        "AS unit_cost_currency, archived_at_ms FROM products"
    ),
    "bi_stock": (
        'SELECT machine_id, "column" AS machine_column, product, price_minor, capacity, stock '
        "FROM planogram_columns"
    ),
    "bi_vends": (
        'SELECT vend_id, machine_id, session_id, "column" AS machine_column, product, price_minor, '
        "currency, status, reason, requested_at_ms, ended_at_ms FROM vends"
    ),
    "bi_refunds": (
        "SELECT refund_id, machine_id, amount_minor, currency, cause, status, attempts, due_at_ms, "
        "ended_at_ms FROM refunds"
    ),
    "bi_ledger_days": (
        "SELECT day, machine_id, account, currency, debit_minor, credit_minor FROM balances"
    ),
    "bi_incidents": (
        'SELECT incident_id, machine_id, code, "column" AS machine_column, times, opened_at_ms, '
        "ended_at_ms, ending FROM incidents"
    ),
    "bi_differences": (
        "SELECT day, kind, status, machine_id, currency, alipay_minor, ours_minor, found_at_ms, "
        "resolved_at_ms FROM reconciliation_differences"
    ),
}


def upgrade() -> None:
    """Make the table and the views."""
    op.create_table(
        "console_logins",
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("secret_sha256", name="console_logins_key"),
        sa.CheckConstraint("expires_at_ms > issued_at_ms", name="ends_by_itself"),
    )
    op.create_index(
        "console_logins_by_kind_expires_at_ms", "console_logins", ["kind", "expires_at_ms"]
    )
    for name, select in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {select}")


def downgrade() -> None:
    """Drop them."""
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.drop_table("console_logins")

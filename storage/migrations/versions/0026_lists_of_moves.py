"""Indexes for where the goods of a place went, moves of one kind, and imports in one state."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0023"
branch_labels = None
depends_on = None

kind = "EXPAND"

_OFFICE = "('WARE', 'VAN:', 'VISI', 'REMO')"
_MOVES = {
    "from": ("from_place", f"substr(from_place, 1, 4) IN {_OFFICE}"),
    "to": ("to_place", f"substr(to_place, 1, 4) IN {_OFFICE}"),
    "kind": ("kind", "kind NOT IN ('SOLD', 'VEND_WRITTEN_OFF', 'CASH_SOLD')"),
}


def upgrade() -> None:
    """Make them. Sales are in none of the first three, and so cost nothing more."""
    for name, (column, where) in _MOVES.items():
        some = sa.text(where)
        op.create_index(
            f"goods_moves_by_{name}",
            "goods_moves",
            [column, "id"],
            sqlite_where=some,
            postgresql_where=some,
        )
    op.create_index(
        "machine_imports_by_state",
        "machine_imports",
        ["kind", "state", "created_at_ms", "import_id"],
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("machine_imports_by_state", "machine_imports")
    for name in _MOVES:
        op.drop_index(f"goods_moves_by_{name}", "goods_moves")

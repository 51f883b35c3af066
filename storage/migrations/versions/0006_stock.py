"""What works a route: goods that are on their way for too long."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes."""
    for name, table, columns, where in (
        (
            "goods_moves_by_loading",
            "goods_moves",
            ["to_place", "id"],
            "substr(to_place, 1, 8) = 'LOADING:'",
        ),
        (
            "goods_balances_on_their_way",
            "goods_balances",
            ["place"],
            "quantity > 0 AND substr(place, 1, 8) = 'LOADING:'",
        ),
    ):
        some = sa.text(where)
        op.create_index(name, table, columns, sqlite_where=some, postgresql_where=some)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("goods_balances_on_their_way", "goods_balances")
    op.drop_index("goods_moves_by_loading", "goods_moves")

"""Working a route: goods that are on their way for too long, visits, and pars."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


NOTHING_THERE = "goods_moves takes from where nothing is"
LOT = "CASE WHEN substr(NEW.{0}, 1, 7) = 'COLUMN:' THEN '' ELSE NEW.lot END"
WHOSE = (
    "CASE WHEN substr(NEW.to_place, 1, 7) IN ('COLUMN:', 'REMOVED') THEN NEW.machine_id ELSE '' END"
)
LEAVES = (
    "UPDATE goods_balances SET quantity = quantity - NEW.quantity "  # noqa: S608 - our own words
    f"WHERE place = NEW.from_place AND product = NEW.product AND lot = {LOT.format('from_place')}"
)
ARRIVES = (
    "INSERT INTO goods_balances (place, product, lot, machine_id, quantity) "  # noqa: S608 - our own words
    f"VALUES (NEW.to_place, NEW.product, {LOT.format('to_place')}, {WHOSE}, NEW.quantity) "
    "ON CONFLICT (place, product, lot) DO UPDATE SET "
    "quantity = goods_balances.quantity + excluded.quantity"
)
GOES = (
    "DELETE FROM goods_balances WHERE substr(NEW.from_place, 1, 8) = 'LOADING:' "
    "AND place = NEW.from_place AND product = NEW.product AND lot = NEW.lot AND quantity = 0"
)
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the indexes of those that were there."""
    _loadings()
    _leave(f"{GOES}; ")
    op.execute("DELETE FROM goods_balances WHERE quantity = 0 AND substr(place, 1, 8) = 'LOADING:'")
    _visits()
    _pars()


def downgrade() -> None:
    """Drop them."""
    _leave("")
    op.drop_table("column_pars")
    op.drop_table("visits")
    op.drop_index("goods_balances_on_their_way", "goods_balances")
    op.drop_index("goods_moves_by_loading", "goods_moves")
    op.drop_index("goods_moves_by_loads", "goods_moves")
    some = sa.text("kind = 'LOADED'")
    op.create_index(
        "goods_moves_by_to_place",
        "goods_moves",
        ["to_place", "id"],
        sqlite_where=some,
        postgresql_where=some,
    )


def _loadings() -> None:
    op.drop_index("goods_moves_by_to_place", "goods_moves")
    for name, table, columns, where in (
        ("goods_moves_by_loads", "goods_moves", ["kind", "to_place", "id"], "kind = 'LOADED'"),
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
            "substr(place, 1, 8) = 'LOADING:'",
        ),
    ):
        some = sa.text(where)
        op.create_index(name, table, columns, sqlite_where=some, postgresql_where=some)


def _leave(then: str) -> None:
    """Make what takes a move's goods from where they were, and does this ``then``."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER IF EXISTS goods_moves_leave")
        op.execute(
            "CREATE TRIGGER goods_moves_leave AFTER INSERT ON goods_moves "
            f"WHEN instr(NEW.from_place, ':') > 0 BEGIN {LEAVES}; "
            f"SELECT RAISE(ABORT, '{NOTHING_THERE}') WHERE changes() = 0; {then}END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION goods_are_counted() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF strpos(NEW.from_place, ':') > 0 THEN {LEAVES}; "
        f"IF NOT FOUND THEN RAISE EXCEPTION '{NOTHING_THERE}' "
        f"USING ERRCODE = 'check_violation'; END IF; {then}END IF; "
        f"IF strpos(NEW.to_place, ':') > 0 THEN {ARRIVES}; END IF; RETURN NULL; END $$"
    )


def _visits() -> None:
    op.create_table(
        "visits",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("visit", sa.String(32), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("van", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.String(160), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.String(160), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("revision > 0", name=op.f("visits_revision_grows")),
        sa.PrimaryKeyConstraint("id", name="visits_key"),
        sa.UniqueConstraint("visit", name="visits_one_visit"),
    )
    op.create_index("visits_by_machine_id_id", "visits", ["machine_id", "id"])
    op.create_index("visits_by_van_id", "visits", ["van", "id"])
    some = sa.text("closed_at_ms IS NULL")
    for name, columns, unique in (
        ("visits_open", ["id"], False),
        ("visits_one_open_at_machine", ["machine_id"], True),
    ):
        op.create_index(
            name, "visits", columns, unique=unique, sqlite_where=some, postgresql_where=some
        )


def _pars() -> None:
    op.create_table(
        "column_pars",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("par", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("par >= 0", name=op.f("column_pars_par_is_a_number")),
        sa.CheckConstraint("revision > 0", name=op.f("column_pars_revision_grows")),
        sa.PrimaryKeyConstraint("machine_id", "column", name="column_pars_key"),
    )

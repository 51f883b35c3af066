"""Goods: their moves, what those add up to, and lots."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SENTENCE = "is append-only: its rows are never changed or deleted"
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


def upgrade() -> None:
    """Make the tables, and open the books with what is in the columns and what was sold."""
    _moves()
    _balances()
    _triggers()
    _open()


def downgrade() -> None:
    """Drop the tables, and all that is in them."""
    for table in ("goods_lots", "goods_balances", "goods_moves"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION goods_are_counted()")


def _moves() -> None:
    op.create_table(
        "goods_moves",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(200), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("from_place", sa.String(64), nullable=False),
        sa.Column("to_place", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("lot", sa.String(64), nullable=False),
        sa.Column("visit", sa.String(64), nullable=False),
        sa.Column("reverses", sa.BigInteger(), nullable=True),
        sa.Column("happened_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("goods_moves_moves_goods")),
        sa.CheckConstraint("from_place <> to_place", name=op.f("goods_moves_leaves_its_place")),
        sa.PrimaryKeyConstraint("id", name="goods_moves_key"),
        sa.UniqueConstraint("kind", "cause", name="goods_moves_one_kind_cause"),
    )
    op.create_index("goods_moves_by_machine_id_id", "goods_moves", ["machine_id", "id"])
    for name, columns, where, unique in (
        ("goods_moves_by_visit", ["visit", "id"], "visit <> ''", False),
        ("goods_moves_one_reverses", ["reverses"], "reverses IS NOT NULL", True),
        ("goods_moves_by_lot", ["lot", "product", "id"], "lot <> ''", False),
        ("goods_moves_by_to_place", ["to_place", "id"], "kind = 'LOADED'", False),
    ):
        some = sa.text(where)
        op.create_index(
            name, "goods_moves", columns, unique=unique, sqlite_where=some, postgresql_where=some
        )


def _balances() -> None:
    op.create_table(
        "goods_balances",
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("lot", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("goods_balances_holds_something_or_nothing")),
        sa.PrimaryKeyConstraint("place", "product", "lot", name="goods_balances_key"),
    )
    op.create_index(
        "goods_balances_by_machine", "goods_balances", ["machine_id", "place", "product", "lot"]
    )
    op.create_index("goods_balances_by_product", "goods_balances", ["product", "lot", "place"])
    op.create_table(
        "goods_lots",
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("lot", sa.String(64), nullable=False),
        sa.Column("expires_on", sa.String(10), nullable=False),
        sa.Column("unit_cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("product", "lot", name="goods_lots_key"),
    )
    op.create_index(
        "goods_lots_by_expires_on_product_lot", "goods_lots", ["expires_on", "product", "lot"]
    )


def _triggers() -> None:
    """Make what ``storage.tables.goods`` and ``storage.append_only`` make with the tables."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER goods_moves_refuses_{what.lower()} BEFORE {what} ON goods_moves"
                f" BEGIN SELECT RAISE(ABORT, 'goods_moves {SENTENCE}'); END"
            )
        op.execute(
            "CREATE TRIGGER goods_moves_leave AFTER INSERT ON goods_moves "
            f"WHEN instr(NEW.from_place, ':') > 0 BEGIN {LEAVES}; "
            f"SELECT RAISE(ABORT, '{NOTHING_THERE}') WHERE changes() = 0; END"
        )
        op.execute(
            "CREATE TRIGGER goods_moves_arrive AFTER INSERT ON goods_moves "
            f"WHEN instr(NEW.to_place, ':') > 0 BEGIN {ARRIVES}; END"
        )
        return
    op.execute(
        "CREATE TRIGGER goods_moves_refuses_changes BEFORE UPDATE OR DELETE ON goods_moves FOR "
        "EACH ROW EXECUTE FUNCTION refuse_a_change()"
    )
    op.execute(
        "CREATE TRIGGER goods_moves_refuses_truncate BEFORE TRUNCATE ON goods_moves FOR EACH "
        "STATEMENT EXECUTE FUNCTION refuse_a_change()"
    )
    op.execute(
        "CREATE OR REPLACE FUNCTION goods_are_counted() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF strpos(NEW.from_place, ':') > 0 THEN {LEAVES}; "
        f"IF NOT FOUND THEN RAISE EXCEPTION '{NOTHING_THERE}' "
        "USING ERRCODE = 'check_violation'; END IF; END IF; "
        f"IF strpos(NEW.to_place, ':') > 0 THEN {ARRIVES}; END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER goods_moves_are_counted AFTER INSERT ON goods_moves FOR EACH ROW "
        "EXECUTE FUNCTION goods_are_counted()"
    )


def _open() -> None:
    """Enter what is in the columns as found, and what was sold before as found and sold: these have
    no version, because no decision says so.
    """
    connection = op.get_bind()
    moves = sa.table(
        "goods_moves",
        *(
            sa.column(name)
            for name in (
                *("at_ms", "kind", "cause", "product", "quantity", "from_place", "to_place"),
                *("machine_id", "lot", "visit", "actor", "reason"),
            )
        ),
    )
    sold = sa.text(
        "INSERT INTO goods_moves (at_ms, kind, cause, product, quantity, from_place, to_place,"
        " machine_id, lot, visit, actor, reason) SELECT ended_at_ms,"
        " CASE WHEN reason = 'WRITTEN_OFF' THEN 'VEND_WRITTEN_OFF' ELSE 'SOLD' END,"
        " vend_id, product, 1, 'FOUND', 'SOLD',"
        " machine_id, '', '', '', 'before goods were counted' FROM vends WHERE status = 'SUCCEEDED'"
    )
    connection.execute(sold)
    after = ""
    page = sa.text(
        "SELECT machine_id, version, updated_at_ms, body FROM machine_states"
        " WHERE machine_id > :after ORDER BY machine_id LIMIT 500"
    )
    while rows := connection.execute(page, {"after": after}).all():
        after = rows[-1].machine_id
        opened = [
            {
                "at_ms": row.updated_at_ms,
                "kind": "OPENED",
                "cause": f"{row.machine_id}@{row.version}/opened-{column}",
                "product": product,
                "quantity": stock,
                "from_place": "FOUND",
                "to_place": f"COLUMN:{row.machine_id}/{column}",
                "machine_id": row.machine_id,
                "lot": "",
                "visit": "",
                "actor": "",
                "reason": "before goods were counted",
            }
            for row in rows
            for column, product, _, _, stock in json.loads(row.body)["columns"]
            if stock
        ]
        if opened:
            connection.execute(moves.insert(), opened)

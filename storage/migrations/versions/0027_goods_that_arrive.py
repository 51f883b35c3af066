"""What machines bring to the office's places is a row of its own; and applications of planograms go
side by side.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

kind = "EXPAND"

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NOTHING_THERE = "goods_moves takes from where nothing is"
LOT = "CASE WHEN substr(NEW.{0}, 1, 7) = 'COLUMN:' THEN '' ELSE NEW.lot END"
WHOSE = (
    "CASE WHEN substr(NEW.to_place, 1, 7) IN ('COLUMN:', 'REMOVED') THEN NEW.machine_id ELSE '' END"
)
LEAVES = (
    "UPDATE goods_balances SET quantity = quantity - NEW.quantity "  # noqa: S608 - our own words
    f"WHERE place = NEW.from_place AND product = NEW.product AND lot = {LOT.format('from_place')}"
)
ADDS = "INSERT INTO goods_balances (place, product, lot, machine_id, quantity) "
TO_WHAT_IS_THERE = (
    "ON CONFLICT (place, product, lot) DO UPDATE SET "
    "quantity = goods_balances.quantity + excluded.quantity"
)
ARRIVES = (
    f"{ADDS}VALUES (NEW.to_place, NEW.product, {LOT.format('to_place')}, {WHOSE}, NEW.quantity) "
    f"{TO_WHAT_IS_THERE}"
)
GOES = (
    "DELETE FROM goods_balances WHERE substr(NEW.from_place, 1, 8) = 'LOADING:' "
    "AND place = NEW.from_place AND product = NEW.product AND lot = NEW.lot AND quantity = 0"
)
# Written for SQLite, which would make a table of a longer list whenever something is sold.
OF_MACHINE = "(substr(NEW.{0}, 1, 7) = 'COLUMN:' OR substr(NEW.{0}, 1, 8) = 'LOADING:')"
OFFICE = f"(replace(NEW.{{0}}, ':', '') <> NEW.{{0}} AND NOT {OF_MACHINE})"
FROM_OFFICE, TO_OFFICE = OFFICE.format("from_place"), OFFICE.format("to_place")
COMES = (
    "INSERT INTO goods_arrivals (place, product, lot, machine_id, quantity) "  # noqa: S608 - our own words
    f"VALUES (NEW.to_place, NEW.product, NEW.lot, {WHOSE}, NEW.quantity)"
)
ARRIVED = "place = NEW.from_place AND product = NEW.product AND lot = NEW.lot"
TAKES_IN_ON_SQLITE = (
    f"{ADDS}SELECT place, product, lot, max(machine_id), sum(quantity) FROM goods_arrivals "  # noqa: S608 - our own words
    f"WHERE {FROM_OFFICE} AND {ARRIVED} GROUP BY place, product, lot {TO_WHAT_IS_THERE}; "
    f"DELETE FROM goods_arrivals WHERE {FROM_OFFICE} AND {ARRIVED}"
)
TAKES_IN_ON_POSTGRESQL = (
    f"WITH came AS (DELETE FROM goods_arrivals WHERE {ARRIVED} RETURNING machine_id, quantity) "  # noqa: S608 - our own words
    f"{ADDS}SELECT NEW.from_place, NEW.product, NEW.lot, max(machine_id), sum(quantity) "
    f"FROM came HAVING count(*) > 0 {TO_WHAT_IS_THERE}"
)
BY_MACHINE_TO_OFFICE = f"NEW.version IS NOT NULL AND {TO_OFFICE}"
ARRIVES_ON_SQLITE = (
    "INSERT INTO goods_arrivals (place, product, lot, machine_id, quantity) "
    f"SELECT NEW.to_place, NEW.product, NEW.lot, {WHOSE}, NEW.quantity "
    f"WHERE {BY_MACHINE_TO_OFFICE}; "
    f"{ADDS}SELECT NEW.to_place, NEW.product, {LOT.format('to_place')}, {WHOSE}, NEW.quantity "
    f"WHERE instr(NEW.to_place, ':') > 0 AND NOT ({BY_MACHINE_TO_OFFICE}) {TO_WHAT_IS_THERE}"
)
REFUSED = f"SELECT RAISE(ABORT, '{NOTHING_THERE}') WHERE changes() = 0"
ON_SQLITE = {
    # A sale, which a machine decides and which goes to no place, fires this one alone.
    "leave": (
        OF_MACHINE.format("from_place"),
        f"{LEAVES}; {REFUSED}; {GOES}",
    ),
    "arrive": (
        "instr(NEW.to_place, ':') > 0 OR NEW.version IS NULL",
        (
            f"{TAKES_IN_ON_SQLITE}; {LEAVES} AND {FROM_OFFICE}; {REFUSED} AND {FROM_OFFICE}; "
            f"{ARRIVES_ON_SQLITE}"
        ),
    ),
}
BEFORE_ON_SQLITE = {
    "leave": ("instr(NEW.from_place, ':') > 0", f"{LEAVES}; {REFUSED}; {GOES}"),
    "arrive": ("instr(NEW.to_place, ':') > 0", ARRIVES),
}


def upgrade() -> None:
    """Make the table, and have moves write it; give applications their order."""
    _arrivals()
    if op.get_bind().dialect.name == "sqlite":
        _on_sqlite(ON_SQLITE)
    else:
        _on_postgresql(
            f"IF {FROM_OFFICE} THEN {TAKES_IN_ON_POSTGRESQL}; END IF; ",
            f"IF {BY_MACHINE_TO_OFFICE} THEN {COMES}; ELSE {ARRIVES}; END IF",
        )
    _applications()


def downgrade() -> None:
    """Add what arrived to the balances, and count as before."""
    op.drop_index("machine_import_lines_waiting", "machine_import_lines")
    op.drop_column("machine_imports", "number")
    op.execute(
        f"{ADDS}SELECT place, product, lot, max(machine_id), sum(quantity) FROM goods_arrivals "  # noqa: S608 - our own words
        f"WHERE quantity > 0 GROUP BY place, product, lot {TO_WHAT_IS_THERE}"
    )
    if op.get_bind().dialect.name == "sqlite":
        _on_sqlite(BEFORE_ON_SQLITE)
    else:
        _on_postgresql("", ARRIVES)
    op.drop_table("goods_arrivals")


def _arrivals() -> None:
    op.create_table(
        "goods_arrivals",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("lot", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("goods_arrivals_brings_something")),
        sa.PrimaryKeyConstraint("id", name="goods_arrivals_key"),
    )
    for name, columns in (
        ("place", ["place", "product", "lot"]),
        ("machine", ["machine_id", "place", "product", "lot"]),
        ("product", ["product", "lot", "place"]),
    ):
        op.create_index(f"goods_arrivals_by_{name}", "goods_arrivals", columns)


def _on_sqlite(triggers: dict[str, tuple[str, str]]) -> None:
    for name, (when, does) in triggers.items():
        op.execute(f"DROP TRIGGER IF EXISTS goods_moves_{name}")
        op.execute(
            f"CREATE TRIGGER goods_moves_{name} AFTER INSERT ON goods_moves "
            f"WHEN {when} BEGIN {does}; END"
        )


def _on_postgresql(taken_in: str, arrives: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION goods_are_counted() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF strpos(NEW.from_place, ':') > 0 THEN {taken_in}{LEAVES}; "
        f"IF NOT FOUND THEN RAISE EXCEPTION '{NOTHING_THERE}' "
        f"USING ERRCODE = 'check_violation'; END IF; {GOES}; END IF; "
        f"IF strpos(NEW.to_place, ':') > 0 THEN {arrives}; END IF; RETURN NULL; END $$"
    )


def _applications() -> None:
    op.add_column(
        "machine_imports",
        sa.Column("number", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    waiting = sa.text("state = 'WAITING'")
    op.create_index(
        "machine_import_lines_waiting",
        "machine_import_lines",
        ["machine_id", "import_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )

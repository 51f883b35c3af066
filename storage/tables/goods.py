"""Goods: each move of them, which is only added to, what the moves add up to at each place, and on
whose visit they were made.

The balances are written by the moves themselves (triggers), whoever enters them: in the transaction
of a machine's decision, or of the office's. So they cannot part; and where less is than is taken,
or nothing at all, the move is refused with its whole transaction, so that of two people who move
the same last box one wins. Places whose goods nobody can take (``actors.machine.goods.NOWHERE``)
have no colon in their names and no balance.

A column is first in, first out, and nobody tells lots apart in it: all that is in it stands under
the lot ''.

Each row of the balances has one owner. Those of columns and of what is on its way into one are the
machine's commits'; those of the office's places are the office's, which holds them while it waits
for the audit chain. So what a machine's decision brings to one of the office's places is a row of
its own, an arrival: the office's next move out of that place adds it to the balance.
"""

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from storage.append_only import refuse_changes
from storage.tables.base import Position, metadata

goods_moves = Table(
    "goods_moves",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("cause", String(200), nullable=False),
    Column("product", String(64), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("from_place", String(64), nullable=False),
    Column("to_place", String(64), nullable=False),
    # The machine whose decision it is, and which. Of the office's own: for whose column it is, or
    # '', and NULL.
    Column("machine_id", String(32), nullable=False),
    Column("version", BigInteger),
    Column("lot", String(64), nullable=False),
    Column("visit", String(64), nullable=False),
    Column("reverses", BigInteger),
    Column("happened_at_ms", BigInteger),
    Column("actor", String(160), nullable=False),
    Column("reason", Text, nullable=False),
    # No act is entered twice, whatever happens.
    UniqueConstraint("kind", "cause"),
    CheckConstraint("quantity > 0", name="moves_goods"),
    CheckConstraint("from_place <> to_place", name="leaves_its_place"),
    Index(None, "machine_id", "id"),
)

# A sale has none of these: its index is none of the vend's cost.
_OF_PEOPLE = {
    "visit": "visit <> ''",
    "reverses": "reverses IS NOT NULL",
    "lot": "lot <> ''",
    "loads": "kind = 'LOADED'",
}
for _name, _columns, _unique in (
    ("visit", ("visit", "id"), False),
    ("reverses", ("reverses",), True),
    ("lot", ("lot", "product", "id"), False),
    # The kind is in it, so that no database would rather go along all that are of the kind.
    ("loads", ("kind", "to_place", "id"), False),
):
    _where = text(_OF_PEOPLE[_name])
    Index(
        f"goods_moves_{'one' if _unique else 'by'}_{_name}",
        *(goods_moves.c[column] for column in _columns),
        unique=_unique,
        sqlite_where=_where,
        postgresql_where=_where,
    )

# Where the goods of a place went, and what became of some kind of move. A sale is in none of them
# either, which is most of all moves: it comes from a column, or from nowhere.
IS_NO_SALE = "kind NOT IN ('SOLD', 'VEND_WRITTEN_OFF', 'CASH_SOLD')"
COMES_FROM_OFFICE = "substr(from_place, 1, 4) IN ('WARE', 'VAN:', 'VISI', 'REMO')"
GOES_TO_OFFICE = "substr(to_place, 1, 4) IN ('WARE', 'VAN:', 'VISI', 'REMO')"
for _name, _first, _where in (
    ("from", goods_moves.c.from_place, text(COMES_FROM_OFFICE)),
    ("to", goods_moves.c.to_place, text(GOES_TO_OFFICE)),
    ("kind", goods_moves.c.kind, text(IS_NO_SALE)),
):
    Index(
        f"goods_moves_by_{_name}",
        _first,
        goods_moves.c.id,
        sqlite_where=_where,
        postgresql_where=_where,
    )

_IS_LOADING = "substr(to_place, 1, 8) = 'LOADING:'"
Index(
    "goods_moves_by_loading",
    goods_moves.c.to_place,
    goods_moves.c.id,
    sqlite_where=text(_IS_LOADING),
    postgresql_where=text(_IS_LOADING),
)

goods_balances = Table(
    "goods_balances",
    metadata,
    Column("place", String(64), primary_key=True),
    Column("product", String(64), primary_key=True),
    Column("lot", String(64), primary_key=True),
    # Of a column, or of what was removed from a machine; '' of the office's places.
    Column("machine_id", String(32), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    CheckConstraint("quantity >= 0", name="holds_something_or_nothing"),
    Index("goods_balances_by_machine", "machine_id", "place", "product", "lot"),
    Index("goods_balances_by_product", "product", "lot", "place"),
)

# Without the quantity, which would make PostgreSQL write each index anew with each sale.
_IS_ON_ITS_WAY = "substr(place, 1, 8) = 'LOADING:'"
Index(
    "goods_balances_on_their_way",
    goods_balances.c.place,
    sqlite_where=text(_IS_ON_ITS_WAY),
    postgresql_where=text(_IS_ON_ITS_WAY),
)

# What machines' decisions brought to the office's places and no move of the office's has taken in:
# each row is written once and taken once, so that no commit of a machine waits for the office.
goods_arrivals = Table(
    "goods_arrivals",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("place", String(64), nullable=False),
    Column("product", String(64), nullable=False),
    Column("lot", String(64), nullable=False),
    # Of what was removed from a machine; '' of the others.
    Column("machine_id", String(32), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    CheckConstraint("quantity > 0", name="brings_something"),
    Index("goods_arrivals_by_place", "place", "product", "lot"),
    Index("goods_arrivals_by_machine", "machine_id", "place", "product", "lot"),
    Index("goods_arrivals_by_product", "product", "lot", "place"),
)

goods_lots = Table(
    "goods_lots",
    metadata,
    Column("product", String(64), primary_key=True),
    Column("lot", String(64), primary_key=True),
    # The last day on which it may be sold, as YYYY-MM-DD; '' if it keeps for ever.
    Column("expires_on", String(10), nullable=False),
    Column("unit_cost_minor", BigInteger),
    Column("currency", String(3), nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Index(None, "expires_on", "product", "lot"),
)

# One person's work at one machine. What they have with them is at the place VISIT:<visit>; what
# they did are the moves that bear its name.
visits = Table(
    "visits",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("visit", String(32), nullable=False, unique=True),
    Column("machine_id", String(32), nullable=False),
    Column("van", String(64), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("opened_by", String(160), nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("closed_by", String(160), nullable=False),
    Column("closed_at_ms", BigInteger),
    Column("reason", Text, nullable=False),
    CheckConstraint("revision > 0", name="revision_grows"),
    Index(None, "machine_id", "id"),
    Index(None, "van", "id"),
)
_OPEN = text("closed_at_ms IS NULL")
Index("visits_open", visits.c.id, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index(
    "visits_one_open_at_machine",
    visits.c.machine_id,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

# How many of a product shall be in a column after a refill. A par of 0 was taken away; one of
# another product than the planogram's says nothing.
column_pars = Table(
    "column_pars",
    metadata,
    Column("machine_id", String(32), primary_key=True),
    Column("column", String(16), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("par", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    CheckConstraint("par >= 0", name="par_is_a_number"),
    CheckConstraint("revision > 0", name="revision_grows"),
)

refuse_changes(goods_moves)

NOTHING_THERE = "goods_moves takes from where nothing is"
_LOT = "CASE WHEN substr(NEW.{0}, 1, 7) = 'COLUMN:' THEN '' ELSE NEW.lot END"
_WHOSE = (
    "CASE WHEN substr(NEW.to_place, 1, 7) IN ('COLUMN:', 'REMOVED') THEN NEW.machine_id ELSE '' END"
)
_LEAVES = (
    "UPDATE goods_balances SET quantity = quantity - NEW.quantity "  # noqa: S608 - our own words
    f"WHERE place = NEW.from_place AND product = NEW.product AND lot = {_LOT.format('from_place')}"
)
_GOES = (
    "DELETE FROM goods_balances WHERE substr(NEW.from_place, 1, 8) = 'LOADING:' "
    "AND place = NEW.from_place AND product = NEW.product AND lot = NEW.lot AND quantity = 0"
)
"""The place of an act on a column is no place any more once it is empty."""
# Written for SQLite, which would make a table of a longer list whenever something is sold.
_OF_MACHINE = "(substr(NEW.{0}, 1, 7) = 'COLUMN:' OR substr(NEW.{0}, 1, 8) = 'LOADING:')"
_IS_OFFICE = f"(replace(NEW.{{0}}, ':', '') <> NEW.{{0}} AND NOT {_OF_MACHINE})"
_FROM_OFFICE, _TO_OFFICE = _IS_OFFICE.format("from_place"), _IS_OFFICE.format("to_place")
_COMES = (
    "INSERT INTO goods_arrivals (place, product, lot, machine_id, quantity) "  # noqa: S608 - our own words
    f"VALUES (NEW.to_place, NEW.product, NEW.lot, {_WHOSE}, NEW.quantity)"
)
_ARRIVED = "place = NEW.from_place AND product = NEW.product AND lot = NEW.lot"
_ADDS = "INSERT INTO goods_balances (place, product, lot, machine_id, quantity) "
_TO_WHAT_IS_THERE = (
    "ON CONFLICT (place, product, lot) DO UPDATE SET "
    "quantity = goods_balances.quantity + excluded.quantity"
)
_ARRIVES = (
    f"{_ADDS}VALUES (NEW.to_place, NEW.product, {_LOT.format('to_place')}, {_WHOSE}, NEW.quantity) "
    f"{_TO_WHAT_IS_THERE}"
)
_TAKES_IN_ON_SQLITE = (
    f"{_ADDS}SELECT place, product, lot, max(machine_id), sum(quantity) FROM goods_arrivals "  # noqa: S608 - our own words
    f"WHERE {_FROM_OFFICE} AND {_ARRIVED} GROUP BY place, product, lot {_TO_WHAT_IS_THERE}; "
    f"DELETE FROM goods_arrivals WHERE {_FROM_OFFICE} AND {_ARRIVED}"
)
_BY_MACHINE_TO_OFFICE = f"NEW.version IS NOT NULL AND {_TO_OFFICE}"
_ARRIVES_ON_SQLITE = (
    "INSERT INTO goods_arrivals (place, product, lot, machine_id, quantity) "
    f"SELECT NEW.to_place, NEW.product, NEW.lot, {_WHOSE}, NEW.quantity "
    f"WHERE {_BY_MACHINE_TO_OFFICE}; "
    f"{_ADDS}SELECT NEW.to_place, NEW.product, {_LOT.format('to_place')}, {_WHOSE}, NEW.quantity "
    f"WHERE instr(NEW.to_place, ':') > 0 AND NOT ({_BY_MACHINE_TO_OFFICE}) {_TO_WHAT_IS_THERE}"
)
_TAKES_IN_ON_POSTGRESQL = (
    f"WITH came AS (DELETE FROM goods_arrivals WHERE {_ARRIVED} RETURNING machine_id, quantity) "  # noqa: S608 - our own words
    f"{_ADDS}SELECT NEW.from_place, NEW.product, NEW.lot, max(machine_id), sum(quantity) "
    f"FROM came HAVING count(*) > 0 {_TO_WHAT_IS_THERE}"
)
FUNCTION = "goods_are_counted"
"""What PostgreSQL's trigger calls."""


def _on_sqlite() -> list[str]:
    refused = f"SELECT RAISE(ABORT, '{NOTHING_THERE}') WHERE changes() = 0"
    return [
        # A sale, which a machine decides and which goes to no place, fires this one alone.
        (
            "CREATE TRIGGER goods_moves_leave AFTER INSERT ON goods_moves "
            f"WHEN {_OF_MACHINE.format('from_place')} BEGIN {_LEAVES}; "
            f"{refused}; {_GOES}; END"
        ),
        (
            "CREATE TRIGGER goods_moves_arrive AFTER INSERT ON goods_moves "
            "WHEN instr(NEW.to_place, ':') > 0 OR NEW.version IS NULL "
            f"BEGIN {_TAKES_IN_ON_SQLITE}; {_LEAVES} AND {_FROM_OFFICE}; "
            f"{refused} AND {_FROM_OFFICE}; {_ARRIVES_ON_SQLITE}; END"
        ),
    ]


def _on_postgresql() -> list[str]:
    return [
        (
            f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF strpos(NEW.from_place, ':') > 0 THEN "
            f"IF {_FROM_OFFICE} THEN {_TAKES_IN_ON_POSTGRESQL}; END IF; {_LEAVES}; "
            f"IF NOT FOUND THEN RAISE EXCEPTION '{NOTHING_THERE}' "
            f"USING ERRCODE = 'check_violation'; END IF; {_GOES}; END IF; "
            f"IF strpos(NEW.to_place, ':') > 0 THEN "
            f"IF {_BY_MACHINE_TO_OFFICE} THEN {_COMES}; "
            f"ELSE {_ARRIVES}; END IF; END IF; RETURN NULL; END $$"
        ),
        (
            "CREATE TRIGGER goods_moves_are_counted AFTER INSERT ON goods_moves FOR EACH ROW "
            f"EXECUTE FUNCTION {FUNCTION}()"
        ),
    ]


for _dialect, _statements in (("sqlite", _on_sqlite()), ("postgresql", _on_postgresql())):
    for _statement in _statements:
        event.listen(
            goods_moves,
            "after_create",
            DDL(_statement.replace("%", "%%")).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
        )

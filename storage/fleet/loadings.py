"""Goods that wait between a van and a column, because whoever put them there was cut off, as one
work item for each act.

The act has a place of its own (``actors.machine.goods``), and what is there is its item until it is
elsewhere. The office's half of an act says in its cause whose request it is
(``storage.office.goods``).
"""

from sqlalchemy import ColumnElement, String, case, cast, func, literal, literal_column, select

from storage.tables import goods_balances, goods_moves

UNFINISHED_AFTER_MS = 300_000
"""No request lasts as long: what waits for longer, nobody is about to move."""

_newer = goods_moves.alias("newer")
_NONE: ColumnElement[int] = literal_column("0")
_FROM: ColumnElement[int] = literal_column("1")
_LENGTH: ColumnElement[int] = literal_column("8")
_LOADING: ColumnElement[str] = literal_column("'LOADING:'")
"""Word for word those of the indexes."""


def is_loading(place: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition of the indexes: it is the place of an act on a column."""
    return func.substr(place, _FROM, _LENGTH) == _LOADING


_lot = case((goods_balances.c.lot == "", ""), else_=literal(" of lot ") + goods_balances.c.lot)
IS_UNFINISHED = (
    goods_balances.c.quantity > _NONE,
    is_loading(goods_balances.c.place),
    goods_moves.c.to_place == goods_balances.c.place,
    # A load that was taken back came here twice.
    goods_moves.c.id
    == select(func.max(_newer.c.id))
    .where(is_loading(_newer.c.to_place), _newer.c.to_place == goods_balances.c.place)
    .scalar_subquery(),
)
SAID = (
    cast(goods_balances.c.quantity, String)
    + literal(" ")
    + goods_balances.c.product
    + _lot
    + literal(" from ")
    + goods_moves.c.from_place
    + literal(", by ")
    + goods_moves.c.actor
)
"""What waits, where it came from and who began; ``in_words`` says how it goes on."""


def in_words(cause: str) -> str:
    """Return which request was cut off: it ends the item if it comes again."""
    if cause.startswith("reverse:"):
        move_id = cause.split(":")[1].partition("/")[0]
        return f"repeat ReverseMove of goods move {move_id}"
    _, _, asked = cause.removesuffix("/0").partition(":")
    column, _, request_id = asked.rpartition(":")
    return f"repeat LoadColumn into column {column} with request_id {request_id}"

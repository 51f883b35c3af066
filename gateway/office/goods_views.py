"""Goods as administrators read them: rows and views in, messages of ``gateway.office.v1`` out."""

import json

from gateway.fleet.pages import wrong_token
from gateway.fleet.views import timestamp
from gateway.office.v1 import goods_pb2
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.fleet.positions import number
from storage.office.balances import GoodsBalanceView, Key
from storage.office.goods import GoodsMoveView
from storage.office.lots import LotColumnView, LotView

_PARTS = 3


def balance(view: GoodsBalanceView) -> goods_pb2.GoodsBalance:
    """Return how many are at one place."""
    return goods_pb2.GoodsBalance(
        place=plain(view.place),
        product=plain(view.product),
        lot=plain(view.lot),
        machine_id=view.machine_id,
        quantity=view.quantity,
    )


def move(row: GoodsMoveView) -> goods_pb2.GoodsMove:
    """Return one move."""
    return goods_pb2.GoodsMove(
        id=row.id,
        kind=row.kind,
        product=plain(row.product),
        quantity=row.quantity,
        from_place=plain(row.from_place),
        to_place=plain(row.to_place),
        lot=plain(row.lot),
        machine_id=row.machine_id,
        visit=plain(row.visit),
        actor=plain(row.actor),
        reason=plain(row.reason),
        moved_at=timestamp(row.at_ms) if row.id else None,
        cause=plain(row.cause),
        reverses=row.reverses or 0,
    )


def lot(view: LotView) -> goods_pb2.Lot:
    """Return one lot."""
    cost = None
    if view.unit_cost_minor is not None:
        cost = money_pb2.Money(minor=view.unit_cost_minor, currency=view.currency)
    return goods_pb2.Lot(
        product=plain(view.product),
        lot=plain(view.lot),
        expires_on=view.expires_on,
        unit_cost=cost,
        received_at=timestamp(view.received_at_ms),
        in_stores=view.in_stores,
    )


def lot_column(view: LotColumnView) -> goods_pb2.LotColumn:
    """Return how many of a lot are in one column."""
    return goods_pb2.LotColumn(
        machine_id=view.machine_id,
        place=plain(view.place),
        quantity=view.quantity,
        stock=view.stock,
    )


def position(text: str) -> int | None:
    """Return the id behind which a page of moves begins, None for the first one. Raises
    InvalidPosition.
    """
    return number(text) if text else None


def position_of(view: GoodsBalanceView | LotView) -> str:
    """Return where a balance, or a lot, stands in its list."""
    return json.dumps(view.key)


def key(text: str) -> Key:
    """Return the balance or lot behind which a page begins, the lowest for the first one. Raises
    CallRefused.
    """
    if not text:
        return "", "", ""
    try:
        parts = json.loads(text)
    except ValueError:
        raise wrong_token() from None
    if not isinstance(parts, list) or len(parts) != _PARTS or {type(one) for one in parts} != {str}:
        raise wrong_token()
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in "".join(parts)):
        # Escaped twice, they came past the check of the token; a database does not take them.
        raise wrong_token()
    place, product, lot = parts
    return place, product, lot

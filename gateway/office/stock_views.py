"""Pars and stock as administrators read them: views in, messages of ``gateway.office.v1`` out."""

from collections import Counter
from collections.abc import Sequence

from gateway.fleet.views import timestamp
from gateway.office.v1 import stock_pb2
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.office.pars import ParView
from storage.office.shrinkage import ShrinkageLine
from storage.office.stock_lists import StockLine
from storage.office.supply import HOUR_MS


def par(view: ParView) -> stock_pb2.Par:
    """Return how many of a product shall be in a column."""
    return stock_pb2.Par(column=plain(view.column), product=plain(view.product), par=view.par)


def line(view: StockLine) -> stock_pb2.StockLine:
    """Return one column."""
    return stock_pb2.StockLine(
        machine_id=view.machine_id,
        column=plain(view.column),
        product=plain(view.product),
        stock=view.stock,
        capacity=view.capacity,
        par=view.par,
        sold=view.sold,
        sold_in_hours=view.span_ms // HOUR_MS,
        supply_hours=view.supply.hours,
        supply_hours_low=view.supply.hours_low,
        supply_hours_high=view.supply.hours_high,
        expected=view.expected,
        bring=view.bring,
        take_out=view.take_out,
    )


def shrinkage(view: ShrinkageLine) -> stock_pb2.ShrinkageLine:
    """Return what counts found of one product in one machine."""
    cost = view.cost_minor
    return stock_pb2.ShrinkageLine(
        machine_id=view.machine_id,
        product=plain(view.product),
        lost=view.lost,
        found=view.found,
        cost=None if cost is None else money_pb2.Money(minor=cost, currency=view.currency),
        counted_at=timestamp(view.counted_at_ms),
    )


def totals(lines: Sequence[StockLine]) -> list[stock_pb2.PickTotal]:
    """Return what is to be brought of each product."""
    by_product: Counter[str] = Counter()
    for one in lines:
        by_product[one.product] += one.bring
    return [
        stock_pb2.PickTotal(product=plain(product), quantity=quantity)
        for product, quantity in sorted(by_product.items())
        if quantity
    ]

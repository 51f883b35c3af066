"""Pars and stock as administrators read them: views in, messages of ``gateway.office.v1`` out."""

from collections import Counter
from collections.abc import Sequence

from gateway.office.v1 import stock_pb2
from gateway.process.texts import plain
from storage.office.pars import ParView
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

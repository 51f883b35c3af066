"""For how long machines could sell, as SalesService tells it: a table with what was lost and why.

Flows in: an answer of GetSellableTime, or why there is none. Flows out: a table. Hours are whole
ones, rounded down; what was lost is told beside what was sold for each day that was not lost.
"""

from collections.abc import Callable

from gateway.office.v1 import sales_service_pb2 as wire
from gateway.web.sales import SPAN_DAYS, WEEKDAYS
from gateway.web.tables import Cell, Table, money
from gateway.web.view import Missing
from storage.insight import days

HOUR_S = 3_600
Told = wire.GetSellableTimeResponse | Missing


def asked(today: int, by: wire.SalesBy.ValueType, *machine_ids: str) -> wire.GetSellableTimeRequest:
    """Return the question about the SPAN_DAYS days before today."""
    return wire.GetSellableTimeRequest(
        first_day=days.moved(today, -SPAN_DAYS),
        last_day=days.moved(today, -1),
        by=by,
        machine_ids=machine_ids,
    )


def weekday(key: str) -> str:
    """Return the name of a day of the week."""
    return WEEKDAYS[int(key) - 1]


def time_to_sell(answer: Told, head: str, name: Callable[[str], Cell]) -> Table:
    """Return the time by what was asked for; ``name`` says what a key is called. What was sold in
    several currencies has a row in each.
    """
    lines = () if isinstance(answer, Missing) else answer.lines
    return Table(
        name="sellable",
        title=f"When it could sell, {SPAN_DAYS} days before today",
        heads=(
            *(head, "Hours known", "Lost offline", "Lost out of service", "Lost empty"),
            *("Columns empty, %", "Items", "Sold", "Sold a sellable day"),
        ),
        rows=[
            (name(line.key), *_time(line), *_sold(sold)) for line in lines for sold in _each(line)
        ],
        empty=answer.why if isinstance(answer, Missing) else "Nothing is known of this time.",
        note="Lost hours are those of machines: offline, online and out of service, and in service "
        "with nothing in any column that may sell. A sellable day is 24 hours of one machine.",
    )


def _each(line: wire.SellableTime) -> list[wire.SoldThere | None]:
    return [*line.sold] or [None]


def _time(line: wire.SellableTime) -> tuple[Cell, ...]:
    lost = (
        line.known_s - line.online_s,
        line.online_s - line.in_service_s,
        line.in_service_s - line.sellable_s,
    )
    empty = 100 * line.empty_column_s // line.column_s if line.column_s else None
    return (line.known_s // HOUR_S, *(one // HOUR_S for one in lost), empty)


def _sold(of: wire.SoldThere | None) -> tuple[Cell, ...]:
    if of is None:
        return (None, None, None)
    return (of.sold.units, money(of.sold.sales), money(of.per_sellable_day))

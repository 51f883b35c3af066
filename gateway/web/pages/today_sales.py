"""What is sold today, beside the eight same weekdays before, and by hour."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.office.v1 import sales_service_pb2 as wire
from gateway.web import sales, series
from gateway.web.charts import Band, Pair, band, pairs
from gateway.web.tables import Cell, Table, money
from gateway.web.view import Looking, Missing
from storage.insight import days

LAST_HOUR = 23
"""What was sold so far is all of the day: where clocks are ahead of ours it is later already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldToday:
    """``figures``: what is sold so far, as text; ``bands``: by currency, where what was sold up to
    the last full hour lies in what is usual by then; ``columns``: by currency, each hour;
    ``days``: by currency, each day before this one.
    """

    tables: tuple[Table, ...]
    figures: Sequence[str]
    by_then: str
    bands: Mapping[str, Band]
    columns: Mapping[str, Sequence[Pair]]
    days: Mapping[str, series.Series]
    complete: sales.Complete | None
    why: str = ""


async def sold_today(looking: Looking) -> SoldToday:
    """Return it. The hour that runs is not over: up to the full hour before it today stands beside
    the other days, and in the first hour of a day it stands beside none.
    """
    local = looking.local()
    day = days.as_number(local.date())
    # The answers may differ by what is told between them: each table is of one of them.
    hours, so_far, usual, year = await asyncio.gather(
        looking.attempt(
            wire.GetSalesRequest(
                first_day=day,
                last_day=day,
                by=wire.SALES_BY_HOUR,
                beside=wire.SALES_BESIDE_SAME_WEEKDAYS,
            )
        ),
        looking.attempt(wire.GetDaySalesRequest(day=day, hour=LAST_HOUR)),
        _until(looking, day, local.hour - 1),
        looking.attempt(series.asked(day)),
    )
    by_day, drawn = series.by_day(year, day)
    told = [] if isinstance(so_far, Missing) else list(so_far.days)
    compared = [] if usual is None or isinstance(usual, Missing) else list(usual.days)
    by_then = f"{local.hour:02}:00"
    return SoldToday(
        tables=(_usual(compared, by_then), sales.by_hour(hours, local.hour), by_day),
        figures=[str(money(one.now.sales)) for one in told if one.now.units or one.now.sales.minor],
        by_then=by_then if compared else "",
        bands={
            one.now.sales.currency: band(
                one.now.sales.minor, one.low.minor, one.middle.minor, one.high.minor
            )
            for one in compared
            if one.weeks
        },
        columns={
            name: pairs(of) for name, of in sorted(sales.columns_of(hours, local.hour).items())
        },
        days=drawn,
        complete=sales.complete(so_far),
        why=so_far.why if isinstance(so_far, Missing) else "",
    )


async def _until(looking: Looking, day: int, hour: int) -> Any:
    """Return the day's sales up to an hour and with it; None before the first one."""
    if hour < 0:
        return None
    return await looking.attempt(wire.GetDaySalesRequest(day=day, hour=hour))


def _usual(compared: Sequence[wire.DaySales], by_then: str) -> Table:
    return Table(
        name="usual",
        title=f"Sold until {by_then} against the same weekday",
        heads=("Items", "Sold", "Usual by then", "Low", "High", "Weeks"),
        rows=[_row(one) for one in compared],
        empty="There is nothing to compare yet.",
        note="Usual: the middle of up to eight same weekdays; low and high leave out the two "
        "outermost if there are more than four.",
    )


def _row(one: wire.DaySales) -> tuple[Cell, ...]:
    known = bool(one.weeks)
    return (
        one.now.units,
        money(one.now.sales),
        *(money(of) if known else None for of in (one.middle, one.low, one.high)),
        one.weeks,
    )

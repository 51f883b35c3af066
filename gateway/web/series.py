"""What was sold on each day of a year, as one picture: drawn here for every browser, and by
``static/zoom.js`` once more where scripts run, so that somebody can look closer.

Flows in: an answer of GetSales by day. Flows out: a table, and a picture of each currency with the
same numbers. A day of which there is no line has no number: it is no zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from alipay_client.currencies import exponent
from gateway.office.v1 import sales_service_pb2 as wire
from gateway.web import sales
from gateway.web.charts import strokes
from gateway.web.tables import Amount, Cell, Table, money
from gateway.web.view import Missing
from storage.insight import days

HALF_DAYS = 182
"""So many days are asked for beside as many before them: each day is read once."""
DAYS = 2 * HALF_DAYS
STEP, HEIGHT = 2, 120
WIDTH = DAYS * STEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """``first``: the first day, as 2026-01-31; ``minors``: a number for each day from it on, in
    minor units with so many ``decimals``, parted by commas, nothing where nothing is known.
    """

    said: str
    path: str
    first: str
    minors: str
    decimals: int


def asked(today: int, *machine_ids: str) -> wire.GetSalesRequest:
    """Return the question about the DAYS days before today."""
    return wire.GetSalesRequest(
        first_day=days.moved(today, -HALF_DAYS),
        last_day=days.moved(today, -1),
        by=wire.SALES_BY_DAY,
        machine_ids=machine_ids,
    )


def by_day(told: sales.Told, today: int) -> tuple[Table, dict[str, Series]]:
    """Return the days on which something was sold, the newest first, and the pictures."""
    of = _amounts(told)
    rows: list[tuple[Cell, ...]] = [
        (str(day), amount.units, money(amount.sales))
        for day, _, amount in sorted(of, key=lambda one: (-one[0], one[1]))
    ]
    table = Table(
        name="by-day",
        title=f"Sold by day, {DAYS} days before today",
        heads=("Day", "Items", "Sold"),
        rows=rows,
        empty=told.why if isinstance(told, Missing) else sales.NOTHING,
    )
    first = days.moved(today, -DAYS)
    all_days = days.between(first, days.moved(today, -1))
    drawn = {}
    for currency in sorted({one for _, one, _ in of}):
        minor_of = {day: amount.sales.minor for day, one, amount in of if one == currency}
        minors = [minor_of.get(day) for day in all_days]
        drawn[currency] = Series(
            said=f"sold on {len(minor_of)} of {DAYS} days, "
            f"at most {Amount(max(minor_of.values()), currency)}",
            path=strokes(minors, STEP, HEIGHT),
            first=days.as_date(first).isoformat(),
            minors=",".join("" if one is None else str(one) for one in minors),
            decimals=exponent(currency),
        )
    return table, drawn


def _amounts(told: sales.Told) -> list[tuple[int, str, wire.SalesAmount]]:
    """Return each day on which something was sold, with its currency and amount."""
    return [] if isinstance(told, Missing) else list(_days_of(told))


def _days_of(told: wire.GetSalesResponse) -> Iterator[tuple[int, str, wire.SalesAmount]]:
    for line in told.lines:
        day = int(line.key)
        for d, amount in ((day, line.now), (days.moved(day, -HALF_DAYS), line.before)):
            if amount.units or amount.sales.minor:
                yield d, amount.sales.currency, amount

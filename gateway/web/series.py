"""What was sold on each day of some weeks or of a year, as one picture: drawn here for every
browser, and by ``static/zoom.js`` once more where scripts run, so that somebody can look closer.

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

YEAR = 364
SOME_WEEKS = 84
"""So many days of one machine are shown until somebody asks for a year."""
SPAN_WORD = "days"
"""The word of the query that asks for a year of a machine's days."""
HEIGHT = 120
_WIDTH = 728


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """``first``: the first day, as 2026-01-31; ``minors``: a number for each day from it on, in
    minor units with so many ``decimals``, parted by commas, nothing where nothing is known.
    """

    said: str
    path: str
    width: int
    first: str
    minors: str
    decimals: int


def asked(today: int, *machine_ids: str, span: int = YEAR) -> wire.GetSalesRequest:
    """Return the question about so many days before today, an even number: half of them are asked
    for beside as many before them, so that each day is read once.
    """
    return wire.GetSalesRequest(
        first_day=days.moved(today, -(span // 2)),
        last_day=days.moved(today, -1),
        by=wire.SALES_BY_DAY,
        machine_ids=machine_ids,
    )


def by_day(told: sales.Told, today: int, *, span: int = YEAR) -> tuple[Table, dict[str, Series]]:
    """Return the days on which something was sold, the newest first, and the pictures."""
    of = _amounts(told, span // 2)
    rows: list[tuple[Cell, ...]] = [
        (str(day), amount.units, money(amount.sales))
        for day, _, amount in sorted(of, key=lambda one: (-one[0], one[1]))
    ]
    table = Table(
        name="by-day",
        title=f"Sold by day, {span} days before today",
        heads=("Day", "Items", "Sold"),
        rows=rows,
        empty=told.why if isinstance(told, Missing) else sales.NOTHING,
    )
    first, step = days.moved(today, -span), _WIDTH // span
    all_days = days.between(first, days.moved(today, -1))
    drawn = {}
    for currency in sorted({one for _, one, _ in of}):
        minor_of = {day: amount.sales.minor for day, one, amount in of if one == currency}
        minors = [minor_of.get(day) for day in all_days]
        drawn[currency] = Series(
            said=f"sold on {len(minor_of)} of {span} days, "
            f"at most {Amount(max(minor_of.values()), currency)}",
            path=strokes(minors, step, HEIGHT),
            width=span * step,
            first=days.as_date(first).isoformat(),
            minors=",".join("" if one is None else str(one) for one in minors),
            decimals=exponent(currency),
        )
    return table, drawn


def _amounts(told: sales.Told, half: int) -> list[tuple[int, str, wire.SalesAmount]]:
    """Return each day on which something was sold, with its currency and amount."""
    return [] if isinstance(told, Missing) else list(_days_of(told, half))


def _days_of(told: wire.GetSalesResponse, half: int) -> Iterator[tuple[int, str, wire.SalesAmount]]:
    for line in told.lines:
        day = int(line.key)
        for d, amount in ((day, line.now), (days.moved(day, -half), line.before)):
            if amount.units or amount.sales.minor:
                yield d, amount.sales.currency, amount

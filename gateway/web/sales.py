"""What was sold, as SalesService tells it: tables of more than one page, and how complete they are.

Flows in: answers of GetSales and GetDaySales, or why there is none. Flows out: tables, and a
sentence with each. An hour of which there is no line has no cell: nothing was sold, or nothing is
known of it, and neither is drawn as a number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.office.v1 import sales_service_pb2 as wire
from gateway.web.charts import HOURS, Bar, Heat, bars, heat
from gateway.web.tables import Amount, Cell, Instant, Table, grouped, moment, money
from gateway.web.view import Missing
from storage.insight import days

SPAN_DAYS = 28
"""Four of each day of the week."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BARS_MAX = 15
NOTHING = "Nothing was sold in this time, as far as is known."
Told = wire.GetSalesResponse | Missing
Answer = (
    wire.GetSalesResponse
    | wire.GetDaySalesResponse
    | wire.GetSellableTimeResponse
    | wire.GetFunnelResponse
    | wire.GetHotDistrictsResponse
)


@dataclass(frozen=True, slots=True)
class Complete:
    """Up to where sales are told; ``position`` 0: of nothing yet."""

    position: int
    until: Instant | None
    behind: int
    making_again: bool


def complete(answer: Answer | Missing) -> Complete | None:
    """Return how complete an answer is; None if there is none."""
    if isinstance(answer, Missing):
        return None
    of = answer.completeness
    return Complete(of.position, moment(of.complete_until), of.lines_behind, of.making_again)


def last_days(today: int, by: wire.SalesBy.ValueType, *machine_ids: str) -> wire.GetSalesRequest:
    """Return the question what was sold on the last SPAN_DAYS days before today, which is not over
    and would look like less.
    """
    return wire.GetSalesRequest(
        first_day=days.moved(today, -SPAN_DAYS),
        last_day=days.moved(today, -1),
        by=by,
        machine_ids=machine_ids,
    )


def by_hour(answer: Told, hour: int) -> Table:
    """Return a day's hours beside the same day a week before. Of those behind ``hour``, which runs,
    nothing is known yet, unless something was sold where clocks are ahead.
    """
    return Table(
        name="hours",
        title="Sold today by hour",
        heads=("Hour", "Items", "Sold", "Items a week before", "Sold a week before"),
        rows=[
            (
                f"{line.key}:00",
                *((None, None) if _is_to_come(line, hour) else _now(line)),
                *_before(line),
            )
            for line in _lines(answer)
        ],
        empty=_empty(answer),
    )


def by_product(answer: Told) -> Table:
    """Return the products that were sold, those with the most money first."""
    lines = sorted(_lines(answer), key=lambda one: (_currency(one), -one.now.sales.minor, one.key))
    whole = _totals(lines)
    return Table(
        name="sold",
        title=f"What sold in {SPAN_DAYS} days before today",
        heads=(
            *("Product", "Items", "Sold", "Share, %", "Margin", "Margin, %"),
            *("Items before", "Sold before"),
        ),
        rows=[
            (
                line.key or "without a product",
                *_now(line),
                share(line.now.sales.minor, whole[_currency(line)]),
                *_margin(line.now.margin),
                *_before(line),
            )
            for line in lines
        ],
        empty=_empty(answer),
        note=f"Before: the {SPAN_DAYS} days before those. The share is of the money in its "
        "currency. The margin is what was sold less what the goods cost, at the latest cost of the "
        "product in that currency; a dash: nobody said what it costs.",
    )


def margins(answer: Told) -> list[tuple[str, str]]:
    """Return, for each currency in which something was sold, the margin of the goods of which the
    cost is known, and of how much that is; in words.
    """
    of: dict[str, list[int]] = {}
    for line in _lines(answer):
        known = line.now.margin
        there = of.setdefault(_currency(line), [0, 0, 0, 0])
        for place, number in enumerate(
            (line.now.sales.minor, known.units, known.sales.minor, known.margin.minor)
        ):
            there[place] += number
    told = []
    for currency, (sold, units, known_sales, margin) in sorted(of.items()):
        if units or known_sales:
            said = f"{Amount(margin, currency)}, {signed_share(margin, known_sales) or '–'} %"
            told.append((said, f"cost known for {share(known_sales, sold) or '–'} % of the money"))
        elif sold:
            told.append((f"not known, {currency}", "nobody said what these goods cost"))
    return told


def best(answer: Told) -> dict[str, list[Bar]]:
    """Return a picture of the products with the most money, by currency."""
    of: dict[str, list[tuple[str, int | None, str]]] = {}
    for line in sorted(_lines(answer), key=lambda one: (-one.now.sales.minor, one.key)):
        if line.now.sales.minor > 0:
            amount = Amount(line.now.sales.minor, _currency(line))
            said = f"{grouped(line.now.units)} items, {amount}"
            of.setdefault(amount.currency, []).append((line.key, amount.minor, said))
    return {currency: bars(of[currency][:BARS_MAX]) for currency in sorted(of)}


def by_weekday_hour(answer: Told) -> tuple[Table, Mapping[str, Sequence[Heat]]]:
    """Return the hours of the week in which something was sold, and a picture of each currency."""
    rows: list[tuple[Cell, ...]] = []
    cells: dict[str, dict[tuple[int, int], tuple[int, str]]] = {}
    for line in _lines(answer):
        if not line.now.units and not line.now.sales.minor:
            continue  # it was sold in the time before
        weekday, hour = (int(part) for part in line.key.split("-"))
        amount = Amount(line.now.sales.minor, line.now.sales.currency)
        name = WEEKDAYS[weekday - 1]
        rows.append((name, f"{hour:02}:00", line.now.units, amount))
        said = f"{name} {hour:02}:00: {grouped(line.now.units)} items, {amount}"
        cells.setdefault(amount.currency, {})[weekday, hour] = (amount.minor, said)
    table = Table(
        name="week",
        title=f"When it sold in {SPAN_DAYS} days before today",
        heads=("Day", "Hour", "Items", "Sold"),
        rows=rows,
        empty=_empty(answer),
    )
    return table, {currency: heat(of) for currency, of in sorted(cells.items())}


def _is_to_come(line: wire.SalesLine, hour: int) -> bool:
    return int(line.key) > hour and not line.now.units and not line.now.sales.minor


def columns_of(answer: Told, hour: int) -> dict[str, list[tuple[int | None, int | None, str]]]:
    """Return what is drawn of a day's hours, by currency: of each hour now, a week before, and what
    is said of it. ``hour``: as in ``by_hour``.
    """
    drawn: dict[str, list[tuple[int | None, int | None, str]]] = {}
    for line in _lines(answer):
        hours = drawn.setdefault(
            _currency(line), [(None, None, f"{hour:02}:00: nothing") for hour in range(HOURS)]
        )
        now, before = (Amount(one.sales.minor, _currency(line)) for one in (line.now, line.before))
        said = "to come" if _is_to_come(line, hour) else str(now)
        hours[int(line.key)] = (
            now.minor if line.now.units or now.minor else None,
            before.minor if line.before.units or before.minor else None,
            f"{line.key}:00: {said}, a week before {before}",
        )
    return drawn


def share(part: int, whole: int) -> str:
    """Return a part in percent with one decimal, rounded down; empty if there is no whole."""
    if whole <= 0 or part < 0:
        return ""
    tenths = 1_000 * part // whole
    return f"{tenths // 10}.{tenths % 10}"


def signed_share(part: int, whole: int) -> str:
    """Return a part, which may be below zero, in percent as ``share`` does."""
    of = share(abs(part), whole)
    return f"-{of}" if part < 0 and of else of


def _margin(of: wire.SalesMargin) -> tuple[Cell, Cell]:
    if not of.units and not of.sales.minor:
        return None, None
    return money(of.margin), signed_share(of.margin.minor, of.sales.minor) or None


def _lines(answer: Told) -> Iterable[wire.SalesLine]:
    return () if isinstance(answer, Missing) else answer.lines


def _empty(answer: Told) -> str:
    return answer.why if isinstance(answer, Missing) else NOTHING


def _now(line: wire.SalesLine) -> tuple[Cell, Cell]:
    return line.now.units, money(line.now.sales)


def _before(line: wire.SalesLine) -> tuple[Cell, Cell]:
    return line.before.units, money(line.before.sales)


def _currency(line: wire.SalesLine) -> str:
    return line.now.sales.currency


def _totals(lines: Iterable[wire.SalesLine]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in lines:
        totals[_currency(line)] = totals.get(_currency(line), 0) + line.now.sales.minor
    return totals

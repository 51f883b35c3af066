"""Stock and routes: what is empty soon, what to bring for some machines, and what expires."""

import asyncio
import datetime as dt
from typing import Any

from gateway.office.v1 import (
    goods_service_pb2,
    selector_pb2,
    stock_pb2,
    stock_service_pb2,
)
from gateway.web.charts import bars
from gateway.web.tables import Table, grouped, moment, money
from gateway.web.view import ConsolePage, Looking, Missing
from gateway.web.waiting import machine_link

EXPIRES_WITHIN_DAYS = 30
LOTS = 100
MACHINES = 10
"""Of so many machines one page tells what lasts how long: each costs a look at its moves."""
BARS_MAX = 25
MORE = f"Of {MACHINES} machines a page: there may be more machines."


async def stock(looking: Looking) -> ConsolePage:
    """Return the page. Which machines are meant: a district, a site, a label, or all."""
    words = {name: looking.word(name) for name in ("district", "site", "label")}
    try:
        selector = _selector(words)
    except ValueError as error:
        low: Any = Missing(str(error))
        picked, shrunk = low, low
    else:
        low, picked, shrunk = await asyncio.gather(
            looking.attempt(
                stock_service_pb2.ListLowStockRequest(
                    selector=selector, page_size=MACHINES, page_token=looking.token("page")
                )
            ),
            looking.attempt(stock_service_pb2.GetPickListRequest(selector=selector)),
            looking.attempt(
                stock_service_pb2.ListShrinkageRequest(
                    selector=selector, page_size=MACHINES, page_token=looking.token("shrunk")
                )
            ),
        )
    until = dt.datetime.fromtimestamp(looking.now_ms / 1_000, dt.UTC).date()
    until += dt.timedelta(days=EXPIRES_WITHIN_DAYS)
    lots = await looking.attempt(
        goods_service_pb2.ListLotsRequest(page_size=LOTS, expires_until=until.isoformat())
    )
    totals = _totals(picked)
    asked = (("low", "page", low), ("shrinkage", "shrunk", shrunk))
    more = {
        name: {**words, token: answer.next_page_token}
        for name, token, answer in asked
        if not isinstance(answer, Missing) and answer.next_page_token
    }
    return ConsolePage(
        title="Stock and routes",
        template="stock.html",
        tables=(_low(low), totals, _lines(picked), _lots(lots), _shrinkage(shrunk)),
        values={
            "words": words,
            "bars": []
            if isinstance(picked, Missing)
            else bars(
                [
                    (one.product, one.quantity, grouped(one.quantity))
                    for one in picked.totals[:BARS_MAX]
                ]
            ),
            "is_all": not any(words.values()),
            "is_nobody": not isinstance(picked, Missing) and not picked.machines,
        },
        more=more,
    )


def _selector(words: dict[str, str]) -> selector_pb2.Selector:
    """Return who is meant. Raises ValueError with a sentence."""
    name, equals, value = words["label"].partition("=")
    if words["label"] and not (equals and name and value):
        raise ValueError("A label is written as name=value, for example route=north.")
    if not any(words.values()):
        return selector_pb2.Selector(all=True)
    return selector_pb2.Selector(
        district=words["district"],
        site=words["site"],
        labels={name: value} if equals else {},
    )


def _part(answer: Any, sentence: str, *, otherwise: str) -> str:
    """Return a sentence for a table of some of the machines that are meant."""
    if isinstance(answer, Missing):
        return answer.why
    return sentence if answer.next_page_token else otherwise


def _low(answer: Any) -> Table:
    missing = isinstance(answer, Missing)
    return Table(
        name="low",
        title="Empty soon",
        heads=("Machine", "Column", "Product", "Stock", "Capacity", "Par", "Lasts, hours"),
        rows=()
        if missing
        else [
            (
                machine_link(one.machine_id),
                one.column,
                one.product,
                one.stock,
                one.capacity,
                one.par or None,
                _lasts(one),
            )
            for one in answer.lines
        ],
        empty=_part(
            answer,
            "Nothing runs low in the machines of this page; there may be more machines.",
            otherwise="Nothing runs low in these machines.",
        ),
        note="How long it lasts is told as was sold, with the bounds that the sales agree with."
        + _part(answer, f" {MORE}", otherwise=""),
    )


def _lasts(line: stock_pb2.StockLine) -> str:
    if not line.HasField("supply_hours"):
        return "nothing was sold"
    high = line.supply_hours_high if line.HasField("supply_hours_high") else "?"
    return f"{line.supply_hours} ({line.supply_hours_low} to {high})"


def _totals(answer: Any) -> Table:
    missing = isinstance(answer, Missing)
    return Table(
        name="totals",
        title="Pick list",
        heads=("Product", "Bring"),
        rows=() if missing else [(one.product, one.quantity) for one in answer.totals],
        empty=answer.why
        if missing
        else "Nothing is to be brought: pars are kept, or nobody set any.",
    )


def _lines(answer: Any) -> Table:
    missing = isinstance(answer, Missing)
    return Table(
        name="lines",
        title="Pick list by machine",
        heads=("Machine", "Column", "Product", "Stock", "Par", "Bring", "Take out"),
        rows=()
        if missing
        else [
            (
                machine_link(one.machine_id),
                one.column,
                one.product,
                one.stock,
                one.par or None,
                one.bring or None,
                one.take_out or None,
            )
            for one in answer.lines
        ],
        empty=answer.why if missing else "Nothing is to be brought or taken out.",
    )


def _lots(answer: Any) -> Table:
    missing = isinstance(answer, Missing)
    return Table(
        name="lots",
        title=f"Expires within {EXPIRES_WITHIN_DAYS} days",
        heads=("Product", "Lot", "Last day", "In stores"),
        rows=()
        if missing
        else [(one.product, one.lot, one.expires_on, one.in_stores) for one in answer.lots],
        empty=answer.why if missing else "No lot that was received with a last day.",
        cut=not missing and bool(answer.next_page_token),
    )


def _shrinkage(answer: Any) -> Table:
    missing = isinstance(answer, Missing)
    return Table(
        name="shrinkage",
        title="Shrinkage in 28 days",
        heads=("Machine", "Product", "Missing", "Found", "Cost", "Last counted"),
        rows=()
        if missing
        else [
            (
                machine_link(one.machine_id),
                one.product,
                one.lost,
                one.found or None,
                money(one.cost),
                moment(one.counted_at),
            )
            for one in answer.lines
        ],
        empty=_part(
            answer,
            "No count of the machines of this page found another number; there may be more "
            "machines.",
            otherwise="No count of these machines found another number.",
        ),
        note="What counts found missing in columns. Cost: what is missing less what was found, at "
        "the product's latest cost in the machine's currency."
        + _part(answer, f" {MORE}", otherwise=""),
    )

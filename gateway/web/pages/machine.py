"""One machine: its shelf as a picture, what is wrong with it and what that costs, what it sold
last, and what a person may do about it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from gateway.fleet.v1 import (
    event_service_pb2,
    fleet_service_pb2,
    machine_pb2,
    session_service_pb2,
    trade_service_pb2,
    work_item_service_pb2,
)
from gateway.office.v1 import (
    incident_pb2,
    incident_service_pb2,
    machine_profile_service_pb2,
    planogram_pb2,
    planogram_service_pb2,
    sales_service_pb2,
    selector_pb2,
)
from gateway.v1 import machine_pb2 as wire
from gateway.web import sales, sellable, series, waiting
from gateway.web.acts import REFILL
from gateway.web.charts import shelf
from gateway.web.pages.machines import state_of
from gateway.web.tables import ACT, Amount, Form, Table, moment, money
from gateway.web.view import ConsolePage, Looking, Missing
from gateway.web.words import said
from storage.insight import days

LAST = 10


async def machine(looking: Looking) -> ConsolePage:
    """Return the page of the machine that the path names. Raises Refused if there is none."""
    of = looking.name
    today = days.as_number(looking.local().date())
    is_year = looking.word(series.SPAN_WORD) == str(series.YEAR)
    span = series.YEAR if is_year else series.SOME_WEEKS
    (
        (found, health, vends, refunds, items, events),
        profile,
        planogram,
        week,
        time,
        by_days,
    ) = await asyncio.gather(
        looking.all(
            fleet_service_pb2.GetMachineRequest(machine_id=of),
            incident_service_pb2.GetMachineHealthRequest(machine_id=of),
            session_service_pb2.ListVendsRequest(machine_id=of, page_size=LAST),
            trade_service_pb2.ListRefundsRequest(machine_id=of, open=True, page_size=LAST),
            work_item_service_pb2.ListWorkItemsRequest(machine_id=of, page_size=LAST),
            event_service_pb2.ListEventsRequest(machine_id=of, page_size=LAST),
        ),
        looking.attempt(machine_profile_service_pb2.GetMachineProfileRequest(machine_id=of)),
        looking.attempt(
            planogram_service_pb2.ListConvergenceRequest(
                selector=selector_pb2.Selector(machine_ids=[of])
            )
        ),
        looking.attempt(sales.last_days(today, sales_service_pb2.SALES_BY_WEEKDAY_HOUR, of)),
        looking.attempt(sellable.asked(today, sales_service_pb2.SALES_BY_WEEKDAY, of)),
        looking.attempt(series.asked(today, of, span=span)),
    )
    sold, heats = sales.by_weekday_hour(week)
    by_day, drawn = series.by_day(by_days, today, span=span)
    it = found.machine
    tables = (
        _troubles(health.troubles),
        _columns(it, looking),
        waiting.work_items(items.work_items, cut=bool(items.next_page_token)),
        waiting.refunds(refunds.refunds, now_ms=looking.now_ms, cut=bool(refunds.next_page_token)),
        sold,
        by_day,
        sellable.time_to_sell(time, "Day", sellable.weekday),
        waiting.vends(vends.vends),
        _events(events.events),
    )
    return ConsolePage(
        title=of,
        template="machine.html",
        tables=tables,
        forms=_forms(it),
        values={
            "machine": it,
            "state": state_of(it),
            "mode": said(wire.Mode, it.mode),
            "code": said(machine_pb2.CodeStatus, it.code_status),
            "since": moment(it.connection_changed_at),
            "funds": money(it.funds),
            "usual": money(health.usual_per_hour),
            "cost": money(health.cost_per_hour),
            "slots": shelf(
                (one.column, one.product, one.stock, one.capacity) for one in it.columns
            ),
            "planogram": "" if isinstance(planogram, Missing) else _waiting(planogram.machines),
            "profile": None if isinstance(profile, Missing) else profile.profile,
            "heats": heats,
            "series": drawn,
            "is_year": is_year,
            "year": series.YEAR,
            "weeks": series.SOME_WEEKS // 7,
            "weekdays": sales.WEEKDAYS,
            "sales_complete": sales.complete(week),
        },
    )


def _waiting(of: Iterable[planogram_pb2.Convergence]) -> str:
    """Return which planogram waits for what, and which one the shelf shows; empty if none does."""
    for one in of:
        new, old = one.wanted_version, one.version_in_force
        as_then = f"The shelf is shown as it will be with {new}."
        match one.waits_for:
            case planogram_pb2.PLANOGRAM_WAIT_SESSION:
                return f"{new} waits until the customer has left, who buys by {old}. {as_then}"
            case planogram_pb2.PLANOGRAM_WAIT_HOST:
                return f"{new} waits for the machine's host; {old} is in force. {as_then}"
            case planogram_pb2.PLANOGRAM_WAIT_GOODS:
                return f"{new} waits for goods that have no place in it. The shelf is {old}'s."
    return ""


def _forms(it: machine_pb2.Machine) -> list[Form]:
    if it.HasField("retired_at"):
        return []
    fields = {"machine_id": it.machine_id, "etag": it.etag}
    if it.enabled:
        return [Form(act="disable-machine", label="Disable", fields=fields)]
    return [Form(act="enable-machine", label="Enable", fields=fields, asks=())]


def _troubles(of: Iterable[incident_pb2.Trouble]) -> Table:
    return Table(
        name="troubles",
        title="What is wrong now",
        heads=("What", "Column", "Detail", "Since", "Costs an hour"),
        rows=[
            (
                said(incident_pb2.TroubleKind, one.kind),
                one.column,
                one.detail,
                moment(one.since),
                money(one.cost_per_hour),
            )
            for one in of
        ],
        empty="Nothing is known to be wrong.",
    )


def _columns(it: machine_pb2.Machine, looking: Looking) -> Table:
    return Table(
        name="columns",
        title="Columns",
        heads=("Column", "Product", "Price", "Stock", "Capacity", ACT),
        rows=[
            (
                one.column,
                one.product,
                Amount(one.price_minor, it.currency),
                one.stock,
                one.capacity,
                _refill(it, one, looking),
            )
            for one in it.columns
        ],
        empty="It has no planogram yet.",
        note="A refill comes from a van or a warehouse that has the product, such as VAN:7 or "
        "WAREHOUSE:north; name the lot if it has several.",
    )


def _refill(it: machine_pb2.Machine, column: machine_pb2.Column, looking: Looking) -> Form | None:
    """Return the form of a column, filled in if the query says with what; once it is done it is
    empty again.
    """
    if it.HasField("retired_at"):
        return None
    at = f"refill-{column.column}"
    fields = {"machine_id": it.machine_id, "column": column.column, "product": column.product}
    filled_in = {}
    if looking.word("column") == column.column:
        filled_in = {name: word for name in REFILL if (word := looking.word(name))}
        fields["back"] = f"/machines/{quote(it.machine_id, safe='')}#{quote(at)}"
    return Form(act="refill", label="Refill", fields=fields, asks=REFILL, given=filled_in, at=at)


def _events(of: Iterable[Any]) -> Table:
    return Table(
        name="events",
        title="What happened last",
        heads=("When", "What", "Session"),
        rows=[(moment(one.at), one.text, one.session_id) for one in of],
        empty="Nothing has happened yet.",
    )

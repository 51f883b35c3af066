"""Today: what is sold, what is red and since when, what waits for a person, and the money that is
on its way.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.fleet.v1 import (
    fleet_service_pb2,
    machine_pb2,
    trade_service_pb2,
    work_item_service_pb2,
)
from gateway.office.v1 import incident_pb2, incident_service_pb2
from gateway.web import waiting
from gateway.web.charts import bars
from gateway.web.pages.machines import state_of
from gateway.web.pages.today_sales import sold_today
from gateway.web.tables import Instant, Table, grouped, moment, money
from gateway.web.view import ConsolePage, Looking, Missing
from gateway.web.words import code, said

ITEMS = 50
READ = 1
"""Of Alipay's daily files the last one; Money has more."""
RED_MAX = 5
"""Of so many machines that do not sell it is told what that costs."""


async def today(looking: Looking) -> ConsolePage:
    """Return the page."""
    red, items, refunds, read = await looking.all(
        fleet_service_pb2.ListMachinesRequest(
            phases=[machine_pb2.PHASE_INACTIVE, machine_pb2.PHASE_DISABLED], page_size=RED_MAX
        ),
        work_item_service_pb2.ListWorkItemsRequest(
            page_size=ITEMS, page_token=looking.token("items")
        ),
        trade_service_pb2.ListRefundsRequest(open=True, page_size=ITEMS),
        trade_service_pb2.ListReconciliationsRequest(page_size=READ),
    )
    day, not_selling = await asyncio.gather(sold_today(looking), _red(looking, red))
    ages = _ages([one.due_at.ToMilliseconds() for one in refunds.refunds], looking.now_ms)
    return ConsolePage(
        title="Today",
        template="today.html",
        tables=(
            *day.tables,
            not_selling,
            waiting.work_items(items.work_items),
            waiting.refunds(
                refunds.refunds, now_ms=looking.now_ms, cut=bool(refunds.next_page_token)
            ),
            _by_age(ages, is_part=bool(refunds.next_page_token)),
            waiting.reconciliations(read.reconciliations),
        ),
        values={
            "sold": day,
            "red_more": bool(red.next_page_token),
            "refunds_more": bool(refunds.next_page_token),
            "ages": bars([(name, count, grouped(count)) for name, count in ages]) if ages else [],
            "item_count": f"{len(items.work_items)}{'+' if items.next_page_token else ''}",
            "red_count": f"{len(red.machines)}{'+' if red.next_page_token else ''}",
            "refund_count": f"{len(refunds.refunds)}{'+' if refunds.next_page_token else ''}",
        },
        more={"work-items": {"items": items.next_page_token}} if items.next_page_token else {},
    )


AGES = (
    ("under a minute", 60_000),
    ("under an hour", 3_600_000),
    ("under a day", 86_400_000),
    ("older", None),
)


def _ages(due_at_ms: Sequence[int], now_ms: int) -> list[tuple[str, int]]:
    """Return how many refunds are how old; nothing if there are none."""
    counts = dict.fromkeys((name for name, _ in AGES), 0)
    for at_ms in due_at_ms:
        name = next(name for name, most in AGES if most is None or now_ms - at_ms < most)
        counts[name] += 1
    return list(counts.items()) if due_at_ms else []


def _by_age(ages: Sequence[tuple[str, int]], *, is_part: bool) -> Table:
    return Table(
        name="ages",
        title="Open refunds by age",
        heads=("Open for", "Refunds"),
        rows=ages,
        empty="No refund is open.",
        note=f"Of the first {ITEMS} alone: there are more." if is_part else "",
    )


async def _red(looking: Looking, red: fleet_service_pb2.ListMachinesResponse) -> Table:
    """Return the machines that do not sell, with what is wrong and what it costs."""
    machines = red.machines
    healths = await asyncio.gather(
        *(
            looking.attempt(incident_service_pb2.GetMachineHealthRequest(machine_id=one.machine_id))
            for one in machines
        )
    )
    rows = []
    for one, health in zip(machines, healths, strict=True):
        known = None if isinstance(health, Missing) else health
        rows.append(
            (
                waiting.machine_link(one.machine_id),
                one.store_name,
                state_of(one),
                _since(one, known),
                ", ".join(
                    said(incident_pb2.TroubleKind, trouble.kind)
                    for trouble in (known.troubles if known else ())
                ),
                money(known.cost_per_hour) if known else None,
            )
        )
    return Table(
        name="red",
        title="Not selling",
        heads=("Machine", "Store", "State", "Not selling since", "What is wrong", "Costs an hour"),
        rows=rows,
        empty="Every machine is there and enabled.",
        note="What it costs is what the machine usually sells in an hour; a dash: not known.",
        cut=bool(red.next_page_token),
    )


_WHOLE = frozenset({"HALTED", "DISABLED", "OFFLINE", "OUT_OF_SERVICE", "NO_CODE"})
"""What keeps all of a machine from selling."""


def _since(machine: machine_pb2.Machine, health: Any) -> Instant | None:
    """Return since when it does not sell: since the first of what keeps all of it from selling, as
    far as that is known.
    """
    known = [
        at
        for one in (health.troubles if health else ())
        if code(incident_pb2.TroubleKind, one.kind) in _WHOLE
        and (at := moment(one.since)) is not None
    ]
    if known:
        return min(known, key=lambda one: one.at_ms)
    return None if machine.online else moment(machine.connection_changed_at)

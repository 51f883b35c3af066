"""Machines: all of them, with their state and what is open."""

from collections.abc import Mapping
from typing import Any

from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office.v1 import sales_service_pb2
from gateway.web import sales
from gateway.web.tables import Instant, Table, moment, money
from gateway.web.view import ConsolePage, Looking, Missing
from gateway.web.waiting import machine_link
from gateway.web.words import code, said
from storage.insight import days

PAGE = 100
SOLD_DAYS = 7
STATES = {
    "": "any state",
    "INACTIVE": "offline",
    "DISABLED": "disabled",
    "ENABLED": "ready",
    "SESSION_IDLE": "with a customer",
    "VEND_AWAITING_PAYMENT": "waits for a payment",
    "VEND_APPROVED": "vending",
    "VEND_IN_DOUBT": "in doubt",
}
HEADS = (
    *("Machine", "Store", "State", "In this state since"),
    *("Funds", "Open refunds", "Sold in 7 days", "In the 7 before", "Last fault", "Firmware"),
)


def state_of(machine: machine_pb2.Machine) -> str:
    """Return a machine's state in a few words."""
    if machine.HasField("halted"):
        return "halted"
    if machine.HasField("retired_at"):
        return "retired"
    phase = code(machine_pb2.Phase, machine.phase)
    return STATES.get(phase, said(machine_pb2.Phase, machine.phase))


def _since(machine: machine_pb2.Machine) -> Instant | None:
    """Return since when it is in its state; None where only its page can tell."""
    if machine.HasField("halted"):
        return moment(machine.halted.since)
    if machine.HasField("retired_at"):
        return moment(machine.retired_at)
    return None if machine.online else moment(machine.connection_changed_at)


def row(machine: machine_pb2.Machine, sold: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Return a machine's row under HEADS. ``sold``: by machine and currency."""
    line = sold.get((machine.machine_id, machine.currency))
    return (
        machine_link(machine.machine_id),
        machine.store_name,
        state_of(machine),
        _since(machine),
        money(machine.funds) if machine.funds.minor else None,
        machine.open_refund_count or None,
        money(line.now.sales) if line else None,
        money(line.before.sales) if line else None,
        machine.last_fault,
        machine.firmware,
    )


async def machines(looking: Looking) -> ConsolePage:
    """Return the page."""
    state, text, retired = (looking.word(name) for name in ("state", "text", "retired"))
    request = fleet_service_pb2.ListMachinesRequest(
        page_size=PAGE,
        page_token=looking.token("page"),
        text=text,
        phases=[machine_pb2.Phase.Value(f"PHASE_{state}")] if state and state in STATES else [],
        show_retired=bool(retired),
    )
    answer = await looking.ask(request)
    today = days.as_number(looking.local().date())
    told = (
        await looking.attempt(
            sales_service_pb2.GetSalesRequest(
                first_day=days.moved(today, -SOLD_DAYS),
                last_day=days.moved(today, -1),
                by=sales_service_pb2.SALES_BY_MACHINE,
                machine_ids=[one.machine_id for one in answer.machines],
            )
        )
        if answer.machines
        else Missing("")
    )
    sold = (
        {}
        if isinstance(told, Missing)
        else {(one.key, one.now.sales.currency): one for one in told.lines}
    )
    table = Table(
        name="machines",
        title="Machines",
        heads=HEADS,
        rows=[row(one, sold) for one in answer.machines],
        empty="No machine is like that.",
        note="What was sold on the days before today, in the machine's own currency.",
    )
    words = {"state": state, "text": text, "retired": retired}
    return ConsolePage(
        title="Machines",
        template="machines.html",
        tables=(table,),
        values={"states": STATES, "words": words, "sales_complete": sales.complete(told)},
        more={"machines": {**words, "page": answer.next_page_token}}
        if answer.next_page_token
        else {},
    )

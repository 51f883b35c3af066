"""Machines: all of them, with their state and what is open."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office.v1 import sales_service_pb2
from gateway.web import sales
from gateway.web.charts import spark
from gateway.web.tables import Amount, Instant, Spark, Table, moment, money
from gateway.web.view import ROWS_MAX, ConsolePage, Looking, Missing
from gateway.web.waiting import machine_link
from gateway.web.words import code, said
from storage.insight import days

PAGE = 100
HALF_DAYS = 14
"""So many days are asked for beside as many before them: each day is read once."""
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
    *("Funds", "Open refunds", "28 days", "Sold in 7 days", "In the 7 before"),
    *("Last fault", "Firmware"),
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


def row(machine: machine_pb2.Machine, sold: "Sold | None") -> tuple[Any, ...]:
    """Return a machine's row under HEADS; ``sold`` is None if nothing is known."""
    return (
        machine_link(machine.machine_id),
        machine.store_name,
        state_of(machine),
        _since(machine),
        money(machine.funds) if machine.funds.minor else None,
        machine.open_refund_count or None,
        *(sold.cells() if sold else (None, None, None)),
        machine.last_fault,
        machine.firmware,
    )


@dataclass(frozen=True, slots=True)
class Sold:
    """What a machine sold on each of 28 days, the oldest first; None: nothing is known."""

    currency: str
    by_day: Sequence[int | None]

    def cells(self) -> tuple[Spark, Amount, Amount]:
        """Return a picture of the days, and the sums of the last seven and the seven before."""
        known = [one for one in self.by_day if one is not None]
        most, mine = Amount(max(known, default=0), self.currency), list(self.by_day)
        said = f"sold on {len(known)} of {len(mine)} days, at most {most}"
        last = _sum(mine[-SOLD_DAYS:]), _sum(mine[-2 * SOLD_DAYS : -SOLD_DAYS])
        return (
            Spark(path=spark(mine), said=said),
            *(Amount(one, self.currency) for one in last),  # type: ignore[return-value]  # two of them
        )


def _sum(of: Iterable[int | None]) -> int:
    return sum(one or 0 for one in of)


def _asked(today: int, machine_ids: Iterable[str]) -> sales_service_pb2.GetSalesRequest:
    return sales_service_pb2.GetSalesRequest(
        first_day=days.moved(today, -HALF_DAYS),
        last_day=days.moved(today, -1),
        by=sales_service_pb2.SALES_BY_MACHINE_DAY,
        machine_ids=machine_ids,
    )


def _by_machine(
    told: sales.Told, today: int
) -> dict[tuple[str, str], dict[int, sales_service_pb2.SalesAmount]]:
    """Return what was sold by machine and currency, and by how many days ago that was."""
    ago = {str(days.moved(today, -back)): back for back in range(1, HALF_DAYS + 1)}
    found: dict[tuple[str, str], dict[int, sales_service_pb2.SalesAmount]] = {}
    for line in () if isinstance(told, Missing) else told.lines:
        day, _, machine_id = line.key.partition("-")
        mine = found.setdefault((machine_id, line.now.sales.currency), {})
        for back, amount in ((ago[day], line.now), (ago[day] + HALF_DAYS, line.before)):
            if amount.units or amount.sales.minor:
                mine[back] = amount
    return found


def _day_table(
    sold: Mapping[tuple[str, str], Mapping[int, sales_service_pb2.SalesAmount]],
    today: int,
    why: str,
    most: int,
) -> Table:
    told = (
        (machine_link(machine_id), str(days.moved(today, -back)), one.units, money(one.sales))
        for (machine_id, _), mine in sorted(sold.items())
        for back, one in sorted(mine.items(), reverse=True)
    )
    rows = list(islice(told, most))
    more = len(rows) == most == ROWS_MAX
    return Table(
        name="days",
        title="Sold in 28 days before today, by machine and day",
        heads=("Machine", "Day", "Items", "Sold"),
        rows=rows,
        empty=why or sales.NOTHING,
        note=f"At most {ROWS_MAX} rows: filter for fewer machines." if more else "",
    )


def _sold(
    of: Mapping[tuple[str, str], Mapping[int, sales_service_pb2.SalesAmount]],
    machine: machine_pb2.Machine,
) -> Sold | None:
    if (mine := of.get((machine.machine_id, machine.currency))) is None:
        return None
    backs = range(2 * HALF_DAYS, 0, -1)
    return Sold(
        machine.currency, [mine[back].sales.minor if back in mine else None for back in backs]
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
    told: sales.Told = Missing("")
    if answer.machines:
        told = await looking.attempt(_asked(today, [one.machine_id for one in answer.machines]))
    sold = _by_machine(told, today)
    why = told.why if isinstance(told, Missing) else ""
    # The page itself shows the pictures: thousands of rows are made for whoever asks for them.
    most = ROWS_MAX if "days" in {looking.word("csv"), looking.word("table")} else 1
    table = Table(
        name="machines",
        title="Machines",
        heads=HEADS,
        rows=[row(one, _sold(sold, one)) for one in answer.machines],
        empty="No machine is like that.",
        note="What was sold on the days before today, in the machine's own currency; each picture "
        "has the scale of its own machine.",
    )
    words = {"state": state, "text": text, "retired": retired}
    return ConsolePage(
        title="Machines",
        template="machines.html",
        tables=(table, _day_table(sold, today, why, most)),
        values={"states": STATES, "words": words, "sales_complete": sales.complete(told)},
        more={"machines": {**words, "page": answer.next_page_token}}
        if answer.next_page_token
        else {},
    )

"""Each page of the console as the calls tell it: what stands in its tables, in its figures and in
its pictures. A page that is not here fails its test.
"""

import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping

from tests.e2e.console_calls import (
    ALL,
    Ask,
    Cell,
    Expected,
    Lasted,
    Rows,
    Told,
    ago,
    complete,
    day_of,
    grouped,
    hkd,
    moment,
    money,
    sold,
    span,
    unless_zero,
    word,
)
from tests.e2e.console_offers import offers
from tests.e2e.console_office import campaigns, customers, places, products
from tests.e2e.console_screens import plans, screens

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
AGES = {"under a minute": 60, "under an hour": 3_600, "under a day": 86_400}
STATES = {"INACTIVE": "offline", "DISABLED": "disabled", "ENABLED": "ready"}
SUMS = {
    "money_in_minor": "Paid in",
    "money_sold_minor": "Sold",
    "money_refunded_minor": "Refunded",
    "money_held_minor": "Held for customers",
    "refunds_open_minor": "Due back",
    "goods_written_off_minor": "Goods written off",
    "refunds_written_off_minor": "Refunds written off",
}


def _state(machine: Told) -> str:
    phase = str(machine["phase"]).removeprefix("PHASE_")
    return STATES.get(phase, phase.replace("_", " ").lower())


def _work_items(told: Told) -> Rows:
    return [
        (
            word(one["kind"], "WORK_ITEM_KIND_"),
            one["machine_id"],
            Lasted(int(one["age_seconds"])),
            money(one, "amount"),
            one["reason"],
            one["next_step"],
        )
        for one in told["work_items"]
    ]


def _refunds(told: Told, now: dt.datetime) -> Rows:
    return [
        (
            one["refund_id"],
            one["machine_id"],
            money(one, "amount"),
            word(one["status"], "REFUND_STATUS_"),
            word(one["cause"], "REFUND_CAUSE_"),
            moment(one, "due_at"),
            Lasted(_age(one, now)),
            one["last_error"],
        )
        for one in told["refunds"]
    ]


def _age(refund: Told, now: dt.datetime) -> int:
    return int((now - dt.datetime.fromisoformat(refund["due_at"])) / dt.timedelta(seconds=1))


def _reconciliations(told: Told) -> Rows:
    return [
        (
            one["day"],
            one["file_name"],
            moment(one, "read_at"),
            one["row_count"],
            one["open_difference_count"],
            "yes" if one["day_was_over"] else "not when it was read",
        )
        for one in told["reconciliations"]
    ]


async def today(ask: Ask, now: dt.datetime) -> Expected:
    """Today."""
    day = ago(now, 0)
    red = await ask(
        "FleetService/ListMachines", phases=["PHASE_INACTIVE", "PHASE_DISABLED"], page_size=5
    )
    items = await ask("WorkItemService/ListWorkItems", page_size=50)
    refunds = await ask("TradeService/ListRefunds", open=True, page_size=50)
    read = await ask("TradeService/ListReconciliations", page_size=1)
    hours = await ask(
        "SalesService/GetSales",
        first_day=day,
        last_day=day,
        by="SALES_BY_HOUR",
        beside="SALES_BESIDE_SAME_WEEKDAYS",
    )
    so_far = await ask("SalesService/GetDaySales", day=day, hour=23)
    usual = await ask("SalesService/GetDaySales", day=day, hour=now.hour - 1)
    year = await ask("SalesService/GetSales", by="SALES_BY_DAY", **span(now, 182))
    by_day, said, numbers = _series(year, now, 182)
    ages = Counter(
        next((name for name, most in AGES.items() if _age(one, now) < most), "older")
        for one in refunds["refunds"]
    )
    by_age: Rows = [(name, ages[name]) for name in (*AGES, "older")]
    by_hour = {one["key"]: one for one in hours["lines"]}
    (one,) = usual["days"]
    most = max(_minor(one), int(one["high"]["minor"]), 1)
    return Expected(
        tables={
            "usual": [
                (
                    *sold(one["now"]),
                    *(money(one, of) for of in ("middle", "low", "high")),
                    one["weeks"],
                )
            ],
            "hours": [
                (f"{line['key']}:00", *sold(line["now"]), *sold(line["before"]))
                for line in hours["lines"]
            ],
            "by-day": by_day,
            "red": [await _not_selling(ask, machine) for machine in red["machines"]],
            "work-items": _work_items(items),
            "refunds": _refunds(refunds, now),
            "ages": by_age,
            "reconciliations": _reconciliations(read),
        },
        drawn=frozenset({"hours", "by-day", "ages"}),
        figures={
            "Machines not selling": f"{len(red['machines'])}{'+' * bool(red['next_page_token'])}",
            "Work items": str(len(items["work_items"])),
            "Open refunds": str(len(refunds["refunds"])),
            "Sold so far today": grouped(money(so_far["days"][0]["now"], "sales")),
        },
        pictures=[
            *(_hour(f"{hour:02}", by_hour.get(f"{hour:02}")) for hour in range(24)),
            said,
            *(str(count) for _, count in by_age),
        ],
        says=[complete(so_far), f"Sold until {now.hour:02}:00 in HKD"],
        marks=[
            numbers,
            f'<rect class="bar" x="0" y="14" width="{400 * _minor(one) // most}"',
            f'<rect class="usual" x="{400 * int(one["low"]["minor"]) // most}"',
        ],
    )


def _minor(line: Told) -> int:
    return int(line["now"]["sales"]["minor"])


def _hour(hour: str, of: Told | None) -> str:
    if of is None:
        return f"{hour}:00: nothing"
    now, before = (grouped(money(of[name], "sales")) for name in ("now", "before"))
    return f"{hour}:00: {now}, a week before {before}"


_WHOLE = {"HALTED", "DISABLED", "OFFLINE", "OUT OF SERVICE", "NO CODE"}


async def _not_selling(ask: Ask, machine: Told) -> tuple[Cell, ...]:
    health = await ask("IncidentService/GetMachineHealth", machine_id=machine["machine_id"])
    troubles = [
        (word(one["kind"], "TROUBLE_KIND_"), moment(one, "since")) for one in health["troubles"]
    ]
    whole = [since for kind, since in troubles if kind.upper() in _WHOLE and since]
    return (
        machine["machine_id"],
        machine["store_name"],
        _state(machine),
        min(whole, default=moment(machine, "connection_changed_at")),
        ", ".join(kind for kind, _ in troubles),
        money(health, "cost_per_hour"),
    )


def _series(told: Told, now: dt.datetime, half: int) -> tuple[Rows, str, str]:
    """Return the days on which something was sold, what the picture says, and the numbers of the
    one that can be zoomed.
    """
    of: dict[str, Told] = {}
    backs = {str(ago(now, back)): back for back in range(1, half + 1)}
    for line in told["lines"]:
        before = str(ago(now, backs[line["key"]] + half))
        now_and_before = ((line["key"], "now"), (before, "before"))
        of |= {day: line[name] for day, name in now_and_before if int(line[name]["units"])}
    all_days = [str(ago(now, back)) for back in range(2 * half, 0, -1)]
    minors = ",".join(of[day]["sales"]["minor"] if day in of else "" for day in all_days)
    most = grouped(hkd(_most(of.values())))
    return (
        [(day, *sold(of[day])) for day in sorted(of, reverse=True)],
        f"sold on {len(of)} of {2 * half} days, at most {most}",
        f'data-first="{day_of(ago(now, 2 * half))}" data-minors="{minors}" data-decimals="2"',
    )


async def machines(ask: Ask, now: dt.datetime) -> Expected:
    """Machines, each with its 28 days."""
    listed = (await ask("FleetService/ListMachines", page_size=100))["machines"]
    names = [one["machine_id"] for one in listed]
    told = await ask(
        "SalesService/GetSales", by="SALES_BY_MACHINE_DAY", machine_ids=names, **span(now, 14)
    )
    days: dict[str, dict[int, Told]] = {name: {} for name in names}
    for line in told["lines"]:
        d, _, name = line["key"].partition("-")
        back = next(one for one in range(1, 15) if str(ago(now, one)) == d)
        for at, amount in ((back, line["now"]), (back + 14, line["before"])):
            if int(amount["units"]) or int(amount["sales"]["minor"]):
                days[name][at] = amount
    return Expected(
        tables={
            "machines": [(*_machine(one, days[one["machine_id"]]),) for one in listed],
            "days": [
                (name, str(ago(now, back)), *sold(days[name][back]))
                for name in sorted(names)
                for back in sorted(days[name], reverse=True)
            ],
        },
        drawn=frozenset({"days"}),
        pictures=[
            f"sold on {len(of)} of 28 days, at most {grouped(hkd(_most(of.values())))}"
            for one in listed
            if (of := days[one["machine_id"]])
        ],
        says=[complete(told)],
    )


def _most(of: Iterable[Told]) -> int:
    return max(int(one["sales"]["minor"]) for one in of)


def _machine(machine: Told, days: Mapping[int, Told]) -> Iterable[Cell]:
    week, before = (
        hkd(sum(int(of["sales"]["minor"]) for back, of in days.items() if back in some))
        if days
        else ""
        for some in (range(1, 8), range(8, 15))
    )
    return (
        machine["machine_id"],
        machine["store_name"],
        _state(machine),
        "" if machine["online"] else moment(machine, "connection_changed_at"),
        money(machine, "funds") if int(machine.get("funds", {"minor": 0})["minor"]) else "",
        unless_zero(machine["open_refund_count"]),
        week,
        before,
        machine["last_fault"],
        machine["firmware"],
    )


async def machine(ask: Ask, now: dt.datetime) -> Expected:
    """One machine."""
    of = {"machine_id": "VM-1"}
    it = (await ask("FleetService/GetMachine", **of))["machine"]
    health = await ask("IncidentService/GetMachineHealth", **of)
    vends = await ask("SessionService/ListVends", page_size=10, **of)
    refunds = await ask("TradeService/ListRefunds", open=True, page_size=10, **of)
    items = await ask("WorkItemService/ListWorkItems", page_size=10, **of)
    events = await ask("EventService/ListEvents", page_size=10, **of)
    profile = (await ask("MachineProfileService/GetMachineProfile", **of))["profile"]
    only = {"machine_ids": ["VM-1"], **span(now)}
    week = await ask("SalesService/GetSales", by="SALES_BY_WEEKDAY_HOUR", **only)
    time = await ask("SalesService/GetSellableTime", by="SALES_BY_WEEKDAY", **only)
    days = span(now, 42)
    weeks = await ask("SalesService/GetSales", by="SALES_BY_DAY", machine_ids=["VM-1"], **days)
    by_day, said, numbers = _series(weeks, now, 42)
    hours = [
        (WEEKDAYS[int(one["key"][0]) - 1], f"{one['key'][2:]}:00", *sold(one["now"]))
        for one in week["lines"]
        if int(one["now"]["units"])
    ]
    away, since = "connected" if it["online"] else "away", moment(it, "connection_changed_at")
    return Expected(
        tables={
            "troubles": [
                (
                    word(one["kind"], "TROUBLE_KIND_"),
                    one["column"],
                    one["detail"],
                    moment(one, "since"),
                    money(one, "cost_per_hour"),
                )
                for one in health["troubles"]
            ],
            "columns": [
                (one["column"], one["product"], hkd(one["price_minor"]), *_fill(one))
                for one in it["columns"]
            ],
            "work-items": _work_items(items),
            "refunds": _refunds(refunds, now),
            "by-day": by_day,
            "week": [(*one,) for one in hours],
            "sellable": [_sellable(one) for one in time["lines"]],
            "vends": [_vend(one) for one in vends["vends"]],
            "events": [
                (moment(one, "at"), one["text"], one["session_id"]) for one in events["events"]
            ],
        },
        drawn=frozenset({"week", "by-day"}),
        figures={
            "Mode": word(it["mode"], "MODE_"),
            "Code": word(it["code_status"], "CODE_STATUS_"),
            "Currency": it["currency"],
            "Firmware": it["firmware"],
            "Address": it["address"],
            "Site": profile["site"],
            "Screen": "what it shows",
            "Sells an hour, usually": grouped(money(health, "usual_per_hour")) or "not known",
            "Troubles cost an hour": grouped(money(health, "cost_per_hour")) or "nothing known",
        },
        pictures=[
            *(_slot(one) for one in it["columns"]),
            *(f"{d} {at}: {n:,} items, {grouped(amount)}" for d, at, n, amount in hours),
            said,
        ],
        marks=[numbers],
        says=[
            complete(week),
            f"{it['store_name']} · {_state(it)} · {away} since {since}",
        ],
    )


def _fill(column: Told) -> tuple[int, int]:
    return column["stock"], column["capacity"]


def _slot(column: Told) -> str:
    stock, capacity = _fill(column)
    return f"{column['column']}: {column['product']}, {stock} of {capacity}"


def _sellable(of: Told) -> tuple[Cell, ...]:
    known, online, serving, sellable = (
        int(of[f"{name}_s"]) for name in ("known", "online", "in_service", "sellable")
    )
    lost = [one // 3_600 for one in (known - online, online - serving, serving - sellable)]
    columns = int(of["column_s"])
    empty: Cell = 100 * int(of["empty_column_s"]) // columns if columns else ""
    (there,) = of["sold"]
    name = WEEKDAYS[int(of["key"]) - 1]
    per_day = money(there, "per_sellable_day")
    return (name, known // 3_600, *lost, empty, *sold(there["sold"]), per_day)


def _vend(one: Told) -> tuple[Cell, ...]:
    return (
        moment(one, "requested_at"),
        one["column"],
        one["product"],
        money(one, "price"),
        word(one["status"], "VEND_STATUS_"),
        word(one["reason"], "VEND_REASON_"),
        moment(one, "ended_at"),
    )


async def stock(ask: Ask, now: dt.datetime) -> Expected:
    """Stock and routes, of all machines."""
    low = await ask("StockService/ListLowStock", selector=ALL, page_size=10)
    picked = await ask("StockService/GetPickList", selector=ALL)
    shrunk = await ask("StockService/ListShrinkage", selector=ALL, page_size=10)
    until = (now + dt.timedelta(days=30)).date().isoformat()
    lots = await ask("GoodsService/ListLots", page_size=100, expires_until=until)
    return Expected(
        tables={
            "low": [(*_where(one), *_fill(one), _par(one), _lasts(one)) for one in low["lines"]],
            "totals": [(one["product"], int(one["quantity"])) for one in picked["totals"]],
            "lines": [
                (
                    *(*_where(one), one["stock"], _par(one)),
                    *(unless_zero(one[of]) for of in ("bring", "take_out")),
                )
                for one in picked["lines"]
            ],
            "lots": [
                (one["product"], one["lot"], one["expires_on"], int(one["in_stores"]))
                for one in lots["lots"]
            ],
            "shrinkage": [
                (
                    one["machine_id"],
                    one["product"],
                    int(one["lost"]),
                    unless_zero(one["found"]),
                    money(one, "cost"),
                    moment(one, "counted_at"),
                )
                for one in shrunk["lines"]
            ],
        },
        pictures=[f"{int(one['quantity']):,}" for one in picked["totals"]],
    )


def _where(line: Told) -> tuple[str, str, str]:
    return line["machine_id"], line["column"], line["product"]


def _par(line: Told) -> Cell:
    return unless_zero(line["par"])


def _lasts(line: Told) -> str:
    if "supply_hours" not in line:
        return "nothing was sold"
    high = line.get("supply_hours_high", "?")
    return f"{line['supply_hours']} ({line['supply_hours_low']} to {high})"


async def ledger(ask: Ask, now: dt.datetime) -> Expected:
    """Money."""
    (balance,) = (await ask("TradeService/GetBalances"))["balances"]
    refunds = await ask("TradeService/ListRefunds", open=True, page_size=100)
    items = await ask(
        "WorkItemService/ListWorkItems",
        page_size=100,
        kinds=[
            f"WORK_ITEM_KIND_{kind}"
            for kind in ("RECONCILIATION_DIFFERENCE", "PAYMENT_CONFLICT", "NOTIFICATION_REFUSED")
        ],
    )
    read = await ask("TradeService/ListReconciliations", page_size=14)
    sums = [hkd(balance[name]) for name in SUMS]
    return Expected(
        tables={
            "ledger": [("HKD", *sums, "yes" if balance["ledger_balanced"] else "NO")],
            "refunds": _refunds(refunds, now),
            "work-items": _work_items(items),
            "reconciliations": _reconciliations(read),
        },
        pictures=[grouped(one) for one in sums],
    )


COMPARED: Mapping[str, tuple[str, Callable[[Ask, dt.datetime], Awaitable[Expected]]]] = {
    "/": ("", today),
    "/machines": ("", machines),
    "/machines/{name}": ("", machine),
    "/stock": ("", stock),
    "/products": ("", products),
    "/places": ("", places),
    "/customers": ("tag=SOME", customers),
    "/campaigns": ("experiment=summer", campaigns),
    "/offers": ("offer=tea", offers),
    "/screens": ("machine=VM-1", screens),
    "/screens/plans": ("open=summer&ended=1", plans),
    "/money": ("", ledger),
}
"""Each page by its path, with the words of its query by which all of it is there."""

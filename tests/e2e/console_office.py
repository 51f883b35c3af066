"""The pages of the back office as the calls tell them: products, places, customers, campaigns and
screens.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence

from tests.e2e.console_calls import (
    ALL,
    Ask,
    Cell,
    Expected,
    Rows,
    Told,
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

SHOWN = 12
"""So much of a hash is shown."""
_STAGES = {
    "CODE_SHOWN": "were shown a code",
    "PAID": "paid",
    "APPROVED": "were approved",
    "DELIVERED": "got their goods",
}


async def products(ask: Ask, now: dt.datetime) -> Expected:
    """Products."""
    listed = await ask("ProductService/ListProducts", page_size=100)
    told = await ask("SalesService/GetSales", by="SALES_BY_PRODUCT", **span(now))
    lines = sorted(told["lines"], key=lambda one: (-_minor(one), one["key"]))
    whole = sum(map(_minor, lines))
    return Expected(
        tables={
            "sold": [
                (
                    *(one["key"], *sold(one["now"]), _share(_minor(one), whole)),
                    *(*_margin(one["now"]), *sold(one["before"])),
                )
                for one in lines
            ],
            "products": [
                (
                    one["code"],
                    one["names"].get("en", ""),
                    one["category"],
                    one["barcode"],
                    unless_zero(one["shelf_life_days"]),
                    money(one, "unit_cost"),
                    moment(one, "archived_at"),
                )
                for one in listed["products"]
            ],
        },
        figures=_margins([one["now"] for one in lines], whole),
        pictures=[
            f"{int(one['now']['units']):,} items, {grouped(money(one['now'], 'sales'))}"
            for one in lines
        ],
        says=[complete(told)],
    )


def _minor(line: Told) -> int:
    return int(line["now"]["sales"]["minor"])


def _margin(of: Told) -> tuple[Cell, Cell]:
    known = of["margin"]
    sales = int((known["sales"] or {"minor": 0})["minor"])
    if not int(known["units"]) and not sales:
        return "", ""
    return money(known, "margin"), _share(int(known["margin"]["minor"]), sales)


def _margins(told: Sequence[Told], whole: int) -> Mapping[str, str]:
    """Return the one figure of all margins; everything is sold in HKD."""
    known = [of["margin"] for of in told if int(of["margin"]["units"])]
    sales, left = (sum(int(of[name]["minor"]) for of in known) for name in ("sales", "margin"))
    said = f"{grouped(f'{left // 100}.{left % 100:02} HKD')}, {_share(left, sales)} %"
    return {f"Margin, cost known for {_share(sales, whole)} % of the money": said}


def _share(part: int, whole: int) -> str:
    tenths = 1_000 * part // whole
    return f"{tenths // 10}.{tenths % 10}"


async def places(ask: Ask, now: dt.datetime) -> Expected:
    """Places."""
    districts = await ask("PlaceService/ListDistricts", page_size=500)
    sites = (await ask("PlaceService/ListSites", page_size=500))["sites"]
    found = await ask("MachineProfileService/ListMachineProfiles", selector=ALL, page_size=500)
    hot = await ask("SalesService/GetHotDistricts", currency="HKD", **span(now))
    there = sorted(hot["districts"], key=lambda one: (-_believed(one), one["district"]))
    at = Counter(one["site"] for one in found["profiles"])
    labels = {one["district"]: word(one["label"], "DISTRICT_LABEL_") for one in there}
    placed = [one for one in sites if "position" in one]
    return Expected(
        tables={
            "hot": [_hot(one) for one in there],
            "districts": [
                (one["code"], one["name"], one["parent"]) for one in districts["districts"]
            ],
            "sites": [
                (
                    *(one["code"], one["name"], one["district"]),
                    one["type_word"] or word(one["type"], "SITE_TYPE_"),
                    *(one["time_zone"], at[one["code"]]),
                )
                for one in sites
            ],
            "machines": [
                tuple(one[of] for of in ("machine_id", "site", "district", "model", "serial"))
                for one in found["profiles"]
            ],
        },
        pictures=[
            one["name"]
            + (f": its district is {label}" if (label := labels.get(one["district"])) else "")
            for one in placed
        ],
        says=[complete(hot), f"{len(sites) - len(placed)} sites have no position"],
        marks=[f'aria-label="Map of {len(placed)} sites"'],
    )


def _believed(district: Told) -> int:
    return int(district["believed"]["middle"]["minor"])


def _hot(one: Told) -> tuple[Cell, ...]:
    ranges = (money(one[of], end) for of in ("believed", "new_machine") for end in _ENDS)
    label = word(one["label"], "DISTRICT_LABEL_")
    return (
        *(one["district"], label, one["above_percent"], one["machines"]),
        *(money(one, "raw"), *ranges),
    )


_ENDS = ("middle", "low", "high")


async def customers(ask: Ask, now: dt.datetime) -> Expected:
    """Customers, with one tag."""
    tags = await ask("TagService/ListTags", page_size=100)
    runs = (await ask("TagService/ListTagRuns", tag="SOME", page_size=60))["runs"]
    members = await ask("TagService/GetTagMembers", tag="SOME")
    bought = await ask("TagService/GetTagSales", tag="SOME")
    funnel = await ask("SalesService/GetFunnel", **span(now))
    cells: Rows = [(one["district"], int(one["payers"])) for one in members["cells"]]
    others: Rows = [("others together", int(members["others"]))] if "others" in members else []
    steps: Rows = [
        (
            one["mode"].lower().replace("_", " "),
            _STAGES[one["stage"]],
            _known(one, "number"),
        )
        for one in funnel["steps"]
    ]
    return Expected(
        tables={
            "tags": [
                (
                    one["tag"],
                    _known(one["run"], "members"),
                    one["run"]["day"],
                    one["newest"]["version"],
                    one["newest"]["rule"]["rule"],
                    one["run"]["error"],
                    moment(one, "retired_at"),
                )
                for one in tags["tags"]
            ],
            "runs": [
                (
                    one["day"],
                    *(_known(one, of) for of in ("members", "joined", "departed")),
                    *(one["version"], int(one["position"]), one["error"]),
                )
                for one in runs
            ],
            "members": cells + others,
            "bought": [
                (
                    one["currency"],
                    *(_known(one, of) for of in ("payers", "units")),
                    money(one, "sales"),
                )
                for one in bought["sales"]
            ],
            "funnel": steps,
        },
        pictures=[
            *(_or_few(_known(one, "members")) for one in reversed(runs)),
            *(_or_few(number) for *_, number in steps),
        ],
        says=[complete(funnel)],
    )


def _known(of: Told, name: str) -> Cell:
    return int(of[name]) if name in of else ""


def _or_few(number: Cell) -> str:
    return "too few to tell" if number == "" else str(number)


async def campaigns(ask: Ask, _now: dt.datetime) -> Expected:
    """Campaigns, with one that has ended."""
    listed = (await ask("ExperimentService/ListExperiments", page_size=100))["experiments"]
    told = await ask("ExperimentService/GetExperiment", code="summer")
    units = await ask("ExperimentService/ListExperimentUnits", code="summer", page_size=200)
    ended = [one for one in listed if "lift_permille" in one.get("result", {})]
    return Expected(
        tables={
            "experiments": [
                (
                    one["code"],
                    word(one["state"], "EXPERIMENT_STATE_"),
                    one["content"]["hypothesis"],
                    word(one["content"]["channel"], "EXPERIMENT_CHANNEL_"),
                    day_of(one["last_day"]),
                    one["sentence"],
                )
                for one in listed
            ],
            "lifts": [_lift(one) for one in ended],
            "fixed": [row for row in _fixed(told["experiment"]) if row[1]],
            "guardrails": [
                (
                    word(one["arm"], "EXPERIMENT_ARM_"),
                    *(_permille(one, f"{of}_permille") for of in _RAILS),
                )
                for one in told["guardrails"]
            ],
            "units": [
                (
                    one["machine_id"],
                    word(one["arm"], "EXPERIMENT_ARM_"),
                    unless_zero(one["block"]),
                    one["acknowledged_days"],
                    *(one[of].replace("_", " ").lower() for of in ("excluded", "left_out")),
                )
                for one in units["units"]
            ],
        },
        pictures=[
            f"{_percent(one['result']['low_permille'])} to "
            f"{_percent(one['result']['high_permille'])}"
            for one in ended
        ],
        says=[told["experiment"]["sentence"]],
    )


_RAILS = ("sellable", "empty", "failed", "given_back")


def _percent(permille: int) -> str:
    return f"{'-' if permille < 0 else '+'}{abs(permille) // 10}.{abs(permille) % 10} %"


def _permille(of: Told, name: str) -> str:
    return f"{of[name] // 10}.{of[name] % 10} %" if name in of else ""


def _lift(one: Told) -> tuple[Cell, ...]:
    result = one["result"]
    p = result["p_permille"]
    return (
        one["code"],
        *(_percent(result[f"{of}_permille"]) for of in ("lift", "low", "high")),
        f"{p // 1_000}.{p % 1_000:03}",
        result["blocks"],
        _permille(one, "detectable_permille"),
        money(result, "cost"),
    )


def _fixed(of: Told) -> Sequence[tuple[str, str]]:
    content = of["content"]
    return [
        ("compared with", f"{day_of(of['pre_first_day'])} to {day_of(of['pre_last_day'])}"),
        ("counts", f"{day_of(of['first_day'])} to {day_of(of['last_day'])}"),
        ("compared by", word(content["design"], "EXPERIMENT_DESIGN_")),
        ("counted", word(content["measure"], "EXPERIMENT_MEASURE_")),
        ("machines at which buy", content["tag"]),
        ("playlist", content["playlist"]),
        ("prices", ", ".join(f"{x['product']} {hkd(x['price_minor'])}" for x in content["prices"])),
        ("tried all the same, because", content["forced_reason"]),
        ("plan", of["plan_sha256"]),
        ("created by", of["created_by"]),
        ("started by", of["started_by"]),
    ]

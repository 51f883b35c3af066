"""Customers: how many have which tag, over time, and how far they come. No page names one of them:
every figure here went through the gate, and what is not told is drawn as nothing.
"""

from collections.abc import Iterable

from gateway.office.v1 import sales_service_pb2, tag_service_pb2
from gateway.web.charts import Bar, bars
from gateway.web.sales import SPAN_DAYS, complete
from gateway.web.tables import Link, Table, moment, money
from gateway.web.view import ConsolePage, Looking, Missing
from storage.insight import days

PAGE = 100
RUNS = 60
HIDDEN = "Numbers are rounded down to whole steps, and too few to be told are left out."
_SAID = {
    "CODE_SHOWN": "were shown a code",
    "PAID": "paid",
    "APPROVED": "were approved",
    "DELIVERED": "got their goods",
}


async def customers(looking: Looking) -> ConsolePage:
    """Return the page; with the days of a tag, if the query names it."""
    chosen = looking.word("tag")
    tags = await looking.ask(
        tag_service_pb2.ListTagsRequest(page_size=PAGE, page_token=looking.token("page"))
    )
    today = days.as_number(looking.local().date())
    funnel = await looking.attempt(
        sales_service_pb2.GetFunnelRequest(
            first_day=days.moved(today, -SPAN_DAYS), last_day=days.moved(today, -1)
        )
    )
    tables = [_tags(tags.tags), _funnel(funnel)]
    runs: list[tag_service_pb2.TagRun] = []
    if chosen:
        told = await looking.ask(tag_service_pb2.ListTagRunsRequest(tag=chosen, page_size=RUNS))
        members = await looking.attempt(tag_service_pb2.GetTagMembersRequest(tag=chosen))
        runs = list(told.runs)
        bought = await looking.attempt(tag_service_pb2.GetTagSalesRequest(tag=chosen))
        tables += [_runs(chosen, runs), _members(chosen, members), _bought(chosen, bought)]
    return ConsolePage(
        title="Customers",
        template="customers.html",
        tables=tables,
        values={
            "chosen": chosen,
            "days": _drawn(runs),
            "steps": _steps(funnel),
            "sales_complete": complete(funnel),
        },
        more={"tags": {"page": tags.next_page_token}} if tags.next_page_token else {},
    )


def _number(has: bool, number: int) -> int | None:
    return number if has else None


def _tags(of: Iterable[tag_service_pb2.Tag]) -> Table:
    return Table(
        name="tags",
        title="Tags",
        heads=("Tag", "Have it", "As of the day", "Version", "Rule", "Trouble", "Retired"),
        rows=[
            (
                Link(one.tag, f"/customers?tag={one.tag}"),
                _number(one.run.HasField("members"), one.run.members),
                str(one.run.day) if one.HasField("run") else "not evaluated yet",
                one.newest.version,
                one.newest.rule.rule,
                one.run.error,
                moment(one.retired_at),
            )
            for one in of
        ],
        empty="No tag has been made yet: CreateTag takes one in, a starter by its name alone.",
        note=f"A tag is of Alipay accounts, not of persons, and says what was bought. {HIDDEN}",
    )


def _runs(tag: str, of: Iterable[tag_service_pb2.TagRun]) -> Table:
    return Table(
        name="runs",
        title=f"{tag} over time",
        heads=("Day", "Have it", "Joined", "Departed", "Version", "Position", "Trouble"),
        rows=[
            (
                str(one.day),
                *(
                    _number(one.HasField(name), getattr(one, name))
                    for name in ("members", "joined", "departed")
                ),
                one.version,
                one.position,
                one.error,
            )
            for one in of
        ],
        empty="It has not been evaluated yet.",
        note=f"With another version of its rule all depart, and who fulfils it joins. {HIDDEN}",
    )


def _members(tag: str, of: tag_service_pb2.GetTagMembersResponse | Missing) -> Table:
    rows: list[tuple[str, int]] = []
    if not isinstance(of, Missing):
        rows = [(one.district or "in no district", one.payers) for one in of.cells]
        if of.HasField("others"):
            rows.append(("others together", of.others))
    return Table(
        name="members",
        title=f"Where those with {tag} buy most",
        heads=("District", "Have it"),
        rows=rows,
        empty=of.why if isinstance(of, Missing) else "Too few have it for a figure.",
        note=HIDDEN,
    )


def _bought(tag: str, of: tag_service_pb2.GetTagSalesResponse | Missing) -> Table:
    rows = () if isinstance(of, Missing) else of.sales
    span = "" if isinstance(of, Missing) else f", {of.first_day} to {of.last_day}"
    return Table(
        name="bought",
        title=f"What those with {tag} bought{span}",
        heads=("Currency", "Bought something", "Items", "Sales"),
        rows=[
            (
                one.currency,
                _number(one.HasField("payers"), one.payers),
                _number(one.HasField("units"), one.units),
                money(one.sales),
            )
            for one in rows
        ],
        empty=of.why if isinstance(of, Missing) else "Too few bought anything for a figure.",
        note="Rounded down to steps of 1, 2 or 5 with zeros that hide what any one of them bought; "
        "less is left out.",
    )


def _funnel(of: sales_service_pb2.GetFunnelResponse | Missing) -> Table:
    steps = () if isinstance(of, Missing) else of.steps
    return Table(
        name="funnel",
        title=f"How far customers came, {SPAN_DAYS} days before today",
        heads=("In which order", "How far", "How many"),
        rows=[
            (
                _mode(one.mode),
                _SAID.get(one.stage, one.stage),
                _number(one.HasField("number"), one.number),
            )
            for one in steps
        ],
        empty=of.why if isinstance(of, Missing) else "Nobody came, as far as is known.",
        note="Each payment, choice and item is counted once. Who pays first scans the code that is "
        f"on the machine, and is shown none. {HIDDEN}",
    )


def _mode(mode: str) -> str:
    return mode.lower().replace("_", " ") or "not known any more"


def _steps(of: sales_service_pb2.GetFunnelResponse | Missing) -> dict[str, list[Bar]]:
    """Return a picture of each mode."""
    drawn: dict[str, list[tuple[str, int | None, str]]] = {}
    for one in () if isinstance(of, Missing) else of.steps:
        number = _number(one.HasField("number"), one.number)
        said = "too few to tell" if number is None else str(number)
        drawn.setdefault(_mode(one.mode), []).append(
            (_SAID.get(one.stage, one.stage), number, said)
        )
    return {mode: bars(of) for mode, of in drawn.items()}


def _drawn(runs: Iterable[tag_service_pb2.TagRun]) -> list[Bar]:
    """Return a bar for each day, the last 14 of them."""
    newest = {one.day: one for one in reversed(list(runs)) if not one.error}
    return bars(
        [
            (
                str(day),
                _number(newest[day].HasField("members"), newest[day].members),
                str(newest[day].members) if newest[day].HasField("members") else "too few to tell",
            )
            for day in sorted(newest)[-14:]
        ]
    )

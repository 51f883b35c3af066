"""TagService: rules are checked and kept, and no way out tells of nine payers."""

from functools import partial

from sqlalchemy import Connection, Table, select

from gateway.office.v1 import experiment_pb2, sales_service_pb2
from gateway.office.v1 import tag_service_pb2 as wire
from storage.insight import days
from storage.insight.funnel import Stage
from storage.insight.rollups import Sums, save
from storage.tables import experiment_payers, payer_tags, payers, sale_facts, scope_funnels
from tests.gateway.office.tagging import (
    ANY,
    TRADE,
    buy,
    create,
    erase,
    evaluate,
    paid,
    tags_of,
)
from tests.gateway.web.signed_in import signed_in
from tests.storage.experiments.customers import held_out
from tests.storage.insight.tagged import TODAY, Purchase, have_bought, several
from tests.support.fleet_calls import refusal
from tests.support.site import Site


def all_of(connection: Connection, table: Table) -> str:
    """A table as text."""
    return str(connection.execute(select(table)).all())


async def test_tags_are_made_changed_and_retired(site: Site) -> None:
    """Each version is kept, with who made it and why; a starter comes by its name."""
    calls = tags_of(site)
    made = (await calls.CreateTag(create())).tag
    assert ("SOME", 1, ANY, 1, "ann", "for a try") == (
        made.tag,
        made.newest.version,
        made.newest.rule.rule,
        made.newest.rule.purchases_min,
        made.newest.author,
        made.newest.reason,
    )
    assert made == (await calls.CreateTag(create())).tag
    starter = wire.CreateTagRequest(tag="REGULAR", reason="to thank them")
    assert 4 == (await calls.CreateTag(starter)).tag.newest.rule.purchases_min
    basket = wire.CreateTagRequest(tag="BIG_BASKET", reason="x", rule=wire.TagRule(currency="HKD"))
    assert "HKD" == (await calls.CreateTag(basket)).tag.newest.rule.currency
    two = wire.TagRule(rule='{"feature":"visits_90","at_least":2}')
    change = wire.UpdateTagRequest(tag="SOME", version=1, rule=two, reason="more")
    assert 2 == (await calls.UpdateTag(change)).tag.newest.version
    assert [2, 1] == [
        one.version for one in (await calls.GetTag(wire.GetTagRequest(tag="SOME"))).versions
    ]
    listed = await calls.ListTags(wire.ListTagsRequest(page_size=2))
    assert ["BIG_BASKET", "REGULAR"] == [one.tag for one in listed.tags]
    rest = await calls.ListTags(
        wire.ListTagsRequest(page_size=2, page_token=listed.next_page_token)
    )
    assert ["SOME"] == [one.tag for one in rest.tags]
    retired = await calls.RetireTag(wire.RetireTagRequest(tag="SOME", reason="over"))
    assert retired.tag.HasField("retired_at")
    assert (await calls.GetTag(wire.GetTagRequest(tag="SOME"))).HasField("retired_at")
    for call, code, reason in (
        (calls.CreateTag(create(rule='{"not":' + ANY + "}")), "FAILED_PRECONDITION", "TAG_RETIRED"),
        (calls.UpdateTag(change), "FAILED_PRECONDITION", "TAG_RETIRED"),
        (
            calls.CreateTag(create("REGULAR", ANY)),
            "ALREADY_EXISTS",
            "TAG_EXISTS",
        ),
        (
            calls.UpdateTag(wire.UpdateTagRequest(tag="REGULAR", version=7, rule=two, reason="x")),
            "ABORTED",
            "ETAG_STALE",
        ),
        (calls.GetTag(wire.GetTagRequest(tag="NONE")), "NOT_FOUND", "TAG_NOT_FOUND"),
        (calls.ListTagRuns(wire.ListTagRunsRequest(tag="NONE")), "NOT_FOUND", "TAG_NOT_FOUND"),
        (calls.GetTagMembers(wire.GetTagMembersRequest(tag="NONE")), "NOT_FOUND", "TAG_NOT_FOUND"),
        (calls.GetTagSales(wire.GetTagSalesRequest(tag="NONE")), "NOT_FOUND", "TAG_NOT_FOUND"),
        (
            calls.GetTagSales(wire.GetTagSalesRequest(tag="REGULAR")),
            "FAILED_PRECONDITION",
            "NOT_EVALUATED",
        ),
        (
            calls.GetTagMembers(wire.GetTagMembersRequest(tag="REGULAR")),
            "FAILED_PRECONDITION",
            "NOT_EVALUATED",
        ),
    ):
        told = await refusal(call)
        assert (code, reason) == (told[0].name, told[1])


async def test_nine_payers_are_told_nowhere(site: Site) -> None:
    """In no list, no run, no cell, no funnel, no page and no file; neither is one who joins."""
    calls = tags_of(site)
    await calls.CreateTag(create())
    await buy(site, {"hill": 9})
    await evaluate(site)
    sums = Sums()
    for stage, number in ((Stage.PAID, 19), (Stage.DELIVERED, 9)):
        sums.add(scope_funnels, ("FLEET", "", TODAY, "SELECTION_FIRST", str(stage)), (number,))
    await site.database.write(lambda connection: save(connection, sums.rows()))
    (listed,) = (await calls.ListTags(wire.ListTagsRequest())).tags
    (run,) = (await calls.ListTagRuns(wire.ListTagRunsRequest(tag="SOME"))).runs
    for one in (listed.run, run):
        assert (TODAY, 9_999) == (one.day, one.position)
        assert not any(one.HasField(name) for name in ("members", "joined", "departed"))
    members = await calls.GetTagMembers(wire.GetTagMembersRequest(tag="SOME"))
    assert not members.cells
    assert not members.HasField("others")
    assert not members.HasField("whole")
    assert not (await calls.GetTagSales(wire.GetTagSalesRequest(tag="SOME"))).sales
    funnel = await site.sales.GetFunnel(
        sales_service_pb2.GetFunnelRequest(first_day=TODAY, last_day=TODAY)
    )
    told = {step.stage: step.number for step in funnel.steps if step.HasField("number")}
    assert {"PAID": 10} == told
    async with signed_in(site) as browser:
        for table in ("tags", "runs", "members", "bought"):
            csv = await browser.get("/customers", params={"tag": "SOME", "csv": table})
            cells = {
                cell.strip('"\r\n') for line in csv.text.splitlines() for cell in line.split(",")
            }
            assert 200 == csv.status_code
            assert "9" not in cells, table
        page = await browser.get("/customers", params={"tag": "SOME"})
    assert "too few to tell" in page.text
    assert "Too few have it for a figure" in page.text


async def test_nothing_is_learnt_by_subtraction(site: Site) -> None:
    """Not from the whole less the cells, and not from one day less the other."""
    calls = tags_of(site)
    await calls.CreateTag(create())
    await buy(site, {"hill": 9, "pier": 25, "city": 47})
    await evaluate(site)
    ours = wire.GetTagMembersRequest(tag="SOME")
    members = await calls.GetTagMembers(ours)
    assert [("city", 40)] == [(one.district, one.payers) for one in members.cells]
    assert (30, 80) == (members.others, members.whole)
    sold = await calls.GetTagSales(wire.GetTagSalesRequest(tag="SOME"))
    (line,) = sold.sales
    # Of 81 payers and items, of 405.00: ten of them buy 10 items of 50.00.
    assert ("HKD", 80, 80, 40_000) == (
        line.currency,
        line.payers,
        line.units,
        line.sales.minor,
    )
    assert (days.moved(TODAY, -27), TODAY, 80) == (
        sold.first_day,
        sold.last_day,
        sold.run.members,
    )
    await buy(site, {"pier": 3}, first=500)
    await evaluate(site, days.moved(TODAY, 1))
    runs = (await calls.ListTagRuns(wire.ListTagRunsRequest(tag="SOME"))).runs
    assert [80, 80] == [one.members for one in runs]
    assert not runs[0].HasField("joined")
    assert 80 == runs[1].joined
    again = await calls.GetTagMembers(ours)
    assert [("city", 40)] == [(one.district, one.payers) for one in again.cells]
    page = await calls.ListTagRuns(wire.ListTagRunsRequest(tag="SOME", page_size=1))
    rest = await calls.ListTagRuns(
        wire.ListTagRunsRequest(tag="SOME", page_size=1, page_token=page.next_page_token)
    )
    assert [TODAY] == [one.day for one in rest.runs]


async def test_a_payer_who_asks_is_told_what_is_held(site: Site) -> None:
    """Until they are erased; then nothing is held that is theirs."""
    calls, ours = tags_of(site), wire.GetPayerRequest(trade_id=TRADE)
    code, reason, _ = await refusal(calls.GetPayer(ours))
    assert ("NOT_FOUND", "TRADE_NOT_FOUND") == (code.name, reason)
    assert "INVALID_REQUEST" == (await refusal(calls.GetPayer(wire.GetPayerRequest())))[1]
    await paid(site)
    trade = await site.queries.trade(TRADE)
    assert trade is not None
    payer_id = await site.database.read(
        lambda connection: connection.scalar(select(payers.c.payer_id))
    )
    assert payer_id
    await have_bought(site.database, several(Purchase(payer=payer_id), 1, 3))
    await calls.CreateTag(create())
    await evaluate(site)
    await held_out(site.database, payer_id)
    held = await calls.GetPayer(ours)
    assert ("a", experiment_pb2.EXPERIMENT_ARM_CONTROL, 700) == (
        held.experiments[0].experiment,
        held.experiments[0].arm,
        held.experiments[0].spent_before.minor,
    )
    assert (True, 1, 2) == (held.known, held.payments, held.bought[0].units)
    assert (1_000, days.moved(TODAY, -2), TODAY, 1) == (
        held.bought[0].sales.minor,
        held.bought[0].first_day,
        held.bought[0].last_day,
        held.bought[0].machines,
    )
    assert [("SOME", 1, TODAY, 0)] == [
        (one.tag, one.version, one.since_day, one.until_day) for one in held.tags
    ]
    assert await erase(site)
    assert wire.GetPayerResponse() == await calls.GetPayer(ours)
    for table in (payer_tags, sale_facts, payers, experiment_payers):
        assert payer_id not in await site.database.read(partial(all_of, table=table))

"""A template is applied to all machines of a selector or to none of them, once, at its time."""

from typing import Any

import grpc
import pytest

from gateway.fleet.idempotence import LEASE_MS
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.links.commands import HostUnavailable
from gateway.office.import_worker import HELD_MS
from gateway.office.v1 import goods_service_pb2, planogram_pb2, product_service_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from gateway.office.v1.selector_pb2 import Selector
from storage.fleet.answers import Answers
from storage.machines.rows import DAY_MS
from tests.gateway.office.applying import (
    EVERYONE,
    Set,
    applied,
    carried_out,
    changed,
    listed,
    looked_at,
    made,
    price,
    products,
    template,
    worker,
)
from tests.support.fleet_calls import refusal, registered
from tests.support.site import Site, found
from tests.support.site_machine import a_machine, heard


async def test_a_template_reaches_its_machines_once(site: Site) -> None:
    """A rehearsal says how each would change; done twice under one id it is one application; what
    is so already is not changed.
    """
    await products(site, "cola")
    for name in ("VM-1", "VM-2", "VM-3"):
        await site.register(name)
    await made(site, 600)
    named = Selector(machine_ids=["VM-1", "VM-2"])
    rehearsed = await applied(site, selector=named, validate_only=True)
    assert (2, 0, 0, ["VM-1", "VM-2"], ["A1: price 500 -> 600"]) == (
        rehearsed.changed_count,
        rehearsed.same_count,
        rehearsed.refused_count,
        [one.machine_id for one in rehearsed.changes],
        list(rehearsed.changes[0].differences),
    )
    assert not rehearsed.HasField("application")
    once = await applied(site, selector=named, request_id="r-1")
    assert once == await applied(site, selector=named, request_id="r-1")
    waits = await looked_at(site, once.application.application_id)
    assert planogram_pb2.APPLICATION_STATE_WAITING == waits.state
    assert await carried_out(worker(site))
    done = await looked_at(site, once.application.application_id)
    assert (planogram_pb2.APPLICATION_STATE_DONE, 2, 0) == (
        done.state,
        done.done_count,
        done.failed_count,
    )
    assert [(600, 2), (600, 2), (500, 1)] == [
        await price(site, name) for name in ("VM-1", "VM-2", "VM-3")
    ]
    again = await applied(site, selector=EVERYONE, validate_only=True)
    assert (1, 2) == (again.changed_count, again.same_count)
    every = await site.planograms.ListPlanogramApplications(wire.ListPlanogramApplicationsRequest())
    assert [done] == list(every.applications)


async def test_a_rehearsal_tells_pars(site: Site) -> None:
    """A template changes them too: nobody is told that nothing changes while they do."""
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 500, par=8)
    (first,) = (await applied(site, validate_only=True)).changes
    assert ["A1: par none -> 8"] == list(first.differences)
    await applied(site)
    assert await carried_out(worker(site))
    assert 1 == (await applied(site, validate_only=True)).same_count
    await changed(site, 500, par=5)
    (second,) = (await applied(site, validate_only=True)).changes
    assert ["A1: par 8 -> 5"] == list(second.differences)
    await changed(site, 500)
    assert 1 == (await applied(site, validate_only=True)).same_count


async def test_a_machine_that_cannot_have_it_refuses_the_whole(site: Site) -> None:
    """Another currency; no price in the list; nobody at all."""
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 600)
    await site.register("VM-2", currency="JPY")
    code, reason, _ = await refusal(applied(site))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "APPLICATION_REFUSED") == (code, reason)
    rehearsed = await applied(site, validate_only=True)
    assert (1, 1, "VM-2") == (
        rehearsed.changed_count,
        rehearsed.refused_count,
        rehearsed.changes[0].machine_id,
    )
    assert "HKD" in rehearsed.changes[0].problem
    nobody = Selector(model="Snack 99")
    assert "APPLICATION_REFUSED" == (await refusal(applied(site, selector=nobody)))[1]
    assert 0 == await carried_out(worker(site))


async def test_what_is_to_come_is_made_when_its_time_comes_and_once(site: Site) -> None:
    """Two gateways look for it, one of which was just started; a clock that is set back after it
    began loses nothing, and one that comes again doubles nothing. Prices are those of its time.
    """
    await products(site, "cola")
    await site.register("VM-1")
    await site.register("VM-2")
    await listed(site, 650)
    await made(site, None)
    now_ms = site.gateway.office.fleet.acts.clock.now_ms()
    asked = await applied(site, at_ms=now_ms + DAY_MS, machines_per_second=1)
    one, two = worker(site, "gw-1"), worker(site, "gw-2")
    assert (0, 0) == (await carried_out(one), await carried_out(two))
    assert (500, 1) == await price(site)
    one.clock = Set(now_ms + DAY_MS)
    assert await one.once()
    assert (650, 2) == await price(site)
    # The clock goes back, and the gateway that held it is gone.
    two.clock = Set(now_ms)
    assert await two.once()
    assert (650, 2) == await price(site, "VM-2")
    assert not await two.once()
    one.clock, two.clock = Set(now_ms + DAY_MS + HELD_MS), Set(now_ms + 2 * DAY_MS)
    assert (0, 0) == (await carried_out(one), await carried_out(two))
    done = await looked_at(site, asked.application.application_id)
    assert (planogram_pb2.APPLICATION_STATE_DONE, 2) == (done.state, done.done_count)
    assert [(650, 2), (650, 2)] == [await price(site, name) for name in ("VM-1", "VM-2")]


async def test_its_machines_are_fixed_when_the_call_is_made(site: Site) -> None:
    """Which is said: one that comes to be held before its time does not get it."""
    await products(site, "cola")
    await site.register("VM-1")
    await made(site)
    now_ms = site.gateway.office.fleet.acts.clock.now_ms()
    of = (await applied(site, at_ms=now_ms + DAY_MS)).application
    await site.register("VM-2")
    assert (1, of.created_at) == (of.machine_count, of.machines_fixed_at)
    assert of.machines_fixed_at.ToMilliseconds() < of.effective_time.ToMilliseconds()
    tomorrow = worker(site)
    tomorrow.clock = Set(now_ms + DAY_MS)
    assert 1 == await carried_out(tomorrow)
    assert [(600, 2), (500, 1)] == [await price(site, name) for name in ("VM-1", "VM-2")]


async def test_what_is_to_come_can_be_cancelled(site: Site) -> None:
    """Then its time comes and nothing happens; what is past cannot be asked for."""
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 600)
    now_ms = site.gateway.office.fleet.acts.clock.now_ms()
    asked = await applied(site, at_ms=now_ms + DAY_MS)
    stop = wire.StopPlanogramApplicationRequest(
        application_id=asked.application.application_id, reason="dearer"
    )
    stopped = (await site.planograms.StopPlanogramApplication(stop)).application
    assert (planogram_pb2.APPLICATION_STATE_STOPPED, "dearer") == (stopped.state, stopped.reason)
    here = worker(site)
    here.clock = Set(now_ms + DAY_MS)
    assert 0 == await carried_out(here)
    assert (500, 1) == await price(site)
    assert "APPLICATION_ENDED" == (await refusal(site.planograms.StopPlanogramApplication(stop)))[1]
    code, _, fields = await refusal(applied(site, at_ms=now_ms - 1_000))
    assert (grpc.StatusCode.INVALID_ARGUMENT, ["effective_time"]) == (code, fields)


async def test_goods_without_a_place_fail_the_line_of_their_machine(site: Site) -> None:
    """The rehearsal says which and how many, and its capacity was a typo. A person who means it
    says so, and ReverseMove brings them back.
    """
    await products(site, "cola")
    await site.register("VM-1")
    before = (
        await site.fleet.GetMachine(fleet_service_pb2.GetMachineRequest(machine_id="VM-1"))
    ).machine.columns[0]
    typo = template(600)
    typo.columns[0].capacity = 1
    await site.planograms.CreatePlanogramTemplate(
        wire.CreatePlanogramTemplateRequest(template=typo)
    )
    rehearsed = await applied(site, validate_only=True)
    said = f"{before.stock - 1} cola of A1 have no place any more"
    (change,) = rehearsed.changes
    assert (1, 0, 1, said) == (
        rehearsed.changed_count,
        rehearsed.refused_count,
        rehearsed.failing_count,
        change.problem,
    )
    gone = machine_pb2.RemovedGoods(column="A1", product="cola", quantity=before.stock - 1)
    assert [gone] == list(change.removed)
    asked = await applied(site)
    await carried_out(worker(site))
    lines = await site.planograms.ListApplicationLines(
        wire.ListApplicationLinesRequest(application_id=asked.application.application_id)
    )
    assert [True] == [one.problem.startswith(said) for one in lines.lines]
    assert (500, 1) == await price(site)
    meant = await applied(site, validate_only=True, goods_may_be_removed=True)
    assert (0, "", [gone]) == (
        meant.failing_count,
        meant.changes[0].problem,
        list(meant.changes[0].removed),
    )
    await applied(site, goods_may_be_removed=True)
    await carried_out(worker(site))
    assert (600, 2) == await price(site)


async def test_set_planogram_says_what_it_takes_out_of_the_books(site: Site) -> None:
    """Refused with what to do; with a word that it is meant, the answer says how many. The move is
    taken back when there is a place again.
    """
    column = machine_pb2.Column(column="A1", product="cola", price_minor=500, capacity=10, stock=9)
    await site.fleet.RegisterMachine(
        fleet_service_pb2.RegisterMachineRequest(
            machine_id="VM-1", store_name="Lobby", currency="HKD", columns=[column]
        )
    )
    machine = fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    (column,) = (await site.fleet.GetMachine(machine)).machine.columns
    had = column.stock
    other = machine_pb2.Column(column="A1", product="kola", price_minor=500, capacity=10)
    typo = fleet_service_pb2.SetPlanogramRequest(machine_id="VM-1", columns=[other])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.fleet.SetPlanogram(typo)
    said = str(refused.value.details())
    assert said.startswith(f"{had} cola of A1 have no place any more in this planogram")
    assert "goods_may_be_removed" in said
    typo.validate_only = True
    assert "GOODS_WITHOUT_PLACE" == (await refusal(site.fleet.SetPlanogram(typo)))[1]
    typo.goods_may_be_removed = True
    rehearsed = await site.fleet.SetPlanogram(typo)
    typo.validate_only = False
    done = await site.fleet.SetPlanogram(typo)
    gone = machine_pb2.RemovedGoods(column="A1", product="cola", quantity=had)
    assert [gone] == list(rehearsed.removed) == list(done.removed)
    column.stock = 0
    back = fleet_service_pb2.SetPlanogramRequest(machine_id="VM-1", columns=[column])
    assert not (await site.fleet.SetPlanogram(back)).removed
    moves = await site.goods.ListGoodsMoves(
        goods_service_pb2.ListGoodsMovesRequest(machine_id="VM-1")
    )
    (move,) = (one for one in moves.moves if one.to_place == "REMOVED:VM-1")
    reverse = goods_service_pb2.ReverseMoveRequest(move_id=move.id, reason="a typo")
    await site.goods.ReverseMove(reverse, metadata=(("x-actor", "ann"),))
    assert had == (await site.fleet.GetMachine(machine)).machine.columns[0].stock


async def test_what_a_machine_came_with_is_removed_before_its_host_heard_of_it(site: Site) -> None:
    """Its host hears of it first, so that the books say where the goods went."""
    await site.register("VM-1")
    tea = machine_pb2.Column(column="A1", product="tea", price_minor=500, capacity=10)
    swap = fleet_service_pb2.SetPlanogramRequest(
        machine_id="VM-1", columns=[tea], goods_may_be_removed=True
    )
    (gone,) = (await site.fleet.SetPlanogram(swap)).removed
    moves = await site.goods.ListGoodsMoves(
        goods_service_pb2.ListGoodsMovesRequest(machine_id="VM-1")
    )
    (move,) = (one for one in moves.moves if one.to_place == "REMOVED:VM-1")
    assert (gone.product, gone.quantity) == (move.product, move.quantity)
    assert gone.quantity > 0


async def test_a_planogram_that_waits_for_a_customer_is_taken_back(site: Site) -> None:
    """At once: who does it need not wait for the session's end, and what came with it is in the
    books as removed, until somebody says that it was never there. Until somebody agrees to that,
    the refusals say that nobody can take it out.
    """
    machine = await registered(site)
    async with a_machine(site) as stream:
        site.alipay.pay(machine.qr_payload, "5.00", "alice")
        await site.alipay.settle()
        await heard(stream, "begin_session")
        await _takes_back(site, machine)


async def _takes_back(site: Site, machine: machine_pb2.Machine) -> None:
    tea = machine_pb2.Column(column="B1", product="tea", price_minor=500, capacity=9, stock=6)
    more = fleet_service_pb2.SetPlanogramRequest(
        machine_id="VM-1", columns=[*machine.columns, tea], goods_may_be_removed=True
    )
    assert not (await site.fleet.SetPlanogram(more)).removed
    back = fleet_service_pb2.SetPlanogramRequest(machine_id="VM-1", columns=machine.columns)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.fleet.SetPlanogram(back)
    way = "(UnloadColumn, CountColumn), tea of B1, once its planogram is in force"
    assert way in str(refused.value.details())
    count = goods_service_pb2.CountColumnRequest(
        machine_id="VM-1", column="B1", product="tea", counted=0
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.goods.CountColumn(count)
    assert "ListConvergence whether its planogram is in force" in str(refused.value.details())
    back.goods_may_be_removed = True
    gone = machine_pb2.RemovedGoods(column="B1", product="tea", quantity=6)
    assert [gone] == list((await site.fleet.SetPlanogram(back)).removed)
    moves = await site.goods.ListGoodsMoves(
        goods_service_pb2.ListGoodsMovesRequest(machine_id="VM-1")
    )
    (move,) = (one for one in moves.moves if one.to_place == "REMOVED:VM-1")
    assert ("FOUND", "tea", 6) == (move.from_place, move.product, move.quantity)
    removed = goods_service_pb2.ListGoodsBalancesRequest(place="REMOVED:VM-1")
    assert [6] == [one.quantity for one in (await site.goods.ListGoodsBalances(removed)).balances]
    reverse = goods_service_pb2.ReverseMoveRequest(move_id=move.id, reason="nothing was put in")
    await site.goods.ReverseMove(reverse, metadata=(("x-actor", "ann"),))
    assert not (await site.goods.ListGoodsBalances(removed)).balances


@pytest.mark.parametrize("agreed", [False, True])
async def test_a_rehearsal_tells_of_goods_behind_a_planogram_that_waits(
    site: Site, agreed: bool
) -> None:
    """What is in the machine is told, and what came with the planogram that waits, as SetPlanogram
    tells it.
    """
    await products(site, "cola", "tea")
    machine = await registered(site)
    await made(site, 600)
    async with a_machine(site) as stream:
        site.alipay.pay(machine.qr_payload, "5.00", "alice")
        await site.alipay.settle()
        await heard(stream, "begin_session")
        tea = machine_pb2.Column(column="B1", product="tea", price_minor=500, capacity=9, stock=6)
        columns = [tea] if agreed else [*machine.columns, tea]
        more = fleet_service_pb2.SetPlanogramRequest(
            machine_id="VM-1", columns=columns, goods_may_be_removed=agreed
        )
        await site.fleet.SetPlanogram(more)
        for capacity in (10, 3):
            other = template(600)
            other.columns[0].capacity = capacity
            await site.planograms.UpdatePlanogramTemplate(
                wire.UpdatePlanogramTemplateRequest(template=other)
            )
            (change,) = (await applied(site, validate_only=True, goods_may_be_removed=True)).changes
            cola = machine_pb2.Column(
                column="A1", product="cola", price_minor=600, capacity=capacity
            )
            told = await site.fleet.SetPlanogram(
                fleet_service_pb2.SetPlanogramRequest(
                    machine_id="VM-1",
                    columns=[cola],
                    goods_may_be_removed=True,
                    validate_only=True,
                )
            )
            assert list(told.removed) == list(change.removed)
            assert told.removed


@pytest.mark.parametrize("sent", [False, True])
async def test_goods_that_the_host_cannot_hear_of_stay_where_they_are(
    site: Site, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    """The host is asked before anything is changed: whether it has heard or not, nothing was."""
    await site.register("VM-1")

    async def away(*_: Any, **__: Any) -> Any:
        raise HostUnavailable("away", sent=sent)

    monkeypatch.setattr(site.links, "command", away)
    tea = machine_pb2.Column(column="A1", product="tea", price_minor=500, capacity=10)
    swap = fleet_service_pb2.SetPlanogramRequest(
        machine_id="VM-1", columns=[tea], goods_may_be_removed=True
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.fleet.SetPlanogram(swap)
    assert "nothing was done: repeat the call later" in str(refused.value.details())
    assert 1 == (await found(lambda: site.queries.machine("VM-1"))).planogram_version


async def test_a_product_that_was_archived_since_reaches_no_new_column(site: Site) -> None:
    """The rehearsal says so, and the whole is refused; SetPlanogram says the same. A machine that
    has the product keeps it.
    """
    await products(site, "cola", "tea")
    await site.register("VM-1")
    await made(site, 600)
    archive = product_service_pb2.ArchiveProductRequest(product="cola", reason="autumn")
    await site.products.ArchiveProduct(archive)
    assert 0 == (await applied(site, validate_only=True)).refused_count
    tea = machine_pb2.Column(column="A1", product="tea", price_minor=500, capacity=10)
    swap = fleet_service_pb2.SetPlanogramRequest(
        machine_id="VM-1", columns=[tea], goods_may_be_removed=True
    )
    await site.fleet.SetPlanogram(swap)
    rehearsed = await applied(site, validate_only=True)
    assert (1, True) == (rehearsed.refused_count, "cola" in rehearsed.changes[0].problem)
    assert "APPLICATION_REFUSED" == (await refusal(applied(site)))[1]
    swap.columns[0].product = "cola"
    assert "PRODUCTS_ARCHIVED" == (await refusal(site.fleet.SetPlanogram(swap)))[1]


async def _nothing(*_: object) -> None:
    """What a process does that was killed."""


async def test_an_application_that_is_kept_is_answered_though_its_gateway_died(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commit and the answer: by the time somebody may ask again its moment is
    past, its template archived and its machines others, and it is there all the same.
    """
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 600)
    at_ms = site.clock.now_ms() + 1_000
    named = Selector(machine_ids=["VM-1"])
    with monkeypatch.context() as killed:
        killed.setattr(Answers, "finish", _nothing)
        first = await applied(site, at_ms=at_ms, selector=named, request_id="r-1")
    archive = wire.ArchivePlanogramTemplateRequest(template="summer", reason="autumn")
    await site.planograms.ArchivePlanogramTemplate(archive)
    site.clock.ahead_ms += LEASE_MS
    again = await applied(site, at_ms=at_ms, selector=named, request_id="r-1")
    assert first.application == again.application
    listed_ones = wire.ListPlanogramApplicationsRequest()
    every = await site.planograms.ListPlanogramApplications(listed_ones)
    assert [first.application] == list(every.applications)


async def test_a_line_that_waits_says_for_which_application(site: Site) -> None:
    """Who looks why a machine has not its planogram finds what is in its way."""
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 600)
    first = await applied(site, request_id="r-1")
    second = await applied(site, request_id="r-2")

    async def waited_for(application_id: str) -> list[str]:
        request = wire.ListApplicationLinesRequest(
            application_id=application_id,
            state=planogram_pb2.APPLICATION_LINE_STATE_WAITING,
        )
        told = await site.planograms.ListApplicationLines(request)
        return [one.waits_for_application for one in told.lines]

    assert [""] == await waited_for(first.application.application_id)
    before = first.application.application_id
    assert [before] == await waited_for(second.application.application_id)

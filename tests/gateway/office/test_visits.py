"""VisitService over a real server, real SQL and real actors: one visit from the van to its end."""

import asyncio
from typing import Any

import grpc.aio
import pytest

from gateway.office.v1 import goods_service_pb2
from gateway.office.v1 import visit_service_pb2 as wire
from tests.support.fleet_calls import refusal, registered
from tests.support.goods_calls import VAN, count, load, there, transfer, twenty_in_a_van, unload
from tests.support.site import Site

HERE = "VISIT:v-1"


@pytest.fixture(autouse=True)
async def _goods(site: Site) -> None:
    """Have a machine, twenty of its product in a van, and an open visit that took ten of them."""
    await twenty_in_a_van(site)
    await site.visits.OpenVisit(opening())
    await site.goods.TransferGoods(transfer(10, VAN, HERE, visit="v-1"))


def opening(visit: str = "v-1", **more: Any) -> wire.OpenVisitRequest:
    """Return the request that begins a visit."""
    return wire.OpenVisitRequest(**{"visit": visit, "machine_id": "VM-1", "van": VAN, **more})


def goods(quantity: int, lot: str = "L1") -> list[goods_service_pb2.GoodsLine]:
    """Return so many cola."""
    return [goods_service_pb2.GoodsLine(product="cola", lot=lot, quantity=quantity)]


def from_here(quantity: int, **more: Any) -> Any:
    """Return the request that loads what was taken for the visit."""
    return load(quantity, visit="v-1", **{"from": HERE, **more})


async def test_a_visit_says_what_was_missing(site: Site) -> None:
    """Ten taken; a count finds one missing, six are loaded, two broke; of the two that are left one
    is back and one is nowhere.
    """
    await site.goods.CountColumn(count(1, visit="v-1"))
    await site.goods.LoadColumn(from_here(6))
    waste = {"from": HERE, "goods": goods(2), "visit": "v-1", "reason": "broken"}
    await site.goods.WasteGoods(goods_service_pb2.WasteGoodsRequest(**waste))  # type: ignore[arg-type]  # a word of Python's own
    account = await site.visits.GetVisit(wire.GetVisitRequest(visit="v-1"))
    assert [(HERE, 2)] == [(one.place, one.quantity) for one in account.left]

    too_few = wire.CloseVisitRequest(visit="v-1", returned=goods(1))
    _, reason, _ = await refusal(site.visits.CloseVisit(too_few))
    assert "VISIT_NOT_ACCOUNTED" == reason
    close = wire.CloseVisitRequest(
        visit="v-1",
        returned=goods(1),
        lost=goods(1),
        reason="fell behind the machine",
        etag=account.visit.etag,
        request_id="c-1",
    )
    answer = await site.visits.CloseVisit(close)
    assert answer == await site.visits.CloseVisit(close)
    (line,) = answer.lines
    assert (10, 6, 1, 1, 1, 2) == (
        line.taken,
        line.loaded,
        line.returned,
        line.missing,
        line.lost,
        line.wasted,
    )
    again = await site.visits.GetVisit(wire.GetVisitRequest(visit="v-1"))
    assert list(answer.lines) == list(again.lines)
    assert {VAN: 11, "COLUMN:VM-1/A1": 7} == await there(site)


async def test_nothing_is_done_on_a_visit_that_is_over(site: Site) -> None:
    """Nor on one to another machine; nor does what is taken back come to it: nobody would see it
    there any more. What was done at the machine is undone by what is done there now.
    """
    await site.goods.LoadColumn(from_here(6))
    await registered(site, "VM-2")
    elsewhere = unload(1, HERE, visit="v-1", machine_id="VM-2")
    for call in (
        site.goods.UnloadColumn(elsewhere),
        site.goods.LoadColumn(from_here(1, machine_id="VM-2", request_id="load-2")),
    ):
        _, reason, _ = await refusal(call)
        assert "VISIT_ELSEWHERE" == reason
    await site.visits.CloseVisit(wire.CloseVisitRequest(visit="v-1", returned=goods(4)))
    for call in (
        site.goods.UnloadColumn(unload(1, VAN, visit="v-1")),
        site.goods.CountColumn(count(1, visit="v-1")),
        site.goods.TransferGoods(transfer(1, VAN, HERE, visit="v-1")),
        site.visits.CloseVisit(wire.CloseVisitRequest(visit="v-1")),
    ):
        _, reason, _ = await refusal(call)
        assert "VISIT_CLOSED" == reason
    moves = await site.goods.ListGoodsMoves(
        goods_service_pb2.ListGoodsMovesRequest(machine_id="VM-1", page_size=1)
    )
    returned = await site.goods.ListGoodsMoves(
        goods_service_pb2.ListGoodsMovesRequest(visit="v-1", page_size=1)
    )
    for move in (moves.moves[0], returned.moves[0]):
        for checked in (True, False):
            back = goods_service_pb2.ReverseMoveRequest(
                move_id=move.id, reason="another one", validate_only=checked
            )
            assert "VISIT_CLOSED" == (await refusal(site.goods.ReverseMove(back)))[1]
    await site.goods.UnloadColumn(unload(6, VAN, lot="L1"))
    assert {VAN: 20, "COLUMN:VM-1/A1": 2, "COLUMN:VM-2/A1": 4} == await there(site)


async def test_a_load_of_an_open_visit_goes_back_to_it(site: Site) -> None:
    """And the answer says that it did, not only that it went to the place between."""
    await site.goods.LoadColumn(from_here(6))
    moves = await site.goods.ListGoodsMoves(
        goods_service_pb2.ListGoodsMovesRequest(machine_id="VM-1", page_size=1)
    )
    back = goods_service_pb2.ReverseMoveRequest(move_id=moves.moves[0].id, reason="another one")
    done = await site.goods.ReverseMove(back)
    assert (True, HERE) == (done.move.to_place.startswith("LOADING:"), done.place)
    assert 10 == (await there(site))[HERE]


@pytest.mark.parametrize("act", ["reverse", "unload"])
async def test_a_visit_that_is_closed_meanwhile_keeps_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Whoever closed it counted without what comes out of a column just then: nobody would see it
    at the visit any more, so it is in the van. The same call again finds it there.
    """
    await site.goods.LoadColumn(from_here(6))
    moves = await site.goods.ListGoodsMoves(
        goods_service_pb2.ListGoodsMovesRequest(machine_id="VM-1", page_size=1)
    )
    command = site.links.command

    async def closed_first(*about: Any, **more: Any) -> Any:
        monkeypatch.setattr(site.links, "command", command)
        await site.visits.CloseVisit(wire.CloseVisitRequest(visit="v-1", returned=goods(4)))
        return await command(*about, **more)

    monkeypatch.setattr(site.links, "command", closed_first)
    for _ in range(2):
        if act == "unload":
            call = unload(6, HERE, lot="L1", visit="v-1", request_id="out")
            assert 2 == (await site.goods.UnloadColumn(call)).column.quantity
        else:
            back = goods_service_pb2.ReverseMoveRequest(
                move_id=moves.moves[0].id, reason="another one", request_id="out"
            )
            assert VAN == (await site.goods.ReverseMove(back)).place
        assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)
    account = await site.visits.GetVisit(wire.GetVisitRequest(visit="v-1"))
    assert [] == list(account.left)
    (line,) = account.lines
    assert (10, 10) == (line.taken, line.returned)


async def test_two_people_visit_one_machine(site: Site) -> None:
    """One of them wins, the other hears who is there; when they are gone another visit begins."""
    _, reason, _ = await refusal(site.visits.OpenVisit(opening("v-2")))
    assert "VISIT_OPEN" == reason
    await site.visits.CloseVisit(wire.CloseVisitRequest(visit="v-1", returned=goods(10)))
    _, reason, _ = await refusal(site.visits.OpenVisit(opening()))
    assert "VISIT_CLOSED" == reason
    both = [site.visits.OpenVisit(opening(name)) for name in ("v-3", "v-4")]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert 1 == sum(isinstance(one, grpc.aio.AioRpcError) for one in done)
    shown = await site.visits.ListVisits(wire.ListVisitsRequest(open=True))
    assert 1 == len(shown.visits)
    first = await site.visits.ListVisits(wire.ListVisitsRequest(machine_id="VM-1", page_size=1))
    rest = wire.ListVisitsRequest(machine_id="VM-1", page_size=1, page_token=first.next_page_token)
    assert ["v-1"] == [one.visit for one in (await site.visits.ListVisits(rest)).visits]


@pytest.mark.parametrize("field", ["machine_id", "van"])
async def test_what_no_database_can_be_asked_for_is_refused(site: Site, field: str) -> None:
    """PostgreSQL takes no NUL, and "repeat the call" would help nobody."""
    request = wire.ListVisitsRequest(**{field: "a\0b"})  # type: ignore[arg-type]
    code, _, wrong = await refusal(site.visits.ListVisits(request))
    assert (grpc.StatusCode.INVALID_ARGUMENT, [field]) == (code, wrong)

"""A mistaken move of goods goes back once, whoever asks and whatever happens on the way."""

import asyncio
from typing import Any

import grpc.aio
import pytest

from gateway.links.commands import HostUnavailable
from gateway.office.v1 import goods_pb2
from gateway.office.v1 import goods_service_pb2 as wire
from tests.support.fleet_calls import refusal
from tests.support.goods_calls import (
    NORTH,
    VAN,
    count,
    load,
    there,
    twenty_in_a_van,
    unload,
)
from tests.support.site import Site


@pytest.fixture(autouse=True)
async def _goods(site: Site) -> None:
    """Have a machine, and twenty of its product in a van."""
    await twenty_in_a_van(site)


async def newest(site: Site, kind: str) -> goods_pb2.GoodsMove:
    """Return the last move of a kind."""
    listed: wire.ListGoodsMovesResponse = await site.goods.ListGoodsMoves(
        wire.ListGoodsMovesRequest()
    )
    return next(move for move in listed.moves if move.kind == kind)


def back(move: goods_pb2.GoodsMove, **more: Any) -> Any:
    """Return the request that takes a move back."""
    values: dict[str, Any] = {"move_id": move.id, "reason": "the wrong van", **more}
    return wire.ReverseMoveRequest(**values)


async def test_a_move_between_places_is_taken_back_once(site: Site) -> None:
    """One answer under one request id; another request, and a reversal of it, are refused."""
    moved = await newest(site, "TRANSFERRED")
    checked = await site.goods.ReverseMove(back(moved, validate_only=True))
    assert (0, moved.id, VAN) == (
        checked.move.id,
        checked.move.reverses,
        checked.move.from_place,
    )
    assert not checked.move.HasField("moved_at")
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)
    answer = await site.goods.ReverseMove(back(moved, request_id="r-1"))
    assert answer.move.HasField("moved_at")
    assert answer == await site.goods.ReverseMove(back(moved, request_id="r-1"))
    assert ("REVERSED", VAN, NORTH, 20) == (
        answer.move.kind,
        answer.move.from_place,
        answer.move.to_place,
        answer.move.quantity,
    )
    assert {NORTH: 20, "COLUMN:VM-1/A1": 2} == await there(site)
    _, reason, _ = await refusal(site.goods.ReverseMove(back(moved, request_id="r-2")))
    assert "MOVE_REVERSED" == reason
    _, reason, _ = await refusal(site.goods.ReverseMove(back(answer.move)))
    assert "MOVE_STANDS" == reason
    received = await newest(site, "RECEIVED")
    await site.goods.ReverseMove(back(received))
    assert {"COLUMN:VM-1/A1": 2} == await there(site)


async def test_what_is_no_move_is_not_taken_back(site: Site) -> None:
    """Nothing of this id, no reason, no id."""
    for request, reason in (
        (wire.ReverseMoveRequest(move_id=999, reason="why"), "GOODS_MOVE_NOT_FOUND"),
        (wire.ReverseMoveRequest(move_id=1), "INVALID_REQUEST"),
        (wire.ReverseMoveRequest(reason="why"), "INVALID_REQUEST"),
    ):
        _, said, _ = await refusal(site.goods.ReverseMove(request))
        assert reason == said


async def test_a_load_goes_back_into_its_van(site: Site) -> None:
    """Both of its halves; half of it alone is refused, and so is what was sold since."""
    await site.goods.LoadColumn(load())
    first, loaded = await newest(site, "TRANSFERRED"), await newest(site, "LOADED")
    _, reason, _ = await refusal(site.goods.ReverseMove(back(first)))
    assert "MOVE_STANDS" == reason
    await site.goods.UnloadColumn(unload(3, "TEST"))
    _, reason, _ = await refusal(site.goods.ReverseMove(back(loaded)))
    assert "COLUMN_REFUSED" == reason
    tested = await newest(site, "TESTED")
    await site.goods.ReverseMove(back(tested))
    answer = await site.goods.ReverseMove(back(loaded, request_id="r-1"))
    assert answer == await site.goods.ReverseMove(back(loaded, request_id="r-1"))
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)
    counted = await site.goods.CountColumn(count(1))
    assert -1 == counted.difference
    await site.goods.ReverseMove(back(await newest(site, "COUNTED")))
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)


async def test_what_was_taken_out_goes_back_in(site: Site) -> None:
    """From the van, if it is still there; of two people who say so one wins."""
    await site.goods.UnloadColumn(unload(2, "VAN:8"))
    move = await newest(site, "UNLOADED")
    goods = [wire.GoodsLine(product="cola", quantity=2)]
    away = wire.TransferGoodsRequest(**{"from": "VAN:8", "to": NORTH, "goods": goods})  # type: ignore[arg-type]  # a word of Python's own
    await site.goods.TransferGoods(away)
    _, reason, _ = await refusal(site.goods.ReverseMove(back(move)))
    assert "NOT_ENOUGH_GOODS" == reason
    await site.goods.ReverseMove(back(await newest(site, "TRANSFERRED")))
    both = [
        site.goods.ReverseMove(back(move, request_id=name), metadata=[("x-actor", name)])
        for name in ("ann", "bob")
    ]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert 1 == sum(isinstance(one, grpc.aio.AioRpcError) for one in done)
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)


async def test_a_reversal_goes_on_where_it_was_cut_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine heard nothing, or its answer was lost: the same request again ends it, and a
    refusal of the actor's brings the goods back, so that it can be tried again.
    """
    await site.goods.LoadColumn(load())
    loaded = await newest(site, "LOADED")
    command = site.links.command

    async def lost(*about: Any, **more: Any) -> Any:
        await command(*about, **more)
        raise HostUnavailable("its answer is lost", sent=True)

    async def unheard(*_: Any, **__: Any) -> Any:
        raise HostUnavailable("away", sent=False)

    for away in (unheard, lost):
        monkeypatch.setattr(site.links, "command", away)
        _, reason, _ = await refusal(site.goods.ReverseMove(back(loaded, request_id="r-1")))
        assert "HOST_UNAVAILABLE" == reason
    monkeypatch.setattr(site.links, "command", command)
    await site.goods.ReverseMove(back(loaded, request_id="r-1"))
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)

    await site.goods.UnloadColumn(unload(2, VAN))
    taken = await newest(site, "UNLOADED")
    monkeypatch.setattr(site.links, "command", unheard)
    _, reason, _ = await refusal(site.goods.ReverseMove(back(taken, request_id="r-2")))
    assert "HOST_UNAVAILABLE" == reason
    monkeypatch.setattr(site.links, "command", command)
    await site.goods.CountColumn(count(10))
    for name in ("r-2", "r-3"):
        _, reason, _ = await refusal(site.goods.ReverseMove(back(taken, request_id=name)))
        assert "COLUMN_REFUSED" == reason
        assert {VAN: 22, "COLUMN:VM-1/A1": 10} == await there_by_lots(site)
    await site.goods.CountColumn(count(0))
    await site.goods.ReverseMove(back(taken, request_id="r-4"))
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)


async def there_by_lots(site: Site) -> dict[str, int]:
    """Return how many are where, all lots together."""
    listed = await site.goods.ListGoodsBalances(wire.ListGoodsBalancesRequest())
    sums: dict[str, int] = {}
    for one in listed.balances:
        sums[one.place] = sums.get(one.place, 0) + one.quantity
    return sums


async def test_broken_goods_are_wasted_with_a_reason(site: Site) -> None:
    """They are nobody's any more, and the books say why; it too is taken back."""
    goods = [wire.GoodsLine(product="cola", lot="L1", quantity=3)]
    values: dict[str, Any] = {"from": VAN, "goods": goods, "request_id": "w-1"}
    _, reason, _ = await refusal(site.goods.WasteGoods(wire.WasteGoodsRequest(**values)))
    assert "INVALID_REQUEST" == reason
    broke = wire.WasteGoodsRequest(**values, reason="the crate fell")
    answer = await site.goods.WasteGoods(broke)
    assert [17] == [one.quantity for one in answer.balances]
    assert answer == await site.goods.WasteGoods(broke)
    old = wire.WasteGoodsRequest(**{**values, "request_id": ""}, expired=True, reason="too old")
    await site.goods.WasteGoods(old)
    assert {VAN: 14, "COLUMN:VM-1/A1": 2} == await there(site)
    for kind in ("WASTED", "EXPIRED"):
        await site.goods.ReverseMove(back(await newest(site, kind)))
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)

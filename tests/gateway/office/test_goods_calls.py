"""An act on a column is done once or not at all, whatever happens between the office and the
machine.
"""

import re
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.fleet.v1 import fleet_service_pb2
from gateway.links.commands import HostUnavailable
from gateway.office.goods_calls import GoodsCalls
from tests.support.goods_calls import VAN, load, there, twenty_in_a_van
from tests.support.site import Site


@pytest.fixture(autouse=True)
async def _goods(site: Site) -> None:
    """Have a machine, and twenty of its product in a van."""
    await twenty_in_a_van(site)


async def test_a_refusal_of_the_actors_brings_the_goods_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody filled the column between the look and the act: told again, it is refused again."""
    looked = GoodsCalls._to_begin

    async def then_filled(self: Any, machine_id: str, event: Any, act: Any) -> Any:
        seen = await looked(self, machine_id, event, act)
        full = fleet_service_pb2.SetStockRequest(machine_id="VM-1", column="A1", stock=10)
        await site.fleet.SetStock(full)
        return seen

    monkeypatch.setattr(GoodsCalls, "_to_begin", then_filled)
    for why in (
        "column A1 holds 10 of 10, so that +5 does not fit",
        "its machine refused it before",
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await site.goods.LoadColumn(load())
        said = refused.value.details() or ""
        assert said.startswith(f"column A1 of machine VM-1: {why}"), said
        assert said.endswith("the call needs another request_id")
        assert not re.search("[0-9a-f]{32}", said)
        assert {VAN: 20, "COLUMN:VM-1/A1": 10} == await there(site)


async def test_goods_wait_for_a_machine_that_does_not_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can take them meanwhile; the same call again finds them there and loads them once,
    also if the machine had heard of it the first time.
    """
    command = site.links.command

    async def lost(*about: Any, **more: Any) -> Any:
        await command(*about, **more)
        raise HostUnavailable("its answer is lost", sent=True)

    async def unheard(*_: Any, **__: Any) -> Any:
        raise HostUnavailable("away", sent=False)

    for number, (away, in_column) in enumerate(((unheard, 2), (lost, 8)), start=1):
        call = load(3, request_id=f"load-{number}")
        monkeypatch.setattr(site.links, "command", away)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await site.goods.LoadColumn(call)
        assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
        said = (
            "the host of machine VM-1 does not answer; the goods wait at a LOADING place, or are "
            "in the column already: repeat the call with its request_id, which brings them on"
        )
        assert said == refused.value.details()
        now = await there(site)
        assert (20 - 3 * number, in_column) == (now[VAN], now["COLUMN:VM-1/A1"])
        monkeypatch.setattr(site.links, "command", command)
        answer = await site.goods.LoadColumn(call)
        assert 2 + 3 * number == answer.column.quantity
    assert {VAN: 14, "COLUMN:VM-1/A1": 8} == await there(site)

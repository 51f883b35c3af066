"""Connections that are lanes of their own."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from alipay_client.lanes import Lanes
from tests.support.patience import HANGS_AFTER_S

URL = "http://alipay.example/"


class Body(httpx.AsyncByteStream):
    """Two pieces; says when it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async def aclose(self) -> None:
        self.closed += 1


class Lane(httpx.AsyncBaseTransport):
    """One connection of the other side's, which waits until it may answer."""

    def __init__(self, lanes: list["Lane"]) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.bodies: list[Body] = []
        self.breaks = False
        self.closed = False
        lanes.append(self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.may.wait()
        if self.breaks:
            raise httpx.ConnectError("nobody there", request=request)
        self.bodies.append(Body())
        return httpx.Response(200, stream=self.bodies[-1])

    async def aclose(self) -> None:
        self.closed = True


def pool(most: int) -> tuple[httpx.AsyncClient, list[Lane]]:
    made: list[Lane] = []
    return httpx.AsyncClient(transport=Lanes(most, lambda: Lane(made))), made


async def test_calls_one_after_the_other_share_a_connection() -> None:
    """A lane that is free is taken again, and its answers are closed once and read whole."""
    http, lanes = pool(3)
    texts = [(await http.get(URL)).text for _ in range(5)]
    assert ["one two"] * 5 == texts
    assert 1 == len(lanes)
    assert [1] * 5 == [body.closed for body in lanes[0].bodies]


async def test_calls_at_the_same_time_have_a_lane_each_and_no_more_than_there_are() -> None:
    """Who finds every lane taken waits until an answer is closed."""
    http, lanes = pool(2)
    async with http.stream("GET", URL), http.stream("GET", URL):
        third = asyncio.create_task(http.get(URL))
        await asyncio.wait({third}, timeout=0.01)
        assert not third.done()
    async with asyncio.timeout(HANGS_AFTER_S):
        assert "one two" == (await third).text
    assert 2 == len(lanes)


async def test_who_waits_longer_than_the_pool_allows_is_told() -> None:
    """Every lane taken is a time-out of the pool, as httpx's own pool has it."""
    http, _ = pool(1)
    async with http.stream("GET", URL):
        with pytest.raises(httpx.PoolTimeout):
            await http.get(URL, timeout=httpx.Timeout(5.0, pool=0.01))
    assert "one two" == (await http.get(URL)).text


async def test_a_call_that_broke_gives_its_lane_back() -> None:
    """After an error, and after a caller that went away, there is as much room as before."""
    http, lanes = pool(1)
    await http.get(URL)
    lanes[0].breaks = True
    for _ in range(3):
        with pytest.raises(httpx.ConnectError):
            await http.get(URL)
    lanes[0].breaks = False
    lanes[0].may.clear()
    left = asyncio.create_task(http.get(URL))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    lanes[0].may.set()
    async with asyncio.timeout(HANGS_AFTER_S):
        assert "one two" == (await http.get(URL)).text
    assert 1 == len(lanes)


async def test_closing_closes_every_lane() -> None:
    """The client's end is the end of all its connections."""
    http, lanes = pool(2)
    async with http.stream("GET", URL), http.stream("GET", URL):
        pass
    await http.aclose()
    assert [True, True] == [lane.closed for lane in lanes]


async def test_an_answer_that_is_closed_twice_frees_one_lane() -> None:
    """Else two calls would have the same connection."""
    http, lanes = pool(2)
    lane = http._transport_for_url(httpx.URL(URL))
    answer = await lane.handle_async_request(httpx.Request("GET", URL))
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    await answer.stream.aclose()
    await answer.stream.aclose()
    async with http.stream("GET", URL), http.stream("GET", URL):
        assert 2 == len(lanes)

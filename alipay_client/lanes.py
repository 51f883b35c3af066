"""A pool of connections whose cost does not grow with their number.

httpx looks at every connection, and at every pair of idle ones, whenever a call begins and ends:
with 32 of them that was two thirds of a call's processor time. Here each connection is a lane of
its own, a call takes the one that was used last, and nobody looks at the others.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx


class Lanes(httpx.AsyncBaseTransport):
    """At most ``most`` calls at a time; who finds no lane free waits for one, as long as the call's
    time-out for the pool says, and then gets httpx.PoolTimeout.
    """

    def __init__(self, most: int, lane: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._room = asyncio.Semaphore(most)
        self._lane = lane
        self._free: list[httpx.AsyncBaseTransport] = []
        self._all: list[httpx.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request on a lane that is free; the lane is given back when the answer is
        closed.
        """
        await self._room_for(request)
        lane = self._free.pop() if self._free else self._made()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            self._give_back(lane)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Answer(response.stream, lambda: self._give_back(lane))
        return response

    async def aclose(self) -> None:
        """Close all connections. Calls under way fail."""
        for lane in self._all:
            await lane.aclose()

    async def _room_for(self, request: httpx.Request) -> None:
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._room.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("every lane is taken", request=request) from None

    def _made(self) -> httpx.AsyncBaseTransport:
        lane = self._lane()
        self._all.append(lane)
        return lane

    def _give_back(self, lane: httpx.AsyncBaseTransport) -> None:
        self._free.append(lane)
        self._room.release()


class _Answer(httpx.AsyncByteStream):
    """The body of an answer, which says once that it was closed."""

    def __init__(self, body: httpx.AsyncByteStream, closed: Callable[[], None]) -> None:
        self._body = body
        self._closed: Callable[[], None] | None = closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        closed, self._closed = self._closed, None
        try:
            await self._body.aclose()
        finally:
            if closed is not None:
                closed()

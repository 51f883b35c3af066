"""A server of HTTP on the gateway's own loop: the date of its answers, and its end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn.server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.process.sections import Address
from gateway.rpc.limits import HttpLimits
from gateway.serving import http_server
from tests.support.patience import HANGS_AFTER_S


async def quick(_: Request) -> PlainTextResponse:
    """Answer at once."""
    return PlainTextResponse("ok")


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """A server on a free port; yields where to ask it."""
    app = Starlette(routes=[Route("/quick", quick)])
    listener = http_server.bind(Address.parse("127.0.0.1:0"), setting="http.listen")
    url = f"http://127.0.0.1:{http_server.port_of(listener)}/quick"
    ended: Counter[str] = Counter()
    async with http_server.served(
        app, listener, limits=HttpLimits(), ended=lambda why: ended.update([why])
    ):
        yield url


async def test_answers_bear_the_date_of_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written anew while the server serves, not once at its start."""
    dates = ["Tue, 01 Dec 2026 00:00:00 GMT"]
    monkeypatch.setattr(http_server, "_DATE_EVERY_S", 0.01)
    monkeypatch.setattr(uvicorn.server, "formatdate", lambda *_, **__: dates[-1])
    async with serving() as url, httpx.AsyncClient() as client:
        assert dates[0] == (await client.get(url)).headers["date"]
        dates.append("Wed, 02 Dec 2026 00:00:00 GMT")
        async with asyncio.timeout(HANGS_AFTER_S):
            while (await client.get(url)).headers["date"] != dates[1]:
                await asyncio.sleep(0.01)


async def test_a_server_that_is_to_go_does_not_wait_for_its_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However seldom it looks, its end is told to it."""
    monkeypatch.setattr(http_server, "_DATE_EVERY_S", 2 * HANGS_AFTER_S)
    async with asyncio.timeout(HANGS_AFTER_S):
        async with serving() as url, httpx.AsyncClient() as client:
            assert 200 == (await client.get(url)).status_code

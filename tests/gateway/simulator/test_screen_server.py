"""The page is for the machine's own browser."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.simulator import screen_server
from gateway.simulator.screen_server import PAGE, screen_served
from gateway.simulator.shows import NO_SHOWS, NotCounted, PageTold, Shows
from tests.gateway.simulator.scripted import LoopbackMachine
from tests.support.patience import HANGS_AFTER_S, until


class FullDisk:
    """Shows nothing and can count nothing."""

    def playlist(self) -> dict[str, Any] | None:
        return None

    def file(self, sha256: str) -> tuple[Path, str] | None:
        raise AssertionError(sha256)

    def played(self, plays: Sequence[Any], told: PageTold | None) -> bool:
        raise NotCounted(plays, told)


class Hears(FullDisk):
    """Keeps who told what."""

    def __init__(self) -> None:
        self.told: list[PageTold | None] = []

    def played(self, plays: Sequence[Any], told: PageTold | None) -> bool:
        self.told.append(told)
        return not plays


@asynccontextmanager
async def served(
    folder: Path, shows: Shows = NO_SHOWS
) -> AsyncIterator[tuple[LoopbackMachine, httpx.AsyncClient]]:
    """A machine, and a client of its page."""
    machine = LoopbackMachine(folder, wait_ms=25_000)
    try:
        async with (
            screen_served(machine, port=0, now_ms=machine._now_ms, shows=shows) as url,
            httpx.AsyncClient(base_url=url.rstrip("/"), timeout=HANGS_AFTER_S) as http,
        ):
            await until(lambda: machine.machine is not None and bool(machine.machine.columns))
            yield machine, http
    finally:
        machine.stop()


async def states(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def buttons(http: httpx.AsyncClient) -> dict[str, str]:
    """What our own page says of itself."""
    return {"Origin": str(http.base_url).rstrip("/"), "Content-Type": "application/json"}


async def test_the_page_is_small_and_asks_nobody_else(tmp_path: Path) -> None:
    """Three files, one of them a module below 30 KB; nothing but itself may be asked or run."""
    async with served(tmp_path) as (_, http):
        for path, kind in (("/", "html"), ("/screen.css", "css"), ("/screen.js", "javascript")):
            answer = await http.get(path)
            assert kind in answer.headers["content-type"]
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
        assert 404 == (await http.get("/shown/" + "a" * 64)).status_code
    assert (PAGE / "screen.js").stat().st_size < 30_000


async def test_a_choice_is_news_at_once(tmp_path: Path) -> None:
    """The state comes as events; a button of the page is the button of the machine."""
    async with served(tmp_path) as (_, http), http.stream("GET", "/events") as answer:
        news = states(answer)
        assert "IDLE" == (await anext(news))["view"]
        said = await http.post("/press", json={"column": "A1"}, headers=buttons(http))
        assert 200 == said.status_code
        async with asyncio.timeout(HANGS_AFTER_S):
            while (state := await anext(news))["view"] != "PAY":
                pass
        assert 500 == state["amount_minor"]
        await http.post("/press", json={"button": "cancel"}, headers=buttons(http))
        async with asyncio.timeout(HANGS_AFTER_S):
            while (state := await anext(news))["view"] != "DENIED":
                pass
        assert "CANCELLED" == state["reason"]


async def test_a_stranger_presses_no_button(tmp_path: Path) -> None:
    """Another page, another name for this computer, another kind of body, or none that is known."""
    async with served(tmp_path) as (machine, http):
        ours = buttons(http)
        press = {"column": "A1"}
        for headers, status in (
            ({**ours, "Origin": "http://elsewhere.example"}, 403),
            ({**ours, "Content-Type": "text/plain"}, 403),
            ({**ours, "Host": "rebound.example:80"}, 421),
        ):
            answer = await http.post("/press", content=json.dumps(press), headers=headers)
            assert status == answer.status_code
        for body in (b"no json", b"[]", b'{"button": "all"}', b"x" * 100_000, b"[" * 60_000):
            assert 400 == (await http.post("/press", content=body, headers=ours)).status_code
        assert 400 == (await http.post("/plays", json={"plays": [1]}, headers=ours)).status_code
        assert 200 == (await http.post("/plays", json={"plays": []}, headers=ours)).status_code
        assert (
            200
            == (await http.post("/press", json={"button": "complete"}, headers=ours)).status_code
        )
        assert not machine.backend.vends
        assert machine.backend.request is None


async def test_what_cannot_be_counted_now_is_told_again(tmp_path: Path) -> None:
    """That is another answer than to what nobody can read, which the page throws away."""
    async with served(tmp_path, FullDisk()) as (_, http):
        answer = await http.post("/plays", json={"plays": []}, headers=buttons(http))
        assert 503 == answer.status_code
        assert 400 == (await http.post("/plays", json={}, headers=buttons(http))).status_code


async def test_what_a_page_tells_has_its_number(tmp_path: Path) -> None:
    """What has none, or a strange one, is of a page of before."""
    hears = Hears()
    async with served(tmp_path, hears) as (_, http):
        for more in (
            {"page": "a1", "number": 7},
            {},
            {"page": "a 1", "number": 7},
            {"page": "a1", "number": 0},
            {"page": "a" * 33, "number": 7},
            {"page": "a1", "number": 2**53},
        ):
            said = {"plays": [], **more}
            assert 200 == (await http.post("/plays", json=said, headers=buttons(http))).status_code
    assert [PageTold("a1", 7), *[None] * 5] == hears.told


async def test_not_too_many_pages_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes too late is told; who goes makes room."""
    monkeypatch.setattr(screen_server, "PAGES_MAX", 1)
    async with served(tmp_path) as (_, http):
        async with http.stream("GET", "/events") as answer:
            await anext(states(answer))
            assert 503 == (await http.get("/events")).status_code

        async def again() -> int:
            async with http.stream("GET", "/events") as answer:
                return answer.status_code

        async with asyncio.timeout(HANGS_AFTER_S):
            while await again() != 200:
                await asyncio.sleep(0.01)


async def test_who_listens_hears_that_the_client_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat, where nothing changes."""
    monkeypatch.setattr(screen_server, "BEAT_EVERY_S", 0.01)
    async with served(tmp_path) as (_, http), http.stream("GET", "/events") as answer:
        async with asyncio.timeout(HANGS_AFTER_S):
            async for line in answer.aiter_lines():
                if line == "event: beat":
                    break

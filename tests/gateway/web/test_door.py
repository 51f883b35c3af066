"""What strangers meet before any page."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from gateway.web.door import (
    FORM_BYTES_MAX,
    FORM_FIELDS_MAX,
    HEADERS,
    ConsoleDoor,
    DoorLimits,
    FormRefused,
    form_of,
)
from gateway.web.turnstile import BodyWaits, Places

HOST = "console.test"


class _Pages:
    """One that answers at once, one that waits until it may, and one that reads a form."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.body_within_s = 10.0
        self.app = Starlette(
            routes=[
                Route("/", self.quick, methods=["GET", "POST"]),
                Route("/slow", self.slow),
                Route("/form", self.form, methods=["POST"]),
            ]
        )

    async def quick(self, _request: Request) -> Response:
        return PlainTextResponse("page")

    async def slow(self, _request: Request) -> Response:
        await self.may.wait()
        return PlainTextResponse("page")

    async def form(self, request: Request) -> Response:
        try:
            return PlainTextResponse(repr(await form_of(request, within_s=self.body_within_s)))
        except FormRefused as refused:
            return PlainTextResponse(str(refused), status_code=400)


@asynccontextmanager
async def _browser(
    pages: _Pages, limits: DoorLimits | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    door = ConsoleDoor(pages.app, hosts={HOST}, limits=limits or DoorLimits())
    transport = httpx.ASGITransport(app=door)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as browser:
        yield browser


async def test_another_name_is_refused() -> None:
    """A page of elsewhere could have led a browser here; nothing is looked at under its name."""
    async with _browser(_Pages()) as browser:
        for name in ("elsewhere.test", "", "console.test:81", "console.test.elsewhere.test"):
            answer = await browser.get("/", headers={"host": name})
            assert 421 == answer.status_code, name
            assert HEADERS.items() <= dict(answer.headers).items()
        assert 200 == (await browser.get("/", headers={"host": "Console.Test"})).status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": f"http://{HOST}"}, 200),
        ({"origin": f"https://{HOST}"}, 200),
        ({"origin": "http://elsewhere.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": f"http://{HOST}"}, 403),
    ],
)
async def test_a_form_of_elsewhere_is_refused(headers: Mapping[str, str], status: int) -> None:
    """As far as the browser says where it comes from; the form key says the rest."""
    async with _browser(_Pages()) as browser:
        assert status == (await browser.post("/", headers=headers)).status_code


async def test_no_address_is_endless() -> None:
    """Neither its path nor its query."""
    async with _browser(_Pages()) as browser:
        assert 414 == (await browser.get(f"/?{'a' * 4_096}")).status_code
        assert 414 == (await browser.get(f"/{'a' * 4_096}")).status_code


async def test_a_crowd_is_told_to_wait() -> None:
    """With as many answers under way as may be, one more is refused and the others go on."""
    pages = _Pages()
    async with _browser(pages, DoorLimits(in_flight_max=1, turn_within_s=0.0)) as browser:
        first = asyncio.create_task(browser.get("/slow"))
        while 503 != (answer := await browser.get("/")).status_code:
            await asyncio.sleep(0)
        assert "retry-after" in answer.headers
        pages.may.set()
        assert "page" == (await first).text
        assert 200 == (await browser.get("/")).status_code


async def test_slow_bodies_take_no_place() -> None:
    """Twenty forms that never end, and one that brings all of it is answered, with one place in
    all; of the slow ones the longest goes when they are too many.
    """
    pages, ended = _Pages(), asyncio.Event()
    limits = DoorLimits(in_flight_max=1, bodies_max=20, turn_within_s=10.0)

    async def endless() -> AsyncIterator[bytes]:
        yield b"a="
        await ended.wait()

    kind = {"content-type": "application/x-www-form-urlencoded"}
    async with _browser(pages, limits) as browser:
        slow = [
            asyncio.create_task(browser.post("/form", content=endless(), headers=kind))
            for _ in range(20)
        ]
        for _ in range(200):
            await asyncio.sleep(0)
        quick = await browser.post("/form", content=b"a=1", headers=kind)
        assert (200, "{'a': '1'}") == (quick.status_code, quick.text)
        assert 200 == (await browser.get("/")).status_code
        assert "in time" in (await slow[0]).text
        assert not any(task.done() for task in slow[1:])
        ended.set()
        await asyncio.gather(*slow)


async def test_an_answer_that_takes_too_long_is_ended() -> None:
    """And its place is free again."""
    async with _browser(_Pages(), DoorLimits(in_flight_max=1, within_s=0.0)) as browser:
        with pytest.raises(TimeoutError):
            await browser.get("/slow")
        with pytest.raises(TimeoutError):
            await browser.get("/slow")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"a=1&b=%E4%B8%AD&c=", "{'a': '1', 'b': '中', 'c': ''}"),
        (b"a=" + b"1" * FORM_BYTES_MAX, "send less"),
        (b"&".join(b"a%d=1" % number for number in range(FORM_FIELDS_MAX + 1)), "load its page"),
        (b"a=%FF", "load its page"),
        ("a=中".encode(), "load its page"),
        (b"a=1&a=2", "comes twice"),
    ],
)
async def test_a_form_is_read_within_its_bounds(body: bytes, sentence: str) -> None:
    """What cannot be read is a sentence."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    async with _browser(_Pages()) as browser:
        assert sentence in (await browser.post("/form", content=body, headers=kind)).text


async def test_only_a_form_is_a_form() -> None:
    """What a script could send without asking is refused."""
    async with _browser(_Pages()) as browser:
        answer = await browser.post("/form", json={"a": "1"})
    assert (400, True) == (answer.status_code, "urlencoded" in answer.text)


async def test_a_form_that_never_ends_is_not_waited_for() -> None:
    """Whoever sends it byte by byte is told so."""
    pages = _Pages()
    pages.body_within_s = 0.0

    async def slow() -> AsyncIterator[bytes]:
        yield b"a="
        await asyncio.Event().wait()

    kind = {"content-type": "application/x-www-form-urlencoded"}
    async with _browser(pages) as browser:
        answer = await browser.post("/form", content=slow(), headers=kind)
    assert (400, True) == (answer.status_code, "did not come whole" in answer.text)


async def test_who_hangs_up_in_a_form_is_no_fault_of_ours() -> None:
    """It is refused like one that never ends, and nothing is raised that an alarm would count."""
    told: list[Message] = [
        {"type": "http.request", "body": b"a=", "more_body": True},
        {"type": "http.disconnect"},
    ]
    came = iter(told)

    async def receive() -> Message:
        return next(came)

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    place = await Places(1, of_one=1, within_s=0).take("ann")
    state = {"place": place, "bodies": BodyWaits(1)}
    scope = {"type": "http", "method": "POST", "headers": [kind], "state": state}
    with pytest.raises(FormRefused, match="did not come whole"):
        await form_of(Request(scope, receive), within_s=60.0)


async def test_one_address_does_not_take_all_places() -> None:
    """Its next request is refused while another one's is answered."""
    pages = _Pages()
    door = ConsoleDoor(pages.app, hosts={HOST}, limits=DoorLimits(of_one_address_max=2))

    def at(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=door, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")

    async with at("192.0.2.1") as one, at("192.0.2.2") as other:
        waiting = [asyncio.create_task(one.get("/slow")) for _ in range(2)]
        while 429 != (answer := await one.get("/")).status_code:
            await asyncio.sleep(0)
        assert "your address" in answer.text
        assert 200 == (await other.get("/")).status_code
        pages.may.set()
        assert [200, 200] == [task.status_code for task in await asyncio.gather(*waiting)]
        assert 200 == (await one.get("/")).status_code

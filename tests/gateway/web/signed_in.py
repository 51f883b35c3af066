"""A browser of somebody who is signed in at the console of a site."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any

import httpx
from starlette.types import ASGIApp

from gateway.office import services
from gateway.web.app import ConsoleParts, build_console_app
from gateway.web.asking import LocalCalls
from gateway.web.door import DoorLimits
from gateway.web.people import Visitors, key_of
from gateway.web.shown import Templates
from storage.fleet.logins import Logins
from tests.support.site import SALT, Site

HOST = "127.0.0.1:7445"


async def _none(_context: object, _paths: object) -> frozenset[str]:
    return frozenset()


NO_CALLS = LocalCalls(lambda _to: None, guard=lambda _path, answer: answer, allowed=_none)
"""For pages that ask nothing."""


def console_of(site: Site, *, zone: str = "UTC", secure: bool = False) -> ConsoleParts:
    """The console as ``assemble`` makes it."""
    return ConsoleParts(
        asking=LocalCalls(
            lambda to: services.add_services(site.gateway.office, to),
            guard=site.gateway.door.guarded,
            allowed=site.gateway.door.allowed,
        ),
        people=Visitors(
            logins=Logins(site.database), clock=site.clock, key=key_of(SALT), secure=secure
        ),
        look=Templates(zone),
        clock=site.clock,
        position=site.queries.settled_position,
    )


@asynccontextmanager
async def a_browser(
    site: Site, *, app: ASGIApp | None = None, limits: DoorLimits | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which nobody has signed in; it follows no redirection."""
    app = app or build_console_app(console_of(site), hosts=frozenset({HOST}), limits=limits)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as browser:
        yield browser


@asynccontextmanager
async def signed_in(
    site: Site, *, name: str = "ann", role: str = "owner", app: ASGIApp | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of somebody who followed a link."""
    await Logins(site.database).issue(name, "the-link", role=role, now_ms=site.clock.now_ms())
    async with a_browser(site, app=app) as browser:
        answer = await browser.post("/login/the-link")
        assert (303, "/") == (answer.status_code, answer.headers["location"]), answer.text
        yield browser


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append({"action": told.get("action", "")})
        elif tag in {"input", "select"} and self.found and "name" in told:
            self.found[-1][told["name"]] = told.get("value", "")


def form_of(page: httpx.Response, action: str) -> dict[str, str]:
    """The fields of the first form of a page with this action."""
    parser = _Forms()
    parser.feed(page.text)
    found = next(one for one in parser.found if one["action"] == action)
    return {name: value for name, value in found.items() if name != "action"}


class _Cells(HTMLParser):
    """The texts of all cells, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in = False

    def handle_data(self, data: str) -> None:
        if self._in:
            self.rows[-1][-1] += data


def cells(page: httpx.Response) -> list[list[Any]]:
    """The texts of a page's tables, row by row."""
    parser = _Cells()
    parser.feed(page.text)
    return parser.rows

"""The console as an ASGI app: which page is at which address, and what happens to a form.

Flows in: requests that the door let through. Flows out: pages, tables as CSV, and redirections
after a form. Nothing is looked at or done by somebody who is not signed in.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from actors.ports import Clock, StoreError
from gateway.web import acts
from gateway.web.asking import LocalCalls, Refused
from gateway.web.door import ConsoleDoor, DoorLimits, FormRefused, form_of
from gateway.web.pages.campaigns import campaigns
from gateway.web.pages.customers import customers
from gateway.web.pages.machine import machine
from gateway.web.pages.machines import machines
from gateway.web.pages.money import money
from gateway.web.pages.places import places
from gateway.web.pages.products import products
from gateway.web.pages.stock import stock
from gateway.web.pages.today import today
from gateway.web.people import Present, Visitors, is_ours
from gateway.web.shown import Templates, static_files
from gateway.web.tables import Instant, csv
from gateway.web.turnstile import TooMany, Turnstile
from gateway.web.view import ConsolePage, Looking

PAGES: Mapping[str, Callable[[Looking], Awaitable[ConsolePage]]] = {
    "/": today,
    "/machines": machines,
    "/machines/{name}": machine,
    "/stock": stock,
    "/products": products,
    "/places": places,
    "/customers": customers,
    "/campaigns": campaigns,
    "/money": money,
}
_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.INTERNAL: 500,
}
_REFUSED_STATUS = 409
"""Of any other refusal: the state of things is against it."""
NO_TABLE = "This page has no such table."
CROWDED = (
    "You ask for more pages at once than are drawn for one person: wait for them, then try again."
)
AWAY = "The database does not answer. Machines go on as far as they can: load this page again."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the pages are made of. ``position``: up to where every decision is in SQL, asked before
    anything else is.
    """

    asking: LocalCalls
    people: Visitors
    look: Templates
    clock: Clock
    position: Callable[[], Awaitable[int]]


def build_console_app(
    console: ConsoleParts, *, hosts: frozenset[str], limits: DoorLimits | None = None
) -> ASGIApp:
    """Return the whole console behind its door."""
    limits = limits or DoorLimits()
    turnstile = Turnstile(limits.of_one_person_max)
    routes = [
        *(
            Route(path, _page(console, look, turnstile), methods=["GET"])
            for path, look in PAGES.items()
        ),
        Route("/acts/{act}", _acting(console, turnstile, limits.body_within_s), methods=["POST"]),
        Route("/login", _asks_to_sign_in(console), methods=["GET"]),
        Route("/login/{link}", _link(console), methods=["GET"]),
        Route("/login/{link}", _signing_in(console), methods=["POST"]),
        Route("/logout", _signing_out(console, turnstile, limits.body_within_s), methods=["POST"]),
        *_static(),
    ]
    not_there = _not_there(console)
    app = Starlette(routes=routes, exception_handlers={404: not_there, 405: not_there})
    return ConsoleDoor(app, hosts=hosts, limits=limits)


Endpoint = Callable[[Request], Awaitable[Response]]
OfSomebody = Callable[[Request, Present], Awaitable[Response]]


def _signed_in(console: ConsoleParts, turnstile: Turnstile, answer: OfSomebody) -> Endpoint:
    """Let in who is signed in; the others are shown how to sign in. Nobody takes all places,
    however many sessions they have.
    """

    async def endpoint(request: Request) -> Response:
        certified = getattr(request.state, "certified", {})
        try:
            present = await console.people.present(request.cookies, certified)
            if present is None:
                return RedirectResponse("/login", status_code=303)
            with turnstile.place(present.person.name):
                return await answer(request, present)
        except StoreError:
            return _said(console, None, 503, AWAY)
        except TooMany:
            return _said(console, None, 429, CROWDED)
        except FormRefused as refused:
            return _said(console, None, 400, str(refused))

    return endpoint


def _page(
    console: ConsoleParts, look: Callable[[Looking], Awaitable[ConsolePage]], turnstile: Turnstile
) -> Endpoint:
    async def answer(request: Request, present: Present) -> Response:
        position = await console.position()
        looking = Looking(
            asking=console.asking,
            person=present.person,
            now_ms=console.clock.now_ms(),
            words=dict(request.query_params),
            name=request.path_params.get("name", ""),
            zone=console.look.zone,
        )
        try:
            view = await look(looking)
        except Refused as refused:
            status = _STATUS.get(refused.code, _REFUSED_STATUS)
            return _said(console, present, status, str(refused))
        if name := looking.word("csv"):
            return _csv(console, present, view, name)
        acts_allowed = await console.asking.may(present.person, acts.CALLS)
        view = view.with_acts(acts_allowed)
        return _shown(console, request, present, view, position, looking.now_ms)

    return _signed_in(console, turnstile, answer)


def _shown(
    console: ConsoleParts,
    request: Request,
    present: Present,
    view: ConsolePage,
    position: int,
    now_ms: int,
) -> Response:
    words = {name: value for name, value in request.query_params.items() if name != "done"}
    values = {
        **view.values,
        "title": view.title,
        "forms": view.forms,
        "tables": {one.name: one for one in view.tables},
        "csv": {
            one.name: f"{request.url.path}?{urlencode({**words, 'csv': one.name})}"
            for one in view.tables
        },
        "alone": {
            one.name: f"{request.url.path}?{urlencode({**words, 'table': one.name})}"
            for one in view.tables
        },
        "more": {name: f"{request.url.path}?{urlencode(then)}" for name, then in view.more.items()},
        "present": present,
        "path": request.url.path,
        "here": _address(request, words),
        "done": acts.DONE.get(request.query_params.get("done", ""), ""),
        "position": position,
        "now": Instant(now_ms),
    }
    if not (alone := words.pop("table", "")):
        return HTMLResponse(console.look.html(view.template, values))
    if view.table(alone) is None:
        return _said(console, present, 404, NO_TABLE)
    values |= {"of": alone, "whole": _address(request, words)}
    return HTMLResponse(console.look.html("table.html", values))


def _address(request: Request, words: Mapping[str, str]) -> str:
    return request.url.path + (f"?{urlencode(words)}" if words else "")


def _csv(console: ConsoleParts, present: Present, view: ConsolePage, name: str) -> Response:
    table = view.table(name)
    if table is None:
        return _said(console, present, 404, NO_TABLE)
    return Response(
        csv(table),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{table.name}.csv"'},
    )


def _acting(console: ConsoleParts, turnstile: Turnstile, within_s: float) -> Endpoint:
    async def answer(request: Request, present: Present) -> Response:
        act = request.path_params["act"]
        form = await form_of(request, within_s=within_s)
        if not is_ours(present, form):
            raise FormRefused("This form is of another login: load its page again and repeat it.")
        try:
            await console.asking.ask(present.person, acts.request_of(act, form))
        except FormRefused as refused:
            return _said(console, present, 400, str(refused), back=_back(form))
        except Refused as refused:
            status = _STATUS.get(refused.code, _REFUSED_STATUS)
            return _said(console, present, status, str(refused), back=_back(form))
        return RedirectResponse(_with_done(_back(form), act), status_code=303)

    return _signed_in(console, turnstile, answer)


def _back(form: Mapping[str, str]) -> str:
    """Return where a form came from, if that is a page of ours."""
    back = form.get("back", "/")
    is_here = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    return back if is_here and back.isascii() else "/"


def _with_done(back: str, act: str) -> str:
    parts = urlsplit(back)
    words = [*((name, value) for name, value in parse_qsl(parts.query) if name != "done")]
    return f"{parts.path}?{urlencode([*words, ('done', act)])}"


def _asks_to_sign_in(console: ConsoleParts) -> Endpoint:
    async def endpoint(_request: Request) -> Response:
        return HTMLResponse(
            console.look.html("login.html", {"link": "", "title": "Sign in"}), status_code=401
        )

    return endpoint


def _link(console: ConsoleParts) -> Endpoint:
    """A link is not used up by looking at it: programs that preview links do."""

    async def endpoint(request: Request) -> Response:
        values = {"link": request.path_params["link"], "title": "Sign in"}
        return HTMLResponse(console.look.html("login.html", values))

    return endpoint


def _signing_in(console: ConsoleParts) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        people = console.people
        try:
            opened = await people.sign_in(request.path_params["link"])
        except StoreError:
            return _said(console, None, 503, AWAY)
        if opened is None:
            return _said(
                console,
                None,
                403,
                "This link was used, has run out, or never was one: "
                "'vendgate console login' prints another.",
            )
        session, login = opened
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            people.cookie,
            session,
            max_age=max(0, (login.expires_at_ms - console.clock.now_ms()) // 1_000),
            httponly=True,
            samesite="strict",
            secure=people.secure,
        )
        return response

    return endpoint


def _signing_out(console: ConsoleParts, turnstile: Turnstile, within_s: float) -> Endpoint:
    async def answer(request: Request, present: Present) -> Response:
        if not is_ours(present, await form_of(request, within_s=within_s)):
            raise FormRefused("This form is of another login: load its page again.")
        if present.session:
            await console.people.sign_out(present.session)
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(
            console.people.cookie, httponly=True, samesite="strict", secure=console.people.secure
        )
        return response

    return _signed_in(console, turnstile, answer)


def _said(
    console: ConsoleParts, present: Present | None, status: int, sentence: str, *, back: str = "/"
) -> Response:
    """Return a page with one sentence."""
    values = {"title": "That was not done", "sentence": sentence, "back": back, "present": present}
    return HTMLResponse(console.look.html("said.html", values), status_code=status)


def _not_there(console: ConsoleParts) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def endpoint(_request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        return _said(console, None, status, "There is no such page.")

    return endpoint


def _static() -> list[Route]:
    def serving(content: bytes, kind: str) -> Endpoint:
        async def endpoint(_request: Request) -> Response:
            return Response(
                content, media_type=kind, headers={"cache-control": "private, max-age=300"}
            )

        return endpoint

    return [
        Route(f"/static/{name}", serving(content, kind), methods=["GET"])
        for name, (content, kind) in static_files().items()
    ] + [Route("/favicon.ico", serving(*static_files()["console.svg"]), methods=["GET"])]

"""The console as an ASGI app: which page is at which address, and what happens to a form.

Flows in: requests that the door let through. Flows out: pages, tables as CSV, and redirections
after a form. Nothing is looked at or done by somebody who is not signed in.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlencode

import grpc
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from actors.ports import Clock, StoreError
from gateway.office.v1 import poster_service_pb2
from gateway.web import acts
from gateway.web.asking import LocalCalls, Refused
from gateway.web.door import ConsoleDoor, DoorLimits, FormRefused, form_of, upload_of
from gateway.web.pages.campaigns import campaigns
from gateway.web.pages.customers import customers
from gateway.web.pages.machine import machine
from gateway.web.pages.machines import machines
from gateway.web.pages.money import money
from gateway.web.pages.offers import offers
from gateway.web.pages.places import places
from gateway.web.pages.products import products
from gateway.web.pages.screen_plans import screen_plans
from gateway.web.pages.screens import screens
from gateway.web.pages.stock import stock
from gateway.web.pages.today import today
from gateway.web.people import DONE_WITHIN_MS, Present, Visitors, is_ours
from gateway.web.screen_acts import ZONE
from gateway.web.shown import Templates, static_files
from gateway.web.tables import Instant, csv
from gateway.web.turnstile import Full, TooMany, Turnstile
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
    "/offers": offers,
    "/screens": screens,
    "/screens/plans": screen_plans,
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
_PERHAPS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL})
"""After these nobody knows whether it was done."""
_REFUSED_STATUS = 409
"""Of any other refusal: the state of things is against it."""
POSTERS: Mapping[str, poster_service_pb2.PosterSize.ValueType] = {
    "a4": poster_service_pb2.POSTER_SIZE_A4,
    "a5": poster_service_pb2.POSTER_SIZE_A5,
    "sticker": poster_service_pb2.POSTER_SIZE_STICKER,
}
UPLOAD_BACK = f"/screens#act-{acts.ADD_ASSET}"
NO_TABLE = "This page has no such table."
CROWDED = (
    "You ask for more at once than is done for one person: nothing was done. Wait for the rest, "
    "then try again."
)
NOT_YOURS = "Your role may not take pictures in: that takes an operator."
ONE_AT_A_TIME = "One picture of yours is still on its way: send the next one when it is there."
FULL = "Too many people look at once: nothing was done. Go back and send the form again."
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
        Route("/machines/{name}/poster", _poster(console, turnstile), methods=["GET"]),
        Route(f"/acts/{acts.ADD_ASSET}", _adding(console, turnstile, limits), methods=["POST"]),
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
        except Full:
            return _said(console, None, 503, FULL)
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
    words = dict(request.query_params)
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
        "done": acts.DONE.get(console.people.was_done(present, request.cookies), ""),
        "position": position,
        "now": Instant(now_ms),
    }
    template, alone = view.template, words.pop("table", "")
    if alone:
        if view.table(alone) is None:
            return _said(console, present, 404, NO_TABLE)
        values |= {"of": alone, "whole": _address(request, words)}
        template = "table.html"
    response = HTMLResponse(console.look.html(template, values))
    if console.people.done_cookie in request.cookies:
        _drop_cookie(console, response, console.people.done_cookie)  # it is said once
    return response


def _address(request: Request, words: Mapping[str, str]) -> str:
    return request.url.path + (f"?{urlencode(words)}" if words else "")


def _csv(console: ConsoleParts, present: Present, view: ConsolePage, name: str) -> Response:
    table = view.table(name)
    if table is None:
        return _said(console, present, 404, NO_TABLE)
    # Who has only a part of the rows sees it where the file lies, too.
    part = "-part" if table.cut or name in view.more else ""
    return Response(
        csv(table),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{table.name}{part}.csv"'},
    )


def _poster(console: ConsoleParts, turnstile: Turnstile) -> Endpoint:
    """Give a machine's poster, to be printed."""

    async def answer(request: Request, present: Present) -> Response:
        name, word = request.path_params["name"], request.query_params.get("size", "")
        back = f"/machines/{quote(name, safe='')}"
        if word not in POSTERS:
            return _said(console, present, 400, "There is no poster of that size.", back=back)
        wanted = poster_service_pb2.GetPosterRequest(machine_id=name, size=POSTERS[word])
        try:
            made = await console.asking.ask(present.person, wanted)
        except Refused as refused:
            status = _STATUS.get(refused.code, _REFUSED_STATUS)
            return _said(console, present, status, str(refused), back=back)
        # The name is that of a machine that there is: no quote, no slash.
        headers = {"content-disposition": f'attachment; filename="poster-{name}-{word}.pdf"'}
        return Response(made.content, media_type="application/pdf", headers=headers)

    return _signed_in(console, turnstile, answer)


def _acting(console: ConsoleParts, turnstile: Turnstile, within_s: float) -> Endpoint:
    async def answer(request: Request, present: Present) -> Response:
        act = request.path_params["act"]
        form = await form_of(request, within_s=within_s)
        form |= {ZONE: console.look.zone}  # By which its times are meant, whatever it says.
        return await _done(console, present, act, form, lambda: acts.request_of(act, form))

    return _signed_in(console, turnstile, answer)


def _adding(console: ConsoleParts, turnstile: Turnstile, limits: DoorLimits) -> Endpoint:
    """Take a picture in: one at a time of a person, and nothing is read of who may not."""
    of_each, of_all = Turnstile(1), Turnstile(limits.uploads_max)

    async def answer(request: Request, present: Present) -> Response:
        act, person = acts.ADD_ASSET, present.person
        if not await console.asking.may(person, {act: acts.CALLS[act]}):
            return _said(console, present, 403, NOT_YOURS, back=UPLOAD_BACK)
        if of_each.is_full(person.name):
            return _said(console, present, 429, ONE_AT_A_TIME, back=UPLOAD_BACK)
        if of_all.is_full(""):
            return _said(console, present, 503, FULL, back=UPLOAD_BACK)
        with of_each.place(person.name), of_all.place(""):
            try:
                form, content = await upload_of(request, within_s=limits.upload_within_s)
            except FormRefused as refused:
                return _said(console, present, 400, str(refused), back=UPLOAD_BACK)
            make = partial(acts.asset_request, form, content)
            return await _done(console, present, act, form, make)

    return _signed_in(console, turnstile, answer)


async def _done(
    console: ConsoleParts,
    present: Present,
    act: str,
    form: Mapping[str, str],
    make: Callable[[], Message],
) -> Response:
    """Do what a form says, under the person's name, and lead back to where it came from."""
    if not is_ours(present, form):
        raise FormRefused("This form is of another login: load its page again and repeat it.")
    back = _back(form)
    try:
        answer = await console.asking.ask(present.person, make())
    except FormRefused as refused:
        return _said(console, present, 400, str(refused), back=acts.again(act, form, back))
    except Refused as refused:
        status, perhaps = _STATUS.get(refused.code, _REFUSED_STATUS), refused.code in _PERHAPS
        again = acts.again(act, form, back, reason=refused.reason, perhaps=perhaps)
        return _said(console, present, status, str(refused), back=again)
    response = RedirectResponse(acts.landing(act, form, back), status_code=303)
    response.set_cookie(
        console.people.done_cookie,
        console.people.done(present, acts.outcome_of(act, answer)),
        max_age=DONE_WITHIN_MS // 1_000,
        httponly=True,
        samesite="strict",
        secure=console.people.secure,
    )
    return response


def _back(form: Mapping[str, str]) -> str:
    """Return where a form came from, if that is a page of ours."""
    back = form.get("back", "/")
    is_here = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    return back if is_here and back.isascii() else "/"


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
        _drop_cookie(console, response, console.people.cookie)
        return response

    return _signed_in(console, turnstile, answer)


def _drop_cookie(console: ConsoleParts, response: Response, name: str) -> None:
    response.delete_cookie(name, httponly=True, samesite="strict", secure=console.people.secure)


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

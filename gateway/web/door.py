"""What every request passes on its way to the console, and every answer on its way out.

Flows in: a request of whoever can reach the port. Flows out: a short refusal, or what the pages
answer, with the headers by which a browser loads nothing from elsewhere, runs nothing that stands
in a page, and shows no page within another. A request that names a host under which we are not
known is refused: a stranger's page could have led a browser here under its own name.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.screens.pictures import SIZE_MAX
from gateway.web.multipart import NoForm, parts_of
from gateway.web.turnstile import BodyWaits, Full, Places, TooMany

log = structlog.get_logger()

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
TARGET_BYTES_MAX = 4_096
"""Of a path and a query together."""
FORM_BYTES_MAX = 16_384
FORM_FIELDS_MAX = 80
"""A playlist's form has one for each of its 64 items."""
UPLOAD_BYTES_MAX = SIZE_MAX + 16_384
"""A picture as machines show it, and the fields beside it."""
_OWN_SITE = frozenset({"same-origin", "none"})
"""``none``: somebody typed it, or followed a bookmark."""


class FormRefused(Exception):
    """What came is no form of ours; the sentence says why."""


class TooLong(FormRefused):
    """It has more bytes than are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """How many requests are answered at the same time, of one address, and of one person who is
    signed in; how long one may wait for its turn; how long it may take, and the body of a form.
    """

    in_flight_max: int = 16
    of_one_address_max: int = 10
    """Of all people too who come through one proxy."""
    of_one_person_max: int = 6
    turn_within_s: float = 2.0
    within_s: float = 30.0
    body_within_s: float = 5.0
    bodies_max: int = 32
    """So many bodies may be on their way. Who sends one holds no place meanwhile."""
    uploads_max: int = 4
    """So many files may be in memory, one of a person."""
    upload_within_s: float = 20.0


class ConsoleDoor:
    """An ASGI app around the pages. ``hosts``: the names, with their ports, under which the console
    is reached, in lower case.
    """

    def __init__(self, pages: ASGIApp, *, hosts: Iterable[str], limits: DoorLimits) -> None:
        self._pages = pages
        self._hosts = frozenset(hosts)
        self._limits = limits
        self._places = Places(
            limits.in_flight_max, of_one=limits.of_one_address_max, within_s=limits.turn_within_s
        )
        self._bodies = BodyWaits(limits.bodies_max)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _with_ours(message["headers"])}
            await send(message)

        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, out)
            return
        try:
            place = await self._places.take(_address_of(scope))
        except (Full, TooMany) as full:
            await _crowded(full)(scope, receive, out)
            return
        state = {**scope.get("state", {}), "place": place, "bodies": self._bodies}
        try:
            async with asyncio.timeout(self._limits.within_s):
                await self._pages({**scope, "state": state}, receive, out)
        except TimeoutError:
            log.warning("a page of the console took too long", path=scope["path"])
            raise  # its connection ends, whatever of the answer is out
        finally:
            place.give_up()

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return _says(
                421, "This console is not known under that name: see console.names in the settings."
            )
        if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_BYTES_MAX:
            return _says(414, "The address is too long.")
        if scope["method"] == "POST" and not _of_our_own(host, headers):
            return _says(403, "Forms are taken from the console's own pages only.")
        return None


CROWDED = "Too many people look at once: try again."


def _crowded(why: Full | TooMany) -> Response:
    if isinstance(why, Full):
        return _says(503, CROWDED, {"retry-after": "2"})
    return _says(429, "Too many pages are drawn for your address: try again.", {"retry-after": "2"})


def _address_of(scope: Scope) -> str:
    """Return what the requests of one address are counted under, as the listener tells it."""
    told = scope.get("state", {}).get("address") or (scope.get("client") or ("",))[0]
    return str(told)


def _of_our_own(host: str, headers: Headers) -> bool:
    """Return whether a form comes from a page of ours, as far as the browser says it."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in _OWN_SITE:
        return False
    # "null": a page of ours sends no referrer, and some browsers then send no origin either.
    # A proxy in front may speak TLS where we do not.
    ours = {None, f"http://{host}", f"https://{host}"}
    return origin in ours or (origin == "null" and site == "same-origin")


def _with_ours(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = list(headers)
    named = {name.lower() for name, _ in there}
    ours = ((name.encode(), value.encode()) for name, value in HEADERS.items())
    return [*there, *((name, value) for name, value in ours if name not in named)]


def _says(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{sentence}\n", status_code=status, headers=headers)


async def form_of(request: Request, *, within_s: float) -> dict[str, str]:
    """Return the fields of a form, all of which must be here within so long. Raises FormRefused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise FormRefused("A form is sent as application/x-www-form-urlencoded.")
    body = await body_of(request, most=FORM_BYTES_MAX, within_s=within_s)
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FORM_FIELDS_MAX,
        )
    except ValueError:
        raise FormRefused("The form cannot be read: load its page again.") from None
    if len(dict(fields)) != len(fields):
        raise FormRefused("A field comes twice: load the page again.")
    return dict(fields)


async def upload_of(request: Request, *, within_s: float) -> tuple[Mapping[str, str], bytes]:
    """Return the fields of a form that brings a file, and the file. Raises FormRefused."""
    try:
        body = await body_of(request, most=UPLOAD_BYTES_MAX, within_s=within_s)
    except TooLong:
        raise FormRefused(f"A picture has at most {SIZE_MAX} bytes: make it smaller.") from None
    try:
        # A few megabytes are looked through: not on the loop.
        kind = request.headers.get("content-type", "")
        return await asyncio.to_thread(parts_of, kind, body, fields_max=FORM_FIELDS_MAX)
    except ValueError as error:
        why = error if isinstance(error, NoForm) else "its texts are no UTF-8"
        raise FormRefused(f"The form cannot be read, {why}: load its page again.") from None


async def body_of(request: Request, *, most: int, within_s: float) -> bytes:
    """Return the whole body, of at most so many bytes. Who is slow with it holds no place of others
    meanwhile. Raises FormRefused, Full, TooMany.
    """
    body = bytearray()
    async with request.state.place.outside():
        try:
            async with request.state.bodies.within(within_s):
                async for piece in request.stream():
                    body += piece
                    if len(body) > most:
                        raise TooLong(f"A form has at most {most} bytes: send less.")
        except (TimeoutError, ClientDisconnect):
            # Who hung up in the middle hears nothing any more, and is no fault of ours.
            raise FormRefused("The form did not come whole in time: send it again.") from None
    return bytes(body)

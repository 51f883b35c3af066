"""Serves the page of one machine's screen to the browser on the same computer.

Flows in: requests of that browser. Flows out: the page's three files, its state as server-sent
events whenever it changes, what is shown between customers, and the buttons that a touch screen
has instead of ours. Nobody else is answered: it listens on a loopback address, believes no other
name in ``Host``, and takes buttons only from its own page.

The page is never reloaded from outside, and asks no other computer for anything; so no outage of
the net can bring an error page.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.simulator.board import Board
from gateway.simulator.front import Front, settled
from gateway.simulator.shows import NO_SHOWS, NotCounted, PageTold, Shows

PAGE = Path(__file__).resolve().parent.parent / "screen_page"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/screen.css": ("screen.css", "text/css; charset=utf-8"),
    "/screen.js": ("screen.js", "text/javascript; charset=utf-8"),
}
PAGES_MAX = 8
"""More than these do not listen to one machine at once."""
BODY_BYTES_MAX = 65_536
LOOK_EVERY_S = 0.25
"""What changes without anything that somebody sees happen: a planogram, a stream that is lost."""
BEAT_EVERY_S = 5.0
"""The page takes a client that says nothing for three times as long for dead."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


class ScreenServer:
    """The page of one machine. ``now_ms``: the machine's own clock."""

    def __init__(
        self,
        board: Board,
        *,
        now_ms: Callable[[], int],
        front: Front | None = None,
        shows: Shows = NO_SHOWS,
    ) -> None:
        self._board = board
        self._now_ms = now_ms
        self._front = front or Front()
        self._shows = shows
        self._pages = 0
        self._over = asyncio.Event()
        self._changed = asyncio.Event()

    def app(self) -> Starlette:
        """Return the app."""
        return Starlette(
            routes=[
                *(Route(path, self._own(self._file), methods=["GET"]) for path in _FILES),
                Route("/events", self._own(self._events), methods=["GET"]),
                Route("/shown/{sha256}", self._own(self._shown), methods=["GET"]),
                Route("/press", self._own(self._press), methods=["POST"]),
                Route("/plays", self._own(self._plays), methods=["POST"]),
            ]
        )

    async def keep(self) -> None:
        """Watch the machine until cancelled."""
        with self._board.watch() as watch:
            while True:
                happening = await watch.until(within_s=LOOK_EVERY_S)
                if happening is not None:
                    self._front.see(happening, self._now_ms())
                self._changed.set()
                self._changed = asyncio.Event()

    def end(self) -> None:
        """Let those who listen go."""
        self._over.set()
        self._changed.set()

    def state(self) -> dict[str, Any]:
        """Return what the page is to show now."""
        now_ms = self._now_ms()
        return {
            **self._front.state(self._board.machine, now_ms),
            "playlist": self._shows.playlist(),
        }

    # --- requests ---

    def _own(self, handle: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """Answer our own page alone."""

        async def guarded(request: Request) -> Response:
            host = request.headers.get("host", "")
            if host.rpartition(":")[0] not in _LOOPBACK:
                return _refused(421, "this page is for the machine's own screen")
            if request.method == "POST":
                json_only = request.headers.get("content-type", "") == "application/json"
                if request.headers.get("origin") != f"http://{host}" or not json_only:
                    return _refused(403, "buttons are pressed on the machine's own page alone")
            answer: Response = await handle(request)
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
            return answer

        return guarded

    async def _file(self, request: Request) -> Response:
        name, media_type = _FILES[request.url.path]
        return FileResponse(PAGE / name, media_type=media_type, headers=HEADERS)

    async def _shown(self, request: Request) -> Response:
        found = self._shows.file(request.path_params["sha256"])
        if found is None:
            return _refused(404, "no such file is shown now")
        path, media_type = found
        return FileResponse(path, media_type=media_type, headers=HEADERS)

    async def _events(self, _request: Request) -> Response:
        if self._pages >= PAGES_MAX:
            return _refused(503, f"{PAGES_MAX} pages listen to this machine already: close one")
        return StreamingResponse(self._news(), media_type="text/event-stream")

    async def _news(self) -> AsyncIterator[str]:
        self._pages += 1
        try:
            told: dict[str, Any] | None = None
            loop = asyncio.get_running_loop()
            beat_at = loop.time() + BEAT_EVERY_S
            while not self._over.is_set():
                changed, state = self._changed, self.state()
                seen = settled(state, self._now_ms())
                if seen != told:
                    told = seen
                    yield f"data: {json.dumps(state, separators=(',', ':'))}\n\n"
                elif loop.time() >= beat_at:
                    yield "event: beat\ndata: \n\n"
                else:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(BEAT_EVERY_S):
                            await changed.wait()
                    continue
                beat_at = loop.time() + BEAT_EVERY_S
        finally:
            self._pages -= 1

    async def _press(self, request: Request) -> Response:
        said = await _body(request)
        match said:
            case {"column": str(column)}:
                self._board.select(column)
            case {"button": "cancel"}:
                self._board.cancel()
            case {"button": "complete"}:
                self._board.complete()
            case _:
                return _refused(400, 'expected {"column": "A1"} or {"button": "cancel"}')
        return JSONResponse({})

    async def _plays(self, request: Request) -> Response:
        said = await _body(request)
        plays = said.get("plays")
        try:
            taken = isinstance(plays, list) and self._shows.played(plays, _told(said))
        except NotCounted:
            return _refused(503, "plays cannot be counted now: tell them again")
        if not taken:
            return _refused(400, "expected the plays of items that are shown")
        return JSONResponse({})


def _told(said: Mapping[str, Any]) -> PageTold | None:
    match said:
        case {"page": str(page), "number": int(number)} if (
            page.isascii() and page.isalnum() and len(page) <= 32 and 0 < number < 2**53
        ):
            return PageTold(page, number)
    return None


async def _body(request: Request) -> Mapping[str, Any]:
    """Return the object that a request holds; an empty one if it holds none, or too much."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY_BYTES_MAX:
            return {}
    # A RecursionError: what nests more deeply than Python reads.
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(content)
        if isinstance(said, dict):
            return said
    return {}


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status, headers=HEADERS)


class _Server(uvicorn.Server):
    """Leaves signals to the machine, and tells when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


@asynccontextmanager
async def screen_served(
    board: Board,
    *,
    port: int,
    now_ms: Callable[[], int],
    shows: Shows = NO_SHOWS,
    front: Front | None = None,
) -> AsyncIterator[str]:
    """Serve the page while the block lasts; yield its address. ``port`` 0: the system chooses.
    Raises OSError if it cannot listen.
    """
    listener = socket.create_server(("127.0.0.1", port))
    page = ScreenServer(board, now_ms=now_ms, shows=shows, front=front)
    config = uvicorn.Config(
        page.app(),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=4 * PAGES_MAX,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]), name="screen")
    serving = asyncio.create_task(server.serving.wait())
    await asyncio.wait([running, serving], return_when=asyncio.FIRST_COMPLETED)
    keeping = asyncio.create_task(page.keep(), name="screen-watch")
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        serving.cancel()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        page.end()
        server.should_exit = True
        await running
        listener.close()

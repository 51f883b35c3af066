"""The one drain of a gateway, whoever asks for it: a signal that ends the program, or ``vendgate
drain``.

Flows in: that the gateway shall be empty. Flows out: not ready, to balancers first; then machines
are asked to move, and who is left is told. A gateway that was drained stays, without machines,
until it is ended: it answers Alipay and administrators.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.machines.service import MachineService
from gateway.serving.http_app import Readiness
from gateway.serving.listeners import Listener

log = structlog.get_logger()
PATH = "/drain"


def proof(secret: bytes, gateway_id: str) -> str:
    """Return what shows that a caller has this gateway's settings. It is worth nothing for another
    gateway, or for the next start of this one.
    """
    return hmac.new(secret, f"vendgate drain {gateway_id}".encode(), hashlib.sha256).hexdigest()


class Drain:
    """Begins once. ``listeners`` say "not serving" first; they are there from the moment that they
    listen.
    """

    def __init__(self, machines: MachineService, readiness: Readiness, *, gateway_id: str) -> None:
        self.listeners: Sequence[Listener] = ()
        self.gateway_id = gateway_id
        self._machines = machines
        self._readiness = readiness
        self._task: asyncio.Task[None] | None = None

    @property
    def done(self) -> bool:
        """Whether no machine is left, and none is taken."""
        return self._task is not None and self._task.done()

    def begin(self, *, within_ms: int | None = None) -> asyncio.Task[None]:
        """Begin, unless it has begun; return what ends with it. ``within_ms``: sooner, also if it
        has begun.
        """
        if self._task is None or (within_ms is not None and not self._task.done()):
            if self._task is not None:
                self._task.cancel()
            self._readiness.draining = True
            self._task = asyncio.create_task(self._run(within_ms), name="drain")
        return self._task

    async def stop(self) -> None:
        """Leave off, whoever is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def told(self) -> dict[str, object]:
        """Return how far it is, as JSON has it."""
        edge = self._machines.stats()
        return {
            "gateway_id": self.gateway_id,
            "draining": self._task is not None,
            "done": self.done,
            "streams": edge.streams,
            "selling": edge.selling,
            "closed_selling": edge.closed_selling,
            "seconds_left": round(edge.drain_left_s, 1),
        }

    async def _run(self, within_ms: int | None) -> None:
        for listener in self.listeners:
            await listener.not_serving()
        log.info("asking machines to move", streams=self._machines.stats().streams)
        await self._machines.drain(within_ms=within_ms)
        edge = self._machines.stats()
        log.info("drained", streams=edge.streams, closed_selling=edge.closed_selling)


def drain_route(drain: Drain, secrets: Callable[[], Iterable[bytes]]) -> Route:
    """Return what operators ask: GET tells how far it is; POST begins, for who can show ``proof``,
    which only those can make who may read one of the settings' ``secrets``.
    """

    def proves(shown: str) -> bool:
        proofs = [proof(secret, drain.gateway_id).encode() for secret in secrets()]
        return any(hmac.compare_digest(shown.encode(), one) for one in proofs)

    async def asked(request: Request) -> Response:
        if request.method == "POST":
            shown = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not proves(shown):
                log.warning("a drain is refused: its caller has other settings")
                said = (
                    "Only who has this gateway's settings may drain it: run vendgate drain with "
                    "the file from which it was started."
                )
                return JSONResponse({"error": said}, status_code=403)
            drain.begin()
        return JSONResponse(drain.told())

    return Route(PATH, asked, methods=["GET", "POST"])

"""The gateway's HTTP side as two ASGI apps, each for a port of its own: Alipay's notifications, and
for operators ``/healthz``, ``/readyz``, ``/metrics`` and what others add.

Flows in: requests. Flows out: what ``notify`` answers, whether the process lives, whether it should
get new machines, and its figures. They share no port, so that who crowds the one that the public
reaches does not blind the operators, and no scrape takes a place from a payment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from actors.ports import Clock, StoreError
from gateway.alipay.notify import NotifyIngress
from gateway.process.configs import NOTIFY_PATH
from gateway.rpc.counters import Counters
from gateway.serving.metrics import CONTENT_TYPE, Snapshot, render
from storage.database import schema
from storage.database.engine import Database
from storage.database.saving import FRESH_S, SaveCheck
from storage.fleet.queries import Queries
from storage.fleet.views import GaugeView

_log = structlog.get_logger()
CHECK_TIMEOUT_S = 2.0

Check = Callable[[], Awaitable[bool]]


@dataclass(slots=True, kw_only=True)
class Readiness:
    """Whether new machines and notifications should come here. ``draining`` is set once, by
    the drain.
    """

    checks: Mapping[str, Check]
    warnings: Callable[[], Sequence[str]] = tuple
    """What people must know and what makes nothing unready: taking every gateway out because they
    share a wrong clock would sell nothing at all.
    """
    draining: bool = False
    check_timeout_s: float = CHECK_TIMEOUT_S

    async def report(self) -> dict[str, bool]:
        """Return each check's answer; one that does not answer in time says no."""
        names = list(self.checks)
        answers = await asyncio.gather(*(self._one(name) for name in names))
        return {**dict(zip(names, answers, strict=True)), "not_draining": not self.draining}

    async def _one(self, name: str) -> bool:
        try:
            async with asyncio.timeout(self.check_timeout_s):
                return await self.checks[name]()
        except (StoreError, TimeoutError, OSError) as error:
            _log.warning(
                "readiness check failed", check=name, error=str(error) or type(error).__name__
            )
            return False


def sql_check(queries: Queries) -> Check:
    """Return the check that SQL answers."""

    async def answers() -> bool:
        await queries.last_position()
        return True

    return answers


def schema_check(database: Database) -> Check:
    """Return the check that this program works with the database, which may have been upgraded
    since it was opened.
    """

    async def works() -> bool:
        if refused := await database.read(schema.outdated):
            raise StoreError(refused)
        return True

    return works


def saves_check(database: Database, *, fresh_s: float = FRESH_S) -> Check:
    """Return the check that something can be saved: without it every vend is denied and every
    notification refused, whatever can be read.
    """
    saving = SaveCheck(database, fresh_s=fresh_s)

    async def saves() -> bool:
        await saving.proved()
        return True

    return saves


def build_notify_app(ingress: NotifyIngress) -> Starlette:
    """Return the app that the public reaches: Alipay's notifications and nothing else."""
    route = Route(f"{NOTIFY_PATH}/{{token:path}}", ingress.handle, methods=["POST"])
    return Starlette(routes=[route])


def build_health_app(
    *,
    readiness: Readiness,
    metrics: Counters,
    queries: Queries,
    clock: Clock,
    present: Callable[[Sequence[GaugeView] | None], Awaitable[Snapshot]],
    others: Sequence[Route] = (),
) -> Starlette:
    """Return the operators' app. ``present`` adds the figures of this process to those of SQL
    (None: it did not answer); ``others`` are further pages.
    """

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_request: Request) -> Response:
        report = await readiness.report()
        return JSONResponse(
            {
                "ready": all(report.values()),
                "checks": report,
                "warnings": list(readiness.warnings()),
            },
            status_code=200 if all(report.values()) else 503,
        )

    async def figures(_request: Request) -> Response:
        try:
            async with asyncio.timeout(readiness.check_timeout_s):
                open_items: Sequence[GaugeView] | None = await queries.gauges(now_ms=clock.now_ms())
        except (StoreError, TimeoutError):
            open_items = None
        return Response(render(metrics, await present(open_items)), media_type=CONTENT_TYPE)

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route("/metrics", figures, methods=["GET"]),
            *others,
        ]
    )

"""A pretend Alipay in one object: HTTP in, signed answers and notifications out. ``build`` makes
one.

It runs over a real port (``serve``), or inside a test: ``httpx.ASGITransport(app=alipay.asgi)`` or
``httpx.MockTransport(alipay.handle)`` under the real client, ``alipay.pay(...)`` for a customer,
``await alipay.settle()`` to have done what is due.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import structlog
from starlette.applications import Starlette

from alipay_client.simulator import control, gmt8, mishaps, payments, views
from alipay_client.simulator.book import Book
from alipay_client.simulator.config import SimulatorConfig
from alipay_client.simulator.delivery import Courier, Deliver, HttpDelivery
from alipay_client.simulator.desk import Desk, Turned
from alipay_client.simulator.gateway import admit, notify_verify
from alipay_client.simulator.model import Trade
from alipay_client.simulator.wire import (
    Answer,
    NoAnswer,
    Refusal,
    outage,
    plain,
    read_call,
    refused,
)


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SimulatedAlipay:
    """One merchant's Alipay. Single-threaded: everything belongs to the loop that uses it."""

    def __init__(
        self,
        config: SimulatorConfig,
        book: Book,
        now_ms: Callable[[], int],
        deliver: Deliver,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.desk = Desk(config, book, now_ms)
        self.courier = Courier(self.desk, deliver)
        self.asgi: Starlette = control.application(self)
        self._deliver = deliver
        self._sleep = sleep

    async def answer(self, method: str, query: bytes, body: bytes) -> Answer:
        """One call of ``/gateway.do``; raises NoAnswer when the connection is to end without a
        byte.
        """
        desk = self.desk
        service_name, wait_ms = "", 0
        try:
            call = read_call(method, query, body, desk.limits)
            service_name = call.get("service")
            if desk.quirks.sandbox_maintenance and gmt8.in_maintenance(desk.now_ms()):
                return outage()
            if service_name == "notify_verify":
                return plain("true" if notify_verify(desk, call) else "false")
            service = admit(desk, call)
            throw = mishaps.throw_of(desk, call)
            if throw.hits("slow", desk.faults.slow):
                wait_ms = desk.faults.slow_ms
            return mishaps.work(desk, call, service, throw)
        except Refusal as refusal:
            desk.turned.append(
                Turned(
                    at_ms=desk.now_ms(),
                    service=service_name[:64],
                    code=refusal.code,
                    reason=refusal.reason,
                )
            )
            structlog.get_logger().info(
                "call refused", service=service_name[:64], code=refusal.code, reason=refusal.reason
            )
            return refused(refusal.code, desk.quirks.answer_charset)
        finally:
            self.courier.wake()
            if wait_ms:
                await self._sleep(wait_ms / 1000)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """For ``httpx.MockTransport``; a missing answer looks as it does to a real client."""
        try:
            answer = await self.answer(request.method, request.url.query, await request.aread())
        except NoAnswer:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            ) from None
        return httpx.Response(
            answer.status,
            headers={"content-type": answer.content_type},
            content=answer.body,
            request=request,
        )

    def pay(self, qrcode: str, amount: str, buyer: str = "alice") -> Trade:
        """A customer pays; raises ``model.Declined``. The notification goes out with ``settle`` or
        while ``running``.
        """
        trade = payments.pay(self.desk, qrcode=qrcode, amount=amount, buyer=buyer)
        self.courier.wake()
        return trade

    def book(self) -> dict[str, Any]:
        """What ``GET /control/book`` says."""
        return views.book(self.desk, self.desk.limits.list_max)

    def codes(self) -> dict[str, Any]:
        """What ``GET /control/codes`` says."""
        return views.codes(self.desk, self.desk.limits.list_max)

    def switch(self, wanted: Mapping[str, object]) -> None:
        """Sets quirks and faults by name; ValueError, and nothing set, when one is wrong."""
        self.desk.switch(wanted)

    def plan(self, *faults: str) -> None:
        """The next calls are struck by these faults in turn; see ``Faults``."""
        self.desk.plan(*faults)

    async def settle(self) -> None:
        """Carries out refunds and delivers notifications that are due now."""
        await self.courier.settle()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers in the background while the block lasts."""
        courier = asyncio.create_task(self.courier.run())
        try:
            yield
        finally:
            courier.cancel()
            await asyncio.gather(courier, return_exceptions=True)

    async def close(self) -> None:
        """Closes connections and the book."""
        if isinstance(self._deliver, HttpDelivery):
            await self._deliver.close()
        self.desk.book.close()


def build(
    config: SimulatorConfig,
    book_path: Path | None = None,
    *,
    now_ms: Callable[[], int] = wall_clock_ms,
    deliver: Deliver | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> SimulatedAlipay:
    """A pretend Alipay whose book lives in ``book_path``, or in memory; ValueError says which key
    is missing or unreadable.

    Without ``deliver`` notifications go out over real HTTP.
    """
    limits = config.limits
    if deliver is None:
        deliver = HttpDelivery(
            timeout_ms=limits.deliver_timeout_ms, connections_max=limits.deliveries_max
        )
    return SimulatedAlipay(
        config, Book.open(book_path, now_ms=now_ms()), now_ms, deliver, sleep=sleep
    )

"""A pretend Alipay in one object: calls in, signed answers and notifications out. ``build`` makes
one.

It runs over a real port (``serve``), or inside a test: ``httpx.MockTransport(alipay.handle)`` or
``httpx.ASGITransport(app=application(alipay))`` (``control``) under the real client,
``alipay.pay(...)`` for a customer, ``await alipay.settle()`` to have done what is due.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import structlog

from alipay_client.simulator import gmt8, mishaps, payments, views
from alipay_client.simulator.book import Book
from alipay_client.simulator.config import SimulatorConfig
from alipay_client.simulator.context import Context, TurnedAway
from alipay_client.simulator.delivery import Courier, Deliver, HttpDelivery
from alipay_client.simulator.gateway import admit, notify_verify
from alipay_client.simulator.model import Trade
from alipay_client.simulator.reader import Reader
from alipay_client.simulator.signing import key_ring
from alipay_client.simulator.wire import (
    HttpAnswer,
    NoAnswer,
    Refusal,
    outage,
    plain,
    read_call,
    refused,
)

log = structlog.get_logger()


def wall_clock_ms() -> int:
    """Return milliseconds since 1970 UTC."""
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
        self.context = Context(config, book, now_ms)
        self.reader = Reader(book.path)
        self.courier = Courier(self.context, deliver)
        self._deliver = deliver
        self._sleep = sleep

    async def answer(self, method: str, query: bytes, body: bytes) -> HttpAnswer:
        """Answer one call of ``/gateway.do``. NoAnswer: the connection is to end without a byte."""
        context = self.context
        service_name, wait_ms = "", 0
        try:
            call = read_call(method, query, body, context.limits)
            service_name = call.get("service")
            if context.quirks.sandbox_maintenance and gmt8.in_maintenance(context.now_ms()):
                return outage()
            if service_name == "notify_verify":
                return plain("true" if notify_verify(context, call) else "false")
            service = admit(context, call)
            attempt = mishaps.attempt_of(context, call)
            if attempt.hits("slow", context.faults.slow):
                wait_ms = context.faults.slow_ms
            return mishaps.work(context, call, service, attempt)
        except Refusal as refusal:
            if query or body:  # who asks for nothing wants to know the time
                self._note(service_name[:64], refusal)
            return refused(refusal.code, context.quirks.answer_charset)
        finally:
            self.courier.wake()
            if wait_ms:
                await self._sleep(wait_ms / 1000)

    def _note(self, service_name: str, refusal: Refusal) -> None:
        self.context.turned_away.append(
            TurnedAway(
                at_ms=self.context.now_ms(),
                service=service_name,
                code=refusal.code,
                reason=refusal.reason,
            )
        )
        log.info(
            "a call was turned away",
            service=service_name,
            code=refusal.code,
            reason=refusal.reason,
        )

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer as ``httpx.MockTransport`` asks; a missing answer looks as it does to a real
        client.
        """
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
        """Let a customer pay; ``model.Declined`` if Alipay takes nothing. The notification goes out
        with ``settle`` or while ``running``.
        """
        trade = payments.pay(self.context, qrcode=qrcode, amount=amount, buyer=buyer)
        self.courier.wake()
        return trade

    async def book(self, limit: int | None = None, before: str = "") -> dict[str, Any]:
        """Return what ``GET /control/book`` says."""
        limit = limit or self.context.limits.list_max
        return views.book(await self.reader.trades(limit, before=before))

    async def codes(self, limit: int | None = None) -> dict[str, Any]:
        """Return what ``GET /control/codes`` says."""
        return views.codes(await self.reader.codes(limit or self.context.limits.list_max))

    def switch(self, wanted: Mapping[str, object]) -> None:
        """Set quirks and faults by name; ValueError, and nothing set, when one is wrong."""
        self.context.switch(wanted)

    def exchange_keys(self, **texts: str) -> None:
        """Sign and prove with other keys of the configuration from now on, by their names there.
        ValueError, and nothing exchanged, when one is wrong; TypeError for a name that is none.
        """
        self.context.ring = key_ring(replace(self.context.config, **texts))  # type: ignore[arg-type]
        self.context.config = replace(self.context.config, **texts)  # type: ignore[arg-type]

    def plan(self, *faults: str) -> None:
        """Let these faults strike the next calls in turn; see ``Faults``."""
        self.context.plan(*faults)

    async def settle(self) -> None:
        """Carry out refunds and deliver notifications that are due now."""
        await self.courier.settle()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver in the background while the block lasts."""
        courier = asyncio.create_task(self.courier.run())
        try:
            yield
        finally:
            courier.cancel()
            await asyncio.gather(courier, return_exceptions=True)

    async def close(self) -> None:
        """Close connections and the book."""
        if isinstance(self._deliver, HttpDelivery):
            await self._deliver.close()
        self.context.book.close()


def build(
    config: SimulatorConfig,
    book_path: Path | None = None,
    *,
    now_ms: Callable[[], int] = wall_clock_ms,
    deliver: Deliver | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> SimulatedAlipay:
    """Make a pretend Alipay whose book lives in ``book_path``, or ends with it; ValueError says
    which key is missing or unreadable.

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

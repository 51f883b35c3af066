"""Notifications on their way to the merchant, until it says ``success`` (docs/alipay.md 7.2, 7.3).

What is due stands in the book, so a restart goes on where the last process ended. A delivery is
written down when it has ended: one that a crash cuts off happens again, as Alipay's do.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import structlog

from alipay_client.simulator import gmt8, payments
from alipay_client.simulator.book import NotificationEntry, NotificationState
from alipay_client.simulator.context import Context
from alipay_client.simulator.wire import notification_form

log = structlog.get_logger()

Deliver = Callable[[str, bytes, str], Awaitable[bytes]]
"""POSTs a body of a content type to a URL and returns the body of the answer; raises when that is
not a plain 200.
"""

_ODD: tuple[Callable[[dict[str, str]], dict[str, str]], ...] = (
    lambda fields: {"total_fee": "", "settled_fee": fields["total_fee"]},
    lambda fields: {"total_fee": f"{fields['total_fee'].partition('.')[0]}.001"},
    lambda _: {"total_fee": "0.00"},
    lambda _: {"out_trade_no": ""},
    lambda _: {"trade_no": ""},
    lambda _: {"seller_id": ""},
    lambda _: {"trade_status": "TRADE_PENDING"},
    lambda fields: {"gmt_payment": f"{fields['gmt_payment']}.0"},
    lambda _: {"gmt_payment": ""},
    lambda _: {"gmt_payment": "", "gmt_create": ""},
)
"""What one odd delivery says otherwise; what is empty is left out (docs/alipay.md 7.1)."""
_ANSWER_BYTES_MAX = 4_096
_POLL_S = 1.0


class HttpDelivery:
    """The real thing: no redirects, no proxies, a time-out and a bounded answer."""

    def __init__(self, *, timeout_ms: int, connections_max: int) -> None:
        self._http = httpx.AsyncClient(
            timeout=timeout_ms / 1000,
            limits=httpx.Limits(max_connections=connections_max),
            follow_redirects=False,
            trust_env=False,
        )

    async def __call__(self, url: str, body: bytes, content_type: str) -> bytes:
        """Send once. httpx.HTTPError, httpx.InvalidURL, OSError: the answer is not a plain 200."""
        async with self._http.stream(
            "POST", url, content=body, headers={"content-type": content_type}
        ) as response:
            if response.status_code != httpx.codes.OK:
                raise OSError(f"HTTP {response.status_code}")
            answer = b""
            async for piece in response.aiter_bytes():
                answer += piece
                if len(answer) > _ANSWER_BYTES_MAX:
                    raise OSError("the answer is longer than a word")
            return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class Courier:
    """Owner of the deliveries in flight. ``run`` never returns; ``settle`` does what is due now,
    for tests on a clock of their own.
    """

    def __init__(self, context: Context, deliver: Deliver) -> None:
        self._context = context
        self._deliver = deliver
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now: something may be due."""
        self._wake.set()

    def redeliver(self, trade_no: str) -> int:
        """Make every notification of the trade due again, acknowledged or not; return how many
        there are.
        """
        now_ms = self._context.now_ms()
        with self._context.book.change():
            known = self._context.book.notifications_of(trade_no)
            for notification in known:
                again = replace(
                    notification, state=NotificationState.DUE, attempts=0, next_at_ms=now_ms
                )
                self._context.book.put_notification(again)
        self.wake()
        return len(known)

    async def run(self) -> None:
        """Deliver what is due until cancelled; deliveries in flight end with it."""
        try:
            while True:
                self._wake.clear()
                self._start_due()
                try:
                    # Not wait_for: until Python 3.12 it loses a cancellation that comes in the
                    # moment of the wake-up.
                    async with asyncio.timeout(self._pause_s()):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = list(self._in_flight.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Carry out and deliver all that is due at this moment, and what follows from it at this
        moment.
        """
        while True:
            self._start_due()
            if not self._in_flight:
                return
            await asyncio.wait(self._in_flight.values())

    def _pause_s(self) -> float:
        next_at_ms = self._context.book.next_due_ms()
        if next_at_ms is None:
            return _POLL_S
        wait_ms = next_at_ms - self._context.now_ms()
        if wait_ms <= 0:  # whatever is due and in flight wakes us when it ends
            return _POLL_S if self._in_flight else 0.001
        return min(_POLL_S, wait_ms / 1000)

    def _start_due(self) -> None:
        payments.carry_out_due(self._context)
        most = self._context.limits.deliveries_max
        for notification in self._context.book.notifications_due(
            self._context.now_ms(), most + len(self._in_flight)
        ):
            if len(self._in_flight) >= most:
                return
            if notification.notify_id not in self._in_flight:
                task = asyncio.create_task(self._bring(notification))
                self._in_flight[notification.notify_id] = task

    async def _bring(self, notification: NotificationEntry) -> None:
        started_at_ms = self._context.now_ms()
        try:
            acknowledged = await self._send(notification)
        finally:
            del self._in_flight[notification.notify_id]
            self.wake()
        book = self._context.book
        with book.change():
            current = book.notification(notification.notify_id) or notification
            schedule = self._context.config.redelivery_ms
            attempts = current.attempts + 1
            if acknowledged:
                after = replace(current, state=NotificationState.ACKNOWLEDGED, attempts=attempts)
            elif attempts > len(schedule):
                after = replace(current, state=NotificationState.GIVEN_UP, attempts=attempts)
            else:
                after = replace(
                    current, attempts=attempts, next_at_ms=started_at_ms + schedule[attempts - 1]
                )
            book.put_notification(after)
        facts = {"trade_id": after.trade_no, "cause": after.cause, "attempts": attempts}
        if after.state is NotificationState.GIVEN_UP:
            log.warning("a notification was given up", **facts)
        else:
            log.debug("a notification was sent", acknowledged=acknowledged, **facts)

    async def _send(self, notification: NotificationEntry) -> bool:
        """Deliver once, with its copies; return whether any was acknowledged."""
        context, faults = self._context, self._context.faults
        attempt = context.dice.attempt(f"delivery|{notification.trade_no}|{notification.cause}")
        if attempt.hits("lost", faults.notify_lost):
            return False
        copies = 1 + (
            faults.notify_copies if attempt.hits("duplicated", faults.notify_duplicated) else 0
        )
        acknowledged = False
        for _ in range(copies):
            fields = {"notify_time": gmt8.text(context.now_ms()), **json.loads(notification.fields)}
            if notification.cause == "paid" and attempt.hits("odd", faults.notify_odd):
                fields |= _ODD[attempt.below("how", len(_ODD))](fields)
            body, content_type = notification_form(
                fields,
                sign_type=notification.sign_type,
                ring=context.ring,
                charset=notification.charset,
            )
            try:
                answer = await self._deliver(notification.url, body, content_type)
            except Exception as error:  # noqa: BLE001  # whatever the other side or its stand-in does, the schedule goes on
                log.info(
                    "a notification could not be delivered",
                    trade_id=notification.trade_no,
                    error=repr(error)[:200],
                )
                continue
            acknowledged |= (
                answer.lower() if context.quirks.success_any_case else answer
            ) == b"success"
        return acknowledged

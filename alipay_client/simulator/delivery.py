"""Brings notifications to the merchant until he says ``success`` (docs/alipay.md 7.2 and 7.3).

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
from alipay_client.simulator.book import Notification, NotificationState
from alipay_client.simulator.desk import Desk
from alipay_client.simulator.wire import notification_form

Deliver = Callable[[str, bytes, str], Awaitable[bytes]]
"""POSTs a body of a content type to a URL and returns the body of the answer; raises when that is
not a plain 200.
"""

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
        """Raises httpx.HTTPError, httpx.InvalidURL or OSError when it is not a plain 200."""
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
        """Closes the connections."""
        await self._http.aclose()


class Courier:
    """Owns the deliveries in flight. ``run`` goes on for ever; ``settle`` does what is due now, for
    tests on a clock of their own.
    """

    def __init__(self, desk: Desk, deliver: Deliver) -> None:
        self._desk = desk
        self._deliver = deliver
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    def redeliver(self, trade_no: str) -> int:
        """Every notification of the trade is due again, acknowledged or not; returns how many."""
        now_ms = self._desk.now_ms()
        with self._desk.book.change():
            known = self._desk.book.notifications_of(trade_no)
            for notification in known:
                again = replace(
                    notification, state=NotificationState.DUE, attempts=0, next_at_ms=now_ms
                )
                self._desk.book.put_notification(again)
        self.wake()
        return len(known)

    async def run(self) -> None:
        """Until cancelled; deliveries in flight end with it."""
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
        """Carries out and delivers all that is due at this moment, and what follows from it at this
        moment.
        """
        while True:
            self._start_due()
            if not self._in_flight:
                return
            await asyncio.wait(self._in_flight.values())

    def _pause_s(self) -> float:
        next_at_ms = self._desk.book.next_due_ms()
        if next_at_ms is None:
            return _POLL_S
        wait_ms = next_at_ms - self._desk.now_ms()
        if wait_ms <= 0:  # whatever is due and in flight wakes us when it ends
            return _POLL_S if self._in_flight else 0.001
        return min(_POLL_S, wait_ms / 1000)

    def _start_due(self) -> None:
        payments.carry_out_due(self._desk)
        most = self._desk.limits.deliveries_max
        for notification in self._desk.book.notifications_due(
            self._desk.now_ms(), most + len(self._in_flight)
        ):
            if len(self._in_flight) >= most:
                return
            if notification.notify_id not in self._in_flight:
                task = asyncio.create_task(self._bring(notification))
                self._in_flight[notification.notify_id] = task

    async def _bring(self, notification: Notification) -> None:
        started_at_ms = self._desk.now_ms()
        try:
            acknowledged = await self._send(notification)
        finally:
            del self._in_flight[notification.notify_id]
            self.wake()
        book = self._desk.book
        with book.change():
            current = book.notification(notification.notify_id) or notification
            schedule = self._desk.config.redelivery_ms
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
        log = structlog.get_logger().bind(
            trade_id=after.trade_no, cause=after.cause, attempts=attempts
        )
        if after.state is NotificationState.GIVEN_UP:
            log.warning("notification given up")
        else:
            log.debug("notification sent", acknowledged=acknowledged)

    async def _send(self, notification: Notification) -> bool:
        """One delivery, and its copies; whether any was acknowledged."""
        desk, faults = self._desk, self._desk.faults
        throw = desk.dice.throw(f"delivery|{notification.trade_no}|{notification.cause}")
        if throw.hits("lost", faults.notify_lost):
            return False
        copies = 1 + (
            faults.notify_copies if throw.hits("duplicated", faults.notify_duplicated) else 0
        )
        acknowledged = False
        for _ in range(copies):
            fields = {"notify_time": gmt8.text(desk.now_ms()), **json.loads(notification.fields)}
            body, content_type = notification_form(
                fields,
                sign_type=notification.sign_type,
                ring=desk.ring,
                charset=notification.charset,
            )
            try:
                answer = await self._deliver(notification.url, body, content_type)
            except Exception as error:  # noqa: BLE001  # whatever the other side or its stand-in does, the schedule goes on
                structlog.get_logger().info(
                    "notification not delivered",
                    trade_id=notification.trade_no,
                    error=repr(error)[:200],
                )
                continue
            acknowledged |= (
                answer.lower() if desk.quirks.success_any_case else answer
            ) == b"success"
        return acknowledged

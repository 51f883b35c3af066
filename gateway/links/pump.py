"""The way to one host: what arrives while an exchange is in flight goes into the next; deliveries
are handed on by their numbers.

Flows in: messages for the host, and its deliveries. Flows out: to the streams what is theirs, to
administrators the answers to their commands. When a call fails, does not come back, or a delivery
is missing, the pump attaches anew: it says ``Connected`` for each of its streams and repeats their
unacknowledged frames, and tells those who wait for a command that its outcome is unknown.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from actors.link import (
    CommandDone,
    Commanded,
    Delivery,
    FromHost,
    FromMachine,
    HostLink,
    LinkBroken,
    Notified,
    StreamClosed,
    ToHost,
    ToMachine,
)
from actors.machine.events import Disconnected, FrameReceived
from actors.machine.ids import StreamId
from gateway.links.terms import HostUnavailable, LinkedStream, LinkLimits, LinkStats

logger = structlog.get_logger()


class Row:
    """Deliveries by their numbers: what comes too early waits for what is before it."""

    def __init__(self) -> None:
        self.expected = 1
        self._early: dict[int, tuple[Delivery, Sequence[ToHost]]] = {}

    @property
    def waiting(self) -> bool:
        """Whether something came too early."""
        return bool(self._early)

    def take(
        self, delivery: Delivery, batch: Sequence[ToHost]
    ) -> list[tuple[Delivery, Sequence[ToHost]]]:
        """Return what may be handed on now, in order, each with the batch that it answers."""
        self._early[delivery.number] = (delivery, batch)
        ready = []
        while self.expected in self._early:
            ready.append(self._early.pop(self.expected))
            self.expected += 1
        return ready


class HostPump:
    """One host's link. ``run`` it as a task."""

    def __init__(
        self,
        link: HostLink,
        *,
        host: int,
        gateway_id: str,
        limits: LinkLimits,
        random: Callable[[], float],
    ) -> None:
        self._link = link
        self._host = host
        self._gateway_id = gateway_id
        self._limits = limits
        self._random = random
        self._streams: dict[StreamId, LinkedStream] = {}
        self._queue: deque[ToHost] = deque()
        self._queued = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._in_flight: Sequence[ToHost] = ()
        self._waiting: dict[str, asyncio.Future[CommandDone]] = {}
        self._sent: set[str] = set()
        self._attached = False
        self._failures = 0
        self._row = Row()
        self._gap: asyncio.TimerHandle | None = None
        self._broken: asyncio.Future[None] | None = None
        self._exchanges = 0
        self._messages = 0
        self._attachments = 0
        self._notifications_dropped = 0
        self._undeliverable = 0

    # --- from the gateway ---

    def open_stream(self, stream: LinkedStream) -> None:
        """Take a stream in and say ``Connected`` for it: now, or with the next attachment."""
        self._streams[stream.stream_id] = stream
        if self._attached and stream.connected is not None:
            self._put(FromMachine(machine_id=stream.machine_id, event=stream.connected))

    def close_stream(self, stream: LinkedStream, reason: str, *, tell: bool) -> None:
        """Forget a stream and, with ``tell``, say ``Disconnected`` for it, also if the link breaks
        in between.
        """
        if self._streams.pop(stream.stream_id, None) is not None and tell:
            self._put(
                FromMachine(
                    machine_id=stream.machine_id,
                    event=Disconnected(stream_id=stream.stream_id, reason=reason),
                )
            )

    def submit(self, stream: LinkedStream, frame: FrameReceived) -> None:
        """Send a frame. While there is no attachment the stream keeps it, and it goes with the next
        one.
        """
        if self._attached:
            self._put(FromMachine(machine_id=stream.machine_id, event=frame))

    async def room(self) -> None:
        """Return once the queue has room."""
        await self._room.wait()

    def notify(self, message: Notified) -> None:
        """Send a wake-up, or drop it if the queue is full: the host finds what was saved by
        itself.
        """
        if len(self._queue) >= self._limits.queue_max:
            self._notifications_dropped += 1
        else:
            self._put(message)

    async def command(self, message: Commanded, *, timeout_s: float) -> CommandDone:
        """Send an administrator's act and wait until it is saved. Raises HostUnavailable."""
        if len(self._queue) >= self._limits.queue_max:
            raise HostUnavailable(f"the queue to host {self._host} is full", sent=False)
        answer: asyncio.Future[CommandDone] = asyncio.get_running_loop().create_future()
        self._waiting[message.command_id] = answer
        self._put(message)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            sent = message.command_id in self._sent
            if not sent:
                self._queue.remove(message)
                self._look_at_queue()
            raise HostUnavailable(
                f"host {self._host} did not answer within {timeout_s:g} s", sent=sent
            ) from None
        finally:
            self._waiting.pop(message.command_id, None)
            self._sent.discard(message.command_id)

    def stats(self) -> LinkStats:
        """Return what the link looks like."""
        return LinkStats(
            host=self._host,
            attached=self._attached,
            streams=len(self._streams),
            queued=len(self._queue),
            commands_waiting=len(self._waiting),
            exchanges=self._exchanges,
            messages=self._messages,
            attachments=self._attachments,
            notifications_dropped=self._notifications_dropped,
            undeliverable=self._undeliverable,
        )

    def _put(self, message: ToHost) -> None:
        self._queue.append(message)
        self._queued.set()
        self._idle.clear()
        if len(self._queue) >= self._limits.queue_max:
            self._room.clear()

    # --- the link ---

    async def run(self) -> None:
        """Keep the link open until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._limits.attach_timeout_s):
                    attachment = await self._link.attach(self._gateway_id)
                self._opened()
                await self._serve(attachment)
            except (LinkBroken, TimeoutError) as broken:
                logger.warning(
                    "link to host broken",
                    host=self._host,
                    failures=self._failures,
                    detail=str(broken) or "timed out",
                )
            except Exception:
                logger.exception("link to host failed", host=self._host, failures=self._failures)
            finally:
                self._closed()
            await asyncio.sleep(self._delay_s())

    async def flushed(self) -> None:
        """Return once nothing is queued or in flight, or after ``stop_timeout_s``."""
        try:
            async with asyncio.timeout(self._limits.stop_timeout_s):
                await self._idle.wait()
        except TimeoutError:
            logger.warning(
                "link to host closed with messages left", host=self._host, queued=len(self._queue)
            )

    def _delay_s(self) -> float:
        """Full jitter; the range doubles until a delivery comes."""
        widest: float = min(
            self._limits.backoff_max_s,
            self._limits.backoff_initial_s * 2 ** min(self._failures, 16),
        )
        self._failures += 1
        return self._random() * widest

    def _opened(self) -> None:
        self._attached = True
        self._attachments += 1
        self._row = Row()
        for stream in self._streams.values():
            if stream.connected is None:
                continue
            frames = stream.unacked()
            stream.repeated(1 + len(frames))
            self._put(FromMachine(machine_id=stream.machine_id, event=stream.connected))
            for frame in frames:
                self._put(FromMachine(machine_id=stream.machine_id, event=frame))
        logger.info(
            "link to host open",
            host=self._host,
            streams=len(self._streams),
            attachment=self._attachments,
        )

    async def _serve(self, attachment: str) -> None:
        self._broken = asyncio.get_running_loop().create_future()
        tasks = [
            asyncio.create_task(self._exchange(attachment)),
            asyncio.create_task(self._listen(attachment)),
        ]
        try:
            await asyncio.wait([*tasks, self._broken], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if self._broken.done():
            self._broken.result()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _closed(self) -> None:
        """The link is gone: keep what must be said again, give up what nobody can know."""
        if not self._attached:
            return
        self._attached = False
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None
        again = [message for message in self._in_flight if _is_disconnected(message)]
        again += [
            message
            for message in self._queue
            if not isinstance(message, FromMachine) or _is_disconnected(message)
        ]
        self._in_flight = ()
        self._queue = deque(again)
        self._look_at_queue()
        for command_id in tuple(self._sent):
            answer = self._waiting.get(command_id)
            if answer is not None and not answer.done():
                answer.set_exception(
                    HostUnavailable(f"the link to host {self._host} broke", sent=True)
                )

    async def _exchange(self, attachment: str) -> None:
        while True:
            await self._queued.wait()
            batch = [
                self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch_max))
            ]
            self._in_flight = batch
            self._sent.update(
                message.command_id for message in batch if isinstance(message, Commanded)
            )
            self._look_at_queue()
            async with asyncio.timeout(self._limits.exchange_timeout_s):
                delivery = await self._link.exchange(attachment, batch)
            self._exchanges += 1
            self._messages += len(batch)
            self._in_flight = ()
            self._arrived(delivery, batch)
            self._look_at_queue()

    async def _listen(self, attachment: str) -> None:
        while True:
            async with asyncio.timeout(self._limits.listen_timeout_s):
                delivery = await self._link.listen(attachment)
            self._arrived(delivery, ())
            if not delivery.messages:
                await asyncio.sleep(
                    0
                )  # a host that is never idle for long must not keep the loop to itself

    def _look_at_queue(self) -> None:
        if len(self._queue) < self._limits.queue_max:
            self._room.set()
        if not self._queue:
            self._queued.clear()
            if not self._in_flight:
                self._idle.set()

    # --- from the host ---

    def _arrived(self, delivery: Delivery, batch: Sequence[ToHost]) -> None:
        """Hand on what is next in the row; hold what came too early, but not for ever."""
        self._failures = 0
        if delivery.number < self._row.expected:  # idle answers have number 0
            if delivery.messages:
                logger.warning(
                    "delivery came twice",
                    host=self._host,
                    number=delivery.number,
                    expected=self._row.expected,
                )
            self._answered(batch)
            return
        ready = self._row.take(delivery, batch)
        for each, answered in ready:
            for message in each.messages:
                self._hand_on(message)
            self._answered(answered)
        if self._gap is not None and (ready or not self._row.waiting):
            self._gap.cancel()
            self._gap = None
        if self._row.waiting and self._gap is None:
            self._gap = asyncio.get_running_loop().call_later(
                self._limits.gap_timeout_s, self._missing
            )

    def _missing(self) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(LinkBroken(f"delivery {self._row.expected} did not come"))

    def _answered(self, batch: Sequence[ToHost]) -> None:
        for message in batch:
            if isinstance(message, FromMachine) and not isinstance(message.event, Disconnected):
                stream = self._streams.get(message.event.stream_id)
                if stream is not None:
                    stream.answered()

    def _hand_on(self, message: FromHost) -> None:
        if isinstance(message, CommandDone):
            answer = self._waiting.get(message.command_id)
            if answer is not None and not answer.done():
                answer.set_result(message)
            return
        stream = self._streams.get(message.stream_id)
        if stream is None:
            self._undeliverable += (
                1  # the machine hears of it when it connects again: the state is the outbox
            )
        elif isinstance(message, ToMachine):
            self._deliver(stream, message)
        else:
            self._close(stream, message)

    def _deliver(self, stream: LinkedStream, message: ToMachine) -> None:
        try:
            stream.deliver(message.ack, message.commands)
        except Exception:
            # One machine's trouble must not become that of all machines of the host.
            logger.exception(
                "delivery failed", machine_id=message.machine_id, stream_id=message.stream_id
            )
            stream.close("FAILED")

    def _close(self, stream: LinkedStream, message: StreamClosed) -> None:
        logger.info(
            "host closes stream",
            machine_id=message.machine_id,
            stream_id=message.stream_id,
            reason=message.reason,
        )
        stream.close(message.reason)


def _is_disconnected(message: ToHost) -> bool:
    return isinstance(message, FromMachine) and isinstance(message.event, Disconnected)

"""The way to one host: what arrives while an exchange is in flight goes into the next; deliveries are handed on by their numbers.

Flows in: messages for the host, and its deliveries. Flows out: to the streams what is theirs, to administrators the answers to their
commands. When a call fails, does not come back, or a delivery is missing, the pump attaches anew: it says ``Connected`` for each of
its streams and repeats their unacknowledged frames, and tells those who wait for a command that its outcome is unknown.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

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
from actors.machine.effects import MachineCommand
from actors.machine.events import Connected, Disconnected, FrameReceived
from actors.machine.ids import MachineId, StreamId

logger = structlog.get_logger()


class LinkedStream(Protocol):
    """What the links need of a stream."""

    stream_id: StreamId
    machine_id: MachineId
    connected: Connected | None

    def unacked(self) -> Sequence[FrameReceived]:
        """Return the frames that the host has not acknowledged, in order."""
        ...

    def repeated(self, count: int) -> None:
        """So many messages of the stream were queued anew; nothing else waits for its answer."""
        ...

    def answered(self) -> None:
        """The host is done with one message of the stream."""
        ...

    def deliver(self, ack: int | None, commands: Sequence[MachineCommand]) -> None:
        """Commands and an acknowledgement for the machine."""
        ...

    def close(self, reason: str) -> None:
        """End the stream for one of ``CloseReason``."""
        ...


class HostUnavailable(Exception):
    """A command got no answer. ``sent`` tells whether it may have been carried out all the same: look before asking again."""

    def __init__(self, detail: str, *, sent: bool) -> None:
        outcome = "its outcome is unknown: look at the machine before asking again" if sent else "nothing was sent: ask again later"
        super().__init__(f"{detail}; {outcome}")
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """The bounds of the way to one host."""

    queue_max: int = 4_096
    """So many messages wait for the next exchange; then streams pause and commands are refused."""
    batch_max: int = 1_024
    attach_timeout_s: float = 10.0
    exchange_timeout_s: float = 30.0
    listen_timeout_s: float = 60.0
    gap_timeout_s: float = 5.0
    """How long a delivery waits for the one before it."""
    backoff_initial_s: float = 0.05
    backoff_max_s: float = 5.0
    stop_timeout_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStats:
    """What the way to one host looks like; the counts are since the start of the gateway."""

    host: int
    attached: bool
    streams: int
    queued: int
    commands_waiting: int
    exchanges: int
    messages: int
    attachments: int
    notifications_dropped: int
    undeliverable: int


class HostPump:
    """One host's link. ``run`` it as a task."""

    def __init__(self, link: HostLink, *, host: int, gateway_id: str, limits: LinkLimits, random: Callable[[], float]) -> None:
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
        self._next = 1
        self._held: dict[int, tuple[Delivery, Sequence[ToHost]]] = {}
        self._gap: asyncio.TimerHandle | None = None
        self._broken: asyncio.Future[None] | None = None
        self._exchanges = 0
        self._messages = 0
        self._attachments = 0
        self._notifications_dropped = 0
        self._undeliverable = 0

    # --- from the gateway ----------------------------------------------------------------------------------------------------

    def open_stream(self, stream: LinkedStream) -> None:
        """Take a stream in and say ``Connected`` for it: now, or with the next attachment."""
        self._streams[stream.stream_id] = stream
        if self._attached and stream.connected is not None:
            self._put(FromMachine(machine_id=stream.machine_id, event=stream.connected))

    def close_stream(self, stream: LinkedStream, reason: str, *, tell: bool) -> None:
        """Forget a stream and, with ``tell``, say ``Disconnected`` for it, also if the link breaks in between."""
        if self._streams.pop(stream.stream_id, None) is not None and tell:
            self._put(FromMachine(machine_id=stream.machine_id, event=Disconnected(stream_id=stream.stream_id, reason=reason)))

    def submit(self, stream: LinkedStream, frame: FrameReceived) -> None:
        """Send a frame. While there is no attachment the stream keeps it, and it goes with the next one."""
        if self._attached:
            self._put(FromMachine(machine_id=stream.machine_id, event=frame))

    async def room(self) -> None:
        """Return once the queue has room."""
        await self._room.wait()

    def notify(self, message: Notified) -> None:
        """Send a wake-up, or drop it if the queue is full: the host finds what was saved by itself."""
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
            raise HostUnavailable(f"host {self._host} did not answer within {timeout_s:g} s", sent=sent) from None
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

    # --- the link ------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the link open until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._limits.attach_timeout_s):
                    attachment = await self._link.attach(self._gateway_id)
                self._opened()
                await self._serve(attachment)
            except (LinkBroken, TimeoutError) as broken:
                logger.warning("link to host broken", host=self._host, failures=self._failures, detail=str(broken) or "timed out")
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
            logger.warning("link to host closed with messages left", host=self._host, queued=len(self._queue))

    def _delay_s(self) -> float:
        """Full jitter; the range doubles until a delivery comes."""
        widest: float = min(self._limits.backoff_max_s, self._limits.backoff_initial_s * 2 ** min(self._failures, 16))
        self._failures += 1
        return self._random() * widest

    def _opened(self) -> None:
        self._attached = True
        self._attachments += 1
        self._next = 1
        for stream in self._streams.values():
            if stream.connected is None:
                continue
            frames = stream.unacked()
            stream.repeated(1 + len(frames))
            self._put(FromMachine(machine_id=stream.machine_id, event=stream.connected))
            for frame in frames:
                self._put(FromMachine(machine_id=stream.machine_id, event=frame))
        logger.info("link to host open", host=self._host, streams=len(self._streams), attachment=self._attachments)

    async def _serve(self, attachment: str) -> None:
        self._broken = asyncio.get_running_loop().create_future()
        tasks = [asyncio.create_task(self._exchange(attachment)), asyncio.create_task(self._listen(attachment))]
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
        self._held.clear()
        again = [message for message in self._in_flight if _is_disconnected(message)]
        again += [message for message in self._queue if not isinstance(message, FromMachine) or _is_disconnected(message)]
        self._in_flight = ()
        self._queue = deque(again)
        self._look_at_queue()
        for command_id in tuple(self._sent):
            answer = self._waiting.get(command_id)
            if answer is not None and not answer.done():
                answer.set_exception(HostUnavailable(f"the link to host {self._host} broke", sent=True))

    async def _exchange(self, attachment: str) -> None:
        while True:
            await self._queued.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch_max))]
            self._in_flight = batch
            self._sent.update(message.command_id for message in batch if isinstance(message, Commanded))
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
                await asyncio.sleep(0)  # a host that is never idle for long must not keep the loop to itself

    def _look_at_queue(self) -> None:
        if len(self._queue) < self._limits.queue_max:
            self._room.set()
        if not self._queue:
            self._queued.clear()
            if not self._in_flight:
                self._idle.set()

    # --- from the host -------------------------------------------------------------------------------------------------------

    def _arrived(self, delivery: Delivery, batch: Sequence[ToHost]) -> None:
        """Hand on what is next in the row; hold what came too early, but not for ever."""
        self._failures = 0
        if delivery.number < self._next:  # idle answers have number 0
            if delivery.messages:
                logger.warning("delivery came twice", host=self._host, number=delivery.number, expected=self._next)
            self._answered(batch)
            return
        self._held[delivery.number] = (delivery, batch)
        if delivery.number == self._next and self._gap is not None:
            self._gap.cancel()
            self._gap = None
        while self._next in self._held:
            ready, answered = self._held.pop(self._next)
            self._next += 1
            for message in ready.messages:
                self._hand_on(message)
            self._answered(answered)
        if self._held and self._gap is None:
            self._gap = asyncio.get_running_loop().call_later(self._limits.gap_timeout_s, self._missing)

    def _missing(self) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(LinkBroken(f"delivery {self._next} did not come"))

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
            self._undeliverable += 1  # the machine hears of it when it connects again: the state is the outbox
        elif isinstance(message, ToMachine):
            stream.deliver(message.ack, message.commands)
        else:
            self._close(stream, message)

    def _close(self, stream: LinkedStream, message: StreamClosed) -> None:
        logger.info("host closes stream", machine_id=message.machine_id, stream_id=message.stream_id, reason=message.reason)
        stream.close(message.reason)


def _is_disconnected(message: ToHost) -> bool:
    return isinstance(message, FromMachine) and isinstance(message.event, Disconnected)

"""The way to one host, in batches: what arrives while an exchange is in flight goes into the next.

Flows in: messages for the host, and its deliveries. Flows out: to the streams what is theirs, to
administrators the answers to their commands. When a call fails, does not come back, or a delivery
is missing, the link attaches again: it sends ``Connected`` for each of its streams and repeats
their unacknowledged frames, and tells those who wait for a command that its outcome is unknown.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from actors.link import (
    MOVED,
    CommandDone,
    Commanded,
    Delivery,
    Figure,
    FromHost,
    FromMachine,
    HostLink,
    LinkBroken,
    Notified,
    PartitionsMoved,
    StreamClosed,
    ToHost,
    ToMachine,
)
from actors.machine.events import Connected, Disconnected, FrameReceived, PlanogramAcknowledged
from actors.machine.ids import MachineId, StreamId
from gateway.links import linked
from gateway.links.commands import HostUnavailable, OpenCommands
from gateway.links.delivery_order import DeliveryOrder
from gateway.links.linked import LinkedStream, LinkStats, by_machine, is_disconnected

log = structlog.get_logger()

_ANSWERED = (Connected, FrameReceived)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """The bounds of the way to one host."""

    queue_max: int = 4_096
    """With this many messages waiting for the next exchange, streams pause and commands are
    refused.
    """
    batch_max: int = 1_024
    attach_timeout_s: float = 10.0
    exchange_timeout_s: float = 30.0
    listen_timeout_s: float = 60.0
    gap_timeout_s: float = 5.0
    """How long a delivery waits for the one before it."""
    backoff_initial_s: float = 0.05
    backoff_max_s: float = 1.0  # a host that was killed is back after some three
    wakes_within_s: float = 5.0
    """A host that was away for longer has found by itself what was saved, and a machine that hears
    of a payment long after may not remember that it was credited: it would be halted.
    """
    stop_timeout_s: float = 2.0
    figures_timeout_s: float = 2.0


class BatchedLink:
    """A gateway's way to one host over its ``HostLink``. ``run`` it as a task. ``told`` is given
    what the host says of partitions that move, and an empty word whenever the link opens or breaks.
    """

    def __init__(
        self,
        link: HostLink,
        *,
        host: int,
        gateway_id: str,
        limits: LinkLimits,
        random: Callable[[], float],
        told: Callable[[int, PartitionsMoved], None] = lambda *_: None,
    ) -> None:
        self._link = link
        self._told = told
        self.host = host
        """Its place in the layout."""
        self._gateway_id = gateway_id
        self._limits = limits
        self._random = random
        # The streams of this gateway whose machines live there, by what the host calls them.
        self._streams: dict[StreamId, LinkedStream] = {}
        # Those of which the host may have heard.
        self._announced: set[StreamId] = set()

        # What waits for the next exchange, in order, and whether there is any.
        self._queue: deque[ToHost] = deque()
        self._queued = asyncio.Event()
        self.has_room = asyncio.Event()
        """Cleared while the queue is full; streams wait for it before they read on."""
        self.has_room.set()
        # Set while nothing is queued or in flight; who stops waits for it.
        self._idle = asyncio.Event()
        self._idle.set()
        # The batch of the exchange that is under way. At most one is.
        self._in_flight: Sequence[ToHost] = ()
        # The batch whose answer is being handed on.
        self._answering: Sequence[ToHost] = ()
        # Administrators' acts without an answer.
        self._commands = OpenCommands()

        self.attached = False
        """Whether the host knows this attachment; else nothing is exchanged."""
        self._away_since_s = 0.0  # Since when there has been none, by the loop's clock.
        self._broken = ""
        # Since the last delivery; the wait before the next try grows with it.
        self._failures = 0
        # The numbered deliveries of this attachment.
        self._order = DeliveryOrder()
        # Running while a delivery waits for one before it.
        self._gap_timer: asyncio.TimerHandle | None = None
        # Failed when that one did not come: the attachment is given up.
        self._missing: asyncio.Future[None] | None = None

        # Counted since the start of the gateway, for ``stats``.
        self._exchanges = 0
        self._messages = 0
        self._attachments = 0
        self._notifications_dropped = 0
        self._undeliverable = 0

    # --- from the gateway ---

    def open_stream(self, stream: LinkedStream) -> None:
        """Take a stream in and send ``Connected`` for it: now, or with the next attachment."""
        self._streams[stream.stream_id] = stream
        if self.attached:
            self._announce(stream)

    def close_stream(self, stream: LinkedStream, reason: str) -> None:
        """Forget a stream. Send ``Disconnected`` for it, also if the link breaks in between, unless
        the host gave the reason itself, or never heard of it: while a host is away its machines
        may come and go without an end.
        """
        announced = stream.stream_id in self._announced
        self._announced.discard(stream.stream_id)
        known = self._streams.pop(stream.stream_id, None) is not None
        if known and announced and reason not in linked.KNOWN_TO_THE_HOST:
            self._put(
                FromMachine(
                    machine_id=stream.machine_id,
                    event=Disconnected(stream_id=stream.stream_id, reason=reason),
                )
            )

    def submit(self, stream: LinkedStream, frame: FrameReceived | PlanogramAcknowledged) -> None:
        """Send a frame. While there is no attachment the stream keeps it for the next one."""
        if self.attached:
            self._put(FromMachine(machine_id=stream.machine_id, event=frame))

    def let_go(
        self, streams: Iterable[LinkedStream], is_theirs: Callable[[MachineId], bool]
    ) -> list[ToHost]:
        """Forget machines that are at another host now, and their streams; return what that one
        must hear: of streams that have ended, which this one may not have taken in.
        """
        for stream in streams:
            self._streams.pop(stream.stream_id, None)
            self._announced.discard(stream.stream_id)
        theirs = [
            message
            for message in (*self._in_flight, *self._queue)
            if isinstance(message, FromMachine) and is_theirs(message.machine_id)
        ]
        gone = {id(message) for message in theirs}
        for message in [each for each in self._queue if isinstance(each, Commanded)]:
            if is_theirs(message.machine_id):  # It was not sent: who asked asks at the new place.
                gone.add(id(message))
                self._commands.done(CommandDone(command_id=message.command_id, refusal=MOVED))
        self._queue = deque(message for message in self._queue if id(message) not in gone)
        # What is told again waits for the answer to that.
        self._in_flight = [each for each in self._in_flight if id(each) not in gone]
        self._look_at_queue()
        return [message for message in theirs if is_disconnected(message)]

    def ends_of(self, is_theirs: Callable[[MachineId], bool]) -> list[ToHost]:
        """Return the ends of these machines' streams of which the host is told, or answers, now."""
        batches = (*self._answering, *self._in_flight)
        return [each for each in batches if is_disconnected(each) and is_theirs(each.machine_id)]

    def take_in(self, streams: Iterable[LinkedStream], ended: Sequence[ToHost]) -> None:
        """Take in streams that another host may have decided on, and what was to be told there."""
        gone = by_machine(ended)
        for stream in streams:
            self._streams[stream.stream_id] = stream
            self._announced.add(stream.stream_id)
            if self.attached:
                self._repeat(stream, gone.pop(stream.machine_id, ()))
        for message in (message for each in gone.values() for message in each):
            self._put(message)

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
            raise HostUnavailable(f"the queue to host {self.host} is full", sent=False)
        answer = self._commands.ask(message.command_id)
        self._put(message)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            sent = self._commands.sent(message.command_id)
            if not sent:
                self._queue.remove(message)
                self._look_at_queue()
            raise HostUnavailable(
                f"host {self.host} did not answer within {timeout_s:g} s", sent=sent
            ) from None
        finally:
            self._commands.forget(message.command_id)

    def stats(self) -> LinkStats:
        """Return what the link looks like."""
        return LinkStats(
            host=self.host,
            attached=self.attached,
            streams=len(self._streams),
            queued=len(self._queue),
            commands_waiting=len(self._commands),
            exchanges=self._exchanges,
            messages=self._messages,
            attachments=self._attachments,
            notifications_dropped=self._notifications_dropped,
            undeliverable=self._undeliverable,
            broken=self._broken,
        )

    async def figures(self) -> Sequence[Figure] | None:
        """Return what the host counted and timed; None if it does not say so soon."""
        try:
            async with asyncio.timeout(self._limits.figures_timeout_s):
                return await self._link.figures()
        except (LinkBroken, TimeoutError) as broken:
            log.info("host tells no figures", host=self.host, detail=str(broken) or "timed out")
            return None

    def _put(self, message: ToHost) -> None:
        self._queue.append(message)
        self._queued.set()
        self._idle.clear()
        if len(self._queue) >= self._limits.queue_max:
            self.has_room.clear()

    # --- the link ---

    async def run(self) -> None:
        """Keep the link open until cancelled."""
        self._away_since_s = asyncio.get_running_loop().time()
        while True:
            try:
                async with asyncio.timeout(self._limits.attach_timeout_s):
                    attachment = await self._link.attach(self._gateway_id)
                self._opened()
                await self._serve(attachment)
            except (LinkBroken, TimeoutError) as broken:
                self._broken = str(broken) or "timed out"
                log.warning(
                    "link to host broken",
                    host=self.host,
                    failures=self._failures,
                    detail=self._broken,
                )
            except Exception:
                log.exception("link to host failed", host=self.host, failures=self._failures)
            finally:
                self._closed()
            await asyncio.sleep(self._delay_s())

    async def flushed(self) -> None:
        """Return once nothing is queued or in flight, or after ``stop_timeout_s``."""
        try:
            async with asyncio.timeout(self._limits.stop_timeout_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning(
                "link to host closed with messages left", host=self.host, queued=len(self._queue)
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
        self.attached = True
        self._broken = ""
        self._attachments += 1
        self._order = DeliveryOrder()
        self._say_again()
        log.info(
            "link to host open",
            host=self.host,
            streams=len(self._streams),
            attachment=self._attachments,
        )
        self._told(self.host, PartitionsMoved())

    def _say_again(self) -> None:
        """Send what the host must hear of each stream: the living ones first. That a machine's
        older stream is gone comes before its new one, which takes over from nobody then.
        """
        gone = by_machine(self._queue)
        away_s = asyncio.get_running_loop().time() - self._away_since_s
        over = (FromMachine, Notified) if away_s > self._limits.wakes_within_s else FromMachine
        waited = [message for message in self._queue if not isinstance(message, over)]
        self._notifications_dropped += len(self._queue) - len(waited) - sum(map(len, gone.values()))
        self._queue.clear()
        for stream in self._streams.values():
            self._repeat(stream, gone.pop(stream.machine_id, ()))
        for message in (*waited, *(message for each in gone.values() for message in each)):
            self._put(message)

    def _repeat(self, stream: LinkedStream, gone: Sequence[ToHost]) -> None:
        frames = stream.unacked()
        stream.repeated(1 + len(frames))
        for message in gone:
            self._put(message)
        self._announce(stream)
        for frame in frames:
            self._put(FromMachine(machine_id=stream.machine_id, event=frame))

    def _announce(self, stream: LinkedStream) -> None:
        assert stream.connected is not None, "a stream is joined to its link with its Hello"
        self._announced.add(stream.stream_id)
        self._put(FromMachine(machine_id=stream.machine_id, event=stream.connected))

    async def _serve(self, attachment: str) -> None:
        self._missing = asyncio.get_running_loop().create_future()
        tasks = [
            asyncio.create_task(self._exchange(attachment)),
            asyncio.create_task(self._listen(attachment)),
        ]
        try:
            await asyncio.wait([*tasks, self._missing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if self._missing.done():
            self._missing.result()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _closed(self) -> None:
        """The link is gone: keep what must be sent again, give up what nobody can know."""
        if not self.attached:
            return
        self.attached, self._away_since_s = False, asyncio.get_running_loop().time()
        if self._gap_timer is not None:
            self._gap_timer.cancel()
            self._gap_timer = None
        again: list[ToHost] = [each for each in self._in_flight if is_disconnected(each)]
        again += [
            message
            for message in self._queue
            if not isinstance(message, FromMachine) or is_disconnected(message)
        ]
        self._in_flight = ()
        self._queue = deque(again)
        self._look_at_queue()
        self._commands.link_broke(f"the link to host {self.host} broke")
        self._told(self.host, PartitionsMoved())

    async def _exchange(self, attachment: str) -> None:
        while True:
            await self._queued.wait()
            batch = [
                self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch_max))
            ]
            self._in_flight = batch
            self._commands.leave(
                message.command_id for message in batch if isinstance(message, Commanded)
            )
            self._look_at_queue()
            async with asyncio.timeout(self._limits.exchange_timeout_s):
                delivery = await self._link.exchange(attachment, batch)
            self._exchanges += 1
            self._messages += len(batch)
            answered, self._in_flight = self._in_flight, ()
            self._arrived(delivery, answered)
            self._look_at_queue()

    async def _listen(self, attachment: str) -> None:
        while True:
            async with asyncio.timeout(self._limits.listen_timeout_s):
                delivery = await self._link.listen(attachment)
            self._arrived(delivery, ())
            # A host that always answers at once must not keep the loop to itself. The exchange
            # needs no such turn: it goes round only while its bounded queue lasts.
            await asyncio.sleep(0)

    def _look_at_queue(self) -> None:
        if len(self._queue) < self._limits.queue_max:
            self.has_room.set()
        if not self._queue:
            self._queued.clear()
            if not self._in_flight:
                self._idle.set()

    # --- from the host ---

    def _arrived(self, delivery: Delivery, batch: Sequence[ToHost]) -> None:
        """Hand on what is next in order; hold what came too early, for a bounded time."""
        self._failures = 0
        if delivery.number < self._order.expected:  # idle answers have number 0
            if delivery.messages:
                log.warning(
                    "delivery came twice",
                    host=self.host,
                    number=delivery.number,
                    expected=self._order.expected,
                )
            self._answered(batch)
            return
        ready = self._order.take(delivery, batch)
        for each, answered in ready:
            self._answering = answered
            for message in each.messages:
                self._hand_on(message)
            self._answering = ()
            self._answered(answered)
        if self._gap_timer is not None and (ready or not self._order.waiting):
            self._gap_timer.cancel()
            self._gap_timer = None
        if self._order.waiting and self._gap_timer is None:
            self._gap_timer = asyncio.get_running_loop().call_later(
                self._limits.gap_timeout_s, self._did_not_come
            )

    def _did_not_come(self) -> None:
        if self._missing is not None and not self._missing.done():
            self._missing.set_exception(LinkBroken(f"delivery {self._order.expected} did not come"))

    def _answered(self, batch: Sequence[ToHost]) -> None:
        for message in batch:
            if isinstance(message, FromMachine) and isinstance(message.event, _ANSWERED):
                stream = self._streams.get(message.event.stream_id)
                if stream is not None:
                    stream.answered()

    def _hand_on(self, message: FromHost) -> None:
        if isinstance(message, CommandDone):
            self._commands.done(message)
            return
        if isinstance(message, PartitionsMoved):
            self._told(self.host, message)
            return
        stream = self._streams.get(message.stream_id)
        if stream is None:
            # The machine hears of it when it connects again: the state is the outbox.
            self._undeliverable += 1
        elif isinstance(message, ToMachine):
            self._deliver(stream, message)
        else:
            self._close(stream, message)

    def _deliver(self, stream: LinkedStream, message: ToMachine) -> None:
        try:
            stream.deliver(message.ack, message.commands)
        except Exception:
            # One machine's trouble must not become that of all machines of the host.
            log.exception(
                "delivery failed", machine_id=message.machine_id, stream_id=message.stream_id
            )
            stream.close("FAILED")

    def _close(self, stream: LinkedStream, message: StreamClosed) -> None:
        log.info(
            "host closes stream",
            machine_id=message.machine_id,
            stream_id=message.stream_id,
            reason=message.reason,
        )
        stream.close(message.reason)

"""One open stream of one machine: what came and was not acknowledged yet, and how it ends.

Flows in: the machine's bytes (``read``, in the handler's own coroutine) and what its host says
(``deliver``). Flows out: values to a ``Gate`` (the service), and frames to the machine through the
outbox, by one writer task (``write``). A stream decides nothing about the machine; it only keeps
the protocol's bounds. It has no timer of its own: the service has it ``examine`` itself from time
to time.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import grpc.aio
import structlog

from actors.link import CloseReason
from actors.machine import effects, events
from actors.machine.events import Connected, FrameReceived
from actors.machine.ids import MachineId, StreamId
from gateway.machines import translate
from gateway.machines.bounds import Unsendable
from gateway.machines.outbox import Context, Outbox
from gateway.machines.translate import BadFrame, Beat, Greeting, Numbered
from gateway.rpc import statuses
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.statuses import FieldProblem, Refusal
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectResponse

logger = structlog.get_logger()


class Gate(Protocol):
    """What a stream needs of the service."""

    def greet(self, stream: "Stream", greeting: Greeting) -> Refusal | None:
        """Take the machine's stream in (sets ``machine_id`` and ``connected``, tells its host), or
        say why not.
        """
        ...

    def submit(self, stream: "Stream", frame: FrameReceived) -> None:
        """Give a frame to the machine's host."""
        ...

    async def room(self, stream: "Stream") -> None:
        """Return once the queue to the machine's host has room."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The clocks of the gateway: ``now_ms`` since 1970 UTC for people, ``monotonic`` in seconds for
    spans.
    """

    now_ms: Callable[[], int]
    monotonic: Callable[[], float]


class Bucket:
    """A token bucket: ``burst`` at once, ``rate`` a second."""

    __slots__ = ("_burst", "_filled_at", "_rate", "_tokens")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Take one token; False if there is none."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Stream:
    """One stream. ``connected`` is None until the machine's Hello was taken in; ``ending`` is why
    we close it, once we do.
    """

    __slots__ = (
        "_bad_in_row",
        "_bucket",
        "_context",
        "_ended_at",
        "_finished",
        "_forwarded",
        "_gate",
        "_heard_at",
        "_limits",
        "_move_owed",
        "_moved",
        "_moved_on",
        "_outbox",
        "_pending",
        "_reading",
        "_times",
        "_vend_open",
        "_waits_since",
        "_welcomed",
        "_window",
        "connected",
        "ending",
        "machine_id",
        "received",
        "stream_id",
    )

    def __init__(
        self, context: Context, *, stream_id: StreamId, limits: EdgeLimits, times: Times, gate: Gate
    ) -> None:
        now = times.monotonic()
        self.stream_id = stream_id
        self.machine_id = MachineId("")
        self.connected: Connected | None = None
        self.ending: Refusal | None = None
        self.received = 0
        self._context = context
        self._limits = limits
        self._times = times
        self._gate = gate
        self._outbox = Outbox(size_max=limits.outbox_max, monotonic=times.monotonic)
        self._bucket = Bucket(rate=limits.frames_per_s, burst=limits.frames_burst, now=now)
        self._bad_in_row = 0
        self._window: dict[int, FrameReceived] = {}
        self._pending = 0
        self._moved_on = asyncio.Event()
        self._forwarded = 0
        self._welcomed = False
        self._vend_open = False
        self._move_owed: Callable[[], ConnectResponse] | None = None
        self._moved = False
        self._waits_since = now
        self._heard_at = now
        self._ended_at: float | None = None
        self._reading = True
        self._finished = False

    @property
    def written(self) -> int:
        """How many frames were written."""
        return self._outbox.written

    # --- from the machine ---

    async def read(self) -> None:
        """Read until the machine half-closes or the stream ends; after a half-close let what is
        under way come to rest.
        """
        while self.ending is None:
            frame = await self._context.read()
            if frame is grpc.aio.EOF:
                await self._rest()
                break
            self._heard_at = self._times.monotonic()
            self.received += 1
            if not self._bucket.take(self._heard_at):
                self.end(statuses.FLOOD, flush=False)
                break
            self._take(translate.from_bytes(frame))
            if self._is_full():
                await self._host_caught_up()
        self._finished = True
        self._outbox.wake()

    def _take(self, frame: translate.Frame) -> None:
        if isinstance(frame, BadFrame):
            self._refuse_frame(frame)
        elif self.connected is None:
            self._hello(frame)
        elif isinstance(frame, Numbered):
            self._numbered(frame)
        elif isinstance(frame, Beat):
            self._bad_in_row = 0
            self._outbox.acknowledge(self._outbox.ack)
        else:
            self._refuse_frame(
                BadFrame(
                    code=wire.PROTOCOL_ERROR_CODE_HELLO_EXPECTED,
                    seq=0,
                    detail="expected Hello as the first frame only: it was said",
                )
            )

    def _hello(self, frame: Greeting | Beat | Numbered) -> None:
        if not isinstance(frame, Greeting):
            seq = frame.seq if isinstance(frame, Numbered) else 0
            detail = "expected Hello as the first frame"
            self._refuse_frame(
                BadFrame(code=wire.PROTOCOL_ERROR_CODE_HELLO_EXPECTED, seq=seq, detail=detail)
            )
            return
        self._forwarded = frame.last_acked_seq
        self._pending += 1
        refusal = self._gate.greet(self, frame)
        if refusal is not None:
            self.end(refusal)
            return
        self._waits_since = self._heard_at
        logger.info(
            "stream opened",
            **self._names(),
            boot_id=frame.boot_id,
            firmware=frame.firmware,
            journal=len(frame.journal),
        )

    def _numbered(self, frame: Numbered) -> None:
        self._bad_in_row = 0
        if frame.seq in self._window and self._pending > 0:
            return  # sent again before its acknowledgement, which is still to come
        received = FrameReceived(stream_id=self.stream_id, seq=frame.seq, fact=frame.fact)
        self._window[frame.seq] = received
        self._forwarded = max(self._forwarded, frame.seq)
        if isinstance(frame.fact, events.VendRequested):
            self._vend_open = True
        elif isinstance(frame.fact, events.VendSucceeded | events.VendFailed):
            self._vend_closed()
        self._pending += 1
        self._gate.submit(self, received)

    def _refuse_frame(self, bad: BadFrame) -> None:
        """Tell the machine what was wrong. Nothing of it reaches the core, and its number is still
        free.
        """
        self._bad_in_row += 1
        expected_seq = 0 if self.connected is None else max(self._outbox.ack, self._forwarded) + 1
        logger.debug(
            "frame refused",
            **self._names(),
            seq=bad.seq,
            expected_seq=expected_seq,
            detail=bad.detail,
        )
        self._put(
            translate.protocol_error(
                bad.code, seq=bad.seq, expected_seq=expected_seq, detail=bad.detail
            )
        )
        if self.connected is None:
            problems = (
                (
                    FieldProblem(
                        field=bad.field, description=bad.detail.removeprefix(f"{bad.field}: ")
                    ),
                )
                if bad.field
                else ()
            )
            self.end(statuses.HELLO_EXPECTED.because(bad.detail, *problems))
        elif self._bad_in_row > self._limits.bad_frames_max:
            self.end(statuses.BAD_FRAMES)

    def _is_full(self) -> bool:
        return (
            self.ending is None
            and max(self._pending, len(self._window)) >= self._limits.unacked_max
        )

    async def _host_caught_up(self) -> None:
        """Back-pressure: as long as this waits, the machine's frames stay in its own and the
        network's buffers.
        """
        self._reading = False
        self._waits_since = self._heard_at
        await self._host_did(lambda: not self._is_full())
        if self.ending is None:
            await self._gate.room(self)
        self._reading = True
        self._heard_at = self._times.monotonic()

    async def _rest(self) -> None:
        """The machine half-closed: what it asked is still answered, for a while."""
        self._reading = False
        self._waits_since = self._times.monotonic()
        try:
            async with asyncio.timeout(self._limits.settle_timeout_s):
                await self._host_did(lambda: self._pending == 0)
        except TimeoutError:
            logger.info(
                "half-closed stream ends before its host answered",
                **self._names(),
                pending=self._pending,
            )

    async def _host_did(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds, looked at whenever the host says something, or the
        stream ends.
        """
        while not condition() and self.ending is None:
            self._moved_on.clear()
            await self._moved_on.wait()

    # --- from the host ---

    def unacked(self) -> Sequence[FrameReceived]:
        """Return the frames that the host has not acknowledged, in order, to be said again."""
        return [self._window[seq] for seq in sorted(self._window)]

    def repeated(self, count: int) -> None:
        """So many messages of this stream were given to the host anew; nothing else waits for its
        answer.
        """
        self._pending = count
        self._moved_on.set()

    def answered(self) -> None:
        """The host is done with one message of this stream."""
        self._pending = max(0, self._pending - 1)
        self._moved_on.set()

    def deliver(self, ack: int | None, commands: Sequence[effects.MachineCommand]) -> None:
        """Queue commands and the acknowledgement behind them. A machine that reads too slowly loses
        the stream, not the commands.

        So does one that has no room for a command.
        """
        if self.ending is not None:
            return
        for command in commands:
            try:
                response = translate.to_wire(
                    command, limits=self._limits, server_time_ms=self._times.now_ms()
                )
            except Unsendable as error:
                # A frame left out would be missed in silence: the machine would wait for it.
                logger.exception(
                    "frame that the machine has no room for",
                    **self._names(),
                    field=error.field,
                    size=error.size,
                    most=error.most,
                )
                self.end(statuses.FAILED)
                return
            self._put(response)
            self._note(command)
        if ack is not None:
            self._forget(ack)
            self._outbox.acknowledge(ack)
        self._moved_on.set()

    def _note(self, command: effects.MachineCommand) -> None:
        """Follow what the edge must know: the numbers in use, and whether the machine may be asked
        to move.
        """
        if isinstance(command, effects.Welcome):
            self._welcomed = True
            if self.connected is not None:
                # What the journal said is saved. Should Hello be told again, what it said is old
                # and must not be judged by.
                self.connected = replace(self.connected, journal=(), journal_lost=True)
            self._forget(command.last_seq)
            self._forwarded = max(self._forwarded, command.last_seq)
            self._outbox.acknowledge(command.last_seq)
            asked = any(
                isinstance(frame.fact, events.VendRequested) for frame in self._window.values()
            )
            self._vend_open = asked or command.vend_id is not None
        elif isinstance(command, effects.ApproveVend):
            self._vend_open = True
        elif isinstance(command, effects.DenyVend):
            self._vend_closed()
        elif isinstance(command, effects.RejectFrame):
            # Refused for good: said again as it is, it would be refused again.
            self._window.pop(command.seq, None)
            if command.code is effects.RejectCode.OUT_OF_ORDER:
                self._forwarded = command.expected_seq - 1

    def _forget(self, ack: int) -> None:
        for seq in [seq for seq in self._window if seq <= ack]:
            del self._window[seq]

    def _put(self, response: ConnectResponse) -> None:
        if not self._outbox.put(response):
            self.end(statuses.SLOW_READER, flush=False)

    # --- writing, moving, ending ---

    async def write(self) -> None:
        """Write until the stream is over; if it was us who ended it, tell the machine why. The one
        writer of the stream.
        """
        try:
            await self._outbox.write_all(
                self._context, until=lambda: self._finished or self.ending is not None
            )
        except grpc.aio.BaseError as error:
            # The connection is going. gRPC says so here and to the reader, in no certain order.
            logger.debug("write failed", **self._names(), detail=str(error))
            self.end(statuses.FAILED, flush=False)
        if self.ending is not None:
            await self.abort()

    async def abort(self) -> None:
        """Give gRPC the status that the stream ends with."""
        await statuses.abort(self._context, self.ending or statuses.FAILED)

    def ask_to_move(self, request: Callable[[], ConnectResponse]) -> None:
        """Ask the machine to open a new stream: at once, or when its vend is over."""
        if self._moved or self.ending is not None:
            return
        if self._vend_open:
            self._move_owed = request
            return
        self._moved = True
        self._put(request())

    def _vend_closed(self) -> None:
        self._vend_open = False
        if self._move_owed is not None:
            request, self._move_owed = self._move_owed, None
            self.ask_to_move(request)

    def end(self, refusal: Refusal, *, flush: bool = True) -> None:
        """Close the stream with a status; with ``flush`` what is queued goes out first. The first
        reason counts.
        """
        if self.ending is not None:
            return
        self.ending = refusal
        self._ended_at = self._times.monotonic()
        if not flush:
            self._outbox.drop()
        self._outbox.wake()
        self._moved_on.set()
        logger.info("stream ends", **self._names(), reason=refusal.reason, status=refusal.code.name)

    def close(self, reason: str) -> None:
        """End the stream because its host said so."""
        self.end(
            statuses.refusal_of(reason).about(machine_id=self.machine_id),
            flush=reason != CloseReason.SUPERSEDED,
        )

    def examine(self) -> None:
        """End the stream if its time is up: no Hello, no answer of its host, or silence of the
        machine.
        """
        now = self._times.monotonic()
        waited_s = now - self._waits_since
        if self.connected is None:
            if waited_s > self._limits.hello_timeout_s and self.ending is None:
                detail = f"expected Hello within {self._limits.hello_timeout_s:g} s"
                self._put(
                    translate.protocol_error(
                        wire.PROTOCOL_ERROR_CODE_HELLO_EXPECTED,
                        seq=0,
                        expected_seq=0,
                        detail=detail,
                    )
                )
                self.end(statuses.HELLO_TIMEOUT)
            return
        host_late = not self._welcomed and waited_s > self._limits.welcome_timeout_s
        if host_late or (not self._reading and waited_s * 1000 > self._limits.silent_after_ms):
            self.end(statuses.HOST_UNAVAILABLE)
        elif self._reading and (now - self._heard_at) * 1000 > self._limits.silent_after_ms:
            self.end(statuses.SILENT)

    def stuck(self) -> bool:
        """Return whether a write, or the ending itself, takes longer than it may."""
        since = self._outbox.writing_since if self._ended_at is None else self._ended_at
        return since is not None and self._times.monotonic() - since > self._limits.write_timeout_s

    def _names(self) -> dict[str, str]:
        return {"machine_id": self.machine_id, "stream_id": self.stream_id}

"""One open stream of one machine: what came and was not acknowledged yet, and how it ends.

Flows in: the machine's bytes (``hello``, then ``read``, in the handler's own coroutine) and what
its host says (``deliver``). Flows out: facts to the machine's host, over the link that the stream
holds since its Hello, and frames to the machine through the outbox, by one writer task (``write``).
A stream decides nothing about the machine; it only keeps the protocol's bounds. It has no timer of
its own: it asks the service for a look, which has it ``examine`` itself.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress

import grpc.aio
import structlog

from actors.link import CloseReason
from actors.machine import effects, events
from actors.machine.events import Connected, FrameReceived
from actors.machine.ids import MachineId, StreamId
from actors.machine.values import replace
from actors.ports import Clock
from gateway.links.ways import Way
from gateway.machines import commanding, translate
from gateway.machines.allowances import Allowance, Allowances
from gateway.machines.asking import Asking
from gateway.machines.bell import Bell
from gateway.machines.bounds import Unsendable
from gateway.machines.intake import Intake
from gateway.machines.moving import Moving
from gateway.machines.outbox import Context, Outbox
from gateway.machines.planograms import Planograms
from gateway.machines.showing import Showing
from gateway.machines.translate import BadFrame, Beat, Greeting, Numbered, OfScreen
from gateway.machines.waits import Waits
from gateway.machines.window import Window
from gateway.rpc import statuses
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.statuses import Refusal
from gateway.screens.saying import NO_SCREENS, ScreenPort
from gateway.v1.machine_pb2 import ScreenUpdate
from gateway.v1.machine_service_pb2 import ConnectResponse

log = structlog.get_logger()
_RESULTS = (events.VendSucceeded, events.VendFailed)
_WITH_ACK = (Numbered, Beat, OfScreen)


class Stream:
    """One stream, open from its call's first moment to its last. ``hello`` it, ``join`` it to its
    host, ``read`` it; meanwhile one task runs ``write``.
    """

    __slots__ = (
        *("_asking", "_bad_in_row", "_clock", "_context", "_finished"),
        *("_host_spoke", "_intake", "_limits", "_link", "_look"),
        *("_machines", "_monotonic", "_on_welcome", "_outbox"),
        *("_pending", "_planograms", "_showing", "_size", "_waits"),
        "_window",
        *("connected", "ending", "look_at", "machine_id", "moving", "received"),
        *("stream_id", "taken_over_by"),
    )

    def __init__(
        self,
        context: Context,
        *,
        stream_id: StreamId,
        limits: EdgeLimits,
        clock: Clock,
        monotonic: Callable[[], float],
        moving: Moving,
        on_welcome: Callable[["Stream"], None] = lambda _: None,
        look: Callable[["Stream", float], None] = lambda _, __: None,
        answered: Callable[[str, float], None] = lambda _, __: None,
        machines: Callable[[], int] = lambda: 1,
        screens: ScreenPort = NO_SCREENS,
    ) -> None:
        now = monotonic()
        self._context = context
        self._limits = limits
        self._clock = clock  # Wall time, which is told to the machine.
        self._monotonic = monotonic  # Seconds, for spans.
        self._machines = machines  # How many are connected here, which a Welcome's advice is by.

        # Who this is. The machine and its Connected are known since its Hello was taken in; until
        # then ``connected`` is None. It is sent again whenever the link opens again.
        self.stream_id = stream_id
        self.machine_id = MachineId("")
        self.connected: Connected | None = None
        self._link: Way | None = None  # To the machine's host, held from Hello to the end.

        self.received = 0  # How many frames came, good or bad.
        self._bad_in_row = 0  # Refused frames since the last good one; too many end the stream.
        self._window = Window(stream_id)
        self._asking = Asking(self._window, within_s=limits.answer_timeout_s, answered=answered)
        # What of the machine's frames its host hears.
        allowance = Allowances(limits=limits).new(now)
        self._intake = Intake(self._window, allowance, held_max=limits.unacked_max // 2)
        self._size = 0  # The bytes of the last frame.
        # How many messages wait for the host's answer: Hello, and frames, acknowledged or not.
        self._pending = 0
        self._host_spoke = Bell()  # Rung when the host may have made room, and at the end.

        self._outbox = Outbox(
            size_max=limits.outbox_max, monotonic=monotonic, began=self._write_began
        )
        self._planograms = Planograms()
        self._showing = Showing(screens)
        # Whose this stream is, if it took over from one that lived. Who is told of its Welcome.
        self.taken_over_by: effects.TakenOverBy | None = None
        self._on_welcome = on_welcome
        self.moving = moving  # Whether it was asked to move, and whether it may go.

        # How long it has waited for whom. When it is looked at next, and who is asked for a look.
        self._waits = Waits(limits, now)
        self.look_at = math.inf
        self._look = look
        self.ending: Refusal | None = None  # Why we close the stream, once we do.
        # Whether the machine half-closed and its answers are queued: what waits is still written.
        self._finished = False

    @property
    def written(self) -> int:
        """How many frames were written."""
        return self._outbox.written

    # --- from the machine ---

    async def hello(self) -> Greeting | None:
        """Return the machine's Hello; None if none came, or something else: the stream ends."""
        raw = await self._next()
        if raw is None:
            return None
        frame = translate.from_bytes(raw)
        if isinstance(frame, Greeting):
            return frame
        if not isinstance(frame, BadFrame):
            seq = frame.seq if isinstance(frame, Numbered) else 0
            frame = translate.hello_expected("as the first frame", seq=seq)
        self._refuse_frame(frame)
        self.end(statuses.HELLO_EXPECTED.because(frame.detail, *frame.problems()))
        return None

    def allow(self, allowance: Allowance) -> None:
        """Hello is heard: from now on the stream is held to what its machine has left."""
        self._waits.greeted = True
        self._intake.allowance = allowance

    def join(self, link: Way, greeting: Greeting, *, opened_at_ms: int, token: str = "") -> None:
        """Tell the machine's host of the stream, which may be read from now on."""
        self._link = link
        self.machine_id = greeting.machine_id
        self._showing.greeted(shows=greeting.shows, manifest=greeting.manifest)
        self.connected = greeting.connected(self.stream_id, opened_at_ms, token=token)
        self._window.forwarded = greeting.last_acked_seq
        self._pending += 1
        self._waits.joined, self._waits.since = True, self._waits.heard_at
        self.ask_for_look()
        link.open_stream(self)
        said = {"boot_id": greeting.boot_id, "firmware": greeting.firmware}
        log.info("stream opened", **self._names(), **said, journal=len(greeting.journal))

    def leave(self, reason: str) -> None:
        """Tell the machine's host, if one was told of the stream, that it is gone."""
        if self._link is not None:
            self._showing.left(self)
            self._link.close_stream(self, reason)
            log.info("stream closed", **self._names(), reason=reason)

    async def read(self) -> None:
        """Read until the machine half-closes or the stream ends; after a half-close let what is
        under way come to rest.
        """
        assert self._link is not None, "a stream is read once it was joined to its host"
        while self.ending is None:
            raw = await self._next()
            if raw is None:
                self._tell_held(self._link)
                await self._rest()  # At once, if the stream ends.
                return
            self._take(translate.from_bytes(raw), self._link)
            if self._is_full() or self._intake.pause_s:
                await self._hold_back(self._link)

    def finish(self) -> None:
        """Nothing more is read; what is queued is still written."""
        self._finished = True
        self._outbox.wake()

    async def _next(self) -> bytes | None:
        """Return the next frame; None if there is none, or one too many."""
        frame: bytes | object = await self._context.read()
        if not isinstance(frame, bytes):
            return None  # grpc.aio.EOF
        self._waits.heard_at = self._monotonic()
        self.received, self._size = self.received + 1, len(frame)
        if not self._intake.allowance.frames.take(self._waits.heard_at):
            self.end(statuses.FLOOD, flush=False)
            return None
        return frame

    def _take(self, frame: translate.Frame, link: Way) -> None:
        if isinstance(frame, _WITH_ACK) and self.connected is not None:
            self.connected, news = self._planograms.handled(frame.ack, self.connected)
            if news is not None:
                link.submit(self, news)
        match frame:
            case Numbered():
                self._numbered(frame, link)
            case Beat():
                self._bad_in_row = 0
                self._outbox.acknowledge(self._outbox.ack)
            case OfScreen():
                self._bad_in_row = 0
                self._showing.heard(self, frame.said)
                self._outbox.acknowledge(self._outbox.ack)
            case BadFrame() if frame.numbered:
                self._not_read(frame, link)
            case BadFrame():
                self._bad_frame(frame)
            case Greeting():
                self._bad_frame(translate.hello_expected("as the first frame only: it was said"))

    def _numbered(self, frame: Numbered, link: Way) -> None:
        self._bad_in_row = 0
        if isinstance(frame.fact, events.VendRequested):
            self.moving.vend_opened()
            self._asking.began(frame.fact.request_id, self._waits.heard_at)
            self._look(self, self._asking.ends_at)  # All else waits longer than before.
        elif isinstance(frame.fact, _RESULTS):
            self._put_if_due(self.moving.vend_closed())
        self._submit(frame.seq, frame.fact, link, frame.remarks)

    def _not_read(self, bad: BadFrame, link: Way) -> None:
        """The core says what was wrong, and uses the number up: were it free again, frames behind
        it that are on their way would bear numbers that the machine gives to others.
        """
        log.debug("frame not read", **self._names(), seq=bad.seq, detail=bad.detail)
        self._submit(bad.seq, bad.fact(), link)
        self._count_bad()

    def _submit(
        self, seq: int, fact: events.MachineFact, link: Way, remarks: Sequence[str] = ()
    ) -> None:
        frames = self._intake.take(
            seq,
            fact,
            remarks,
            size=self._size,
            now=self._waits.heard_at,
            acked=self._outbox.ack,
            answers_come=self._pending > 0,
        )
        if not frames:
            if seq <= self._outbox.ack:
                self._outbox.acknowledge(self._outbox.ack)  # The machine waits for it, it seems.
            self.ask_for_look()  # Faults may be held back from now on.
        self._send(frames, link)

    def _tell_held(self, link: Way) -> None:
        told = self._intake.tell_held(self._monotonic(), answers_come=self._pending > 0)
        self._send(told, link)

    def _send(self, frames: Sequence[FrameReceived], link: Way) -> None:
        for frame in frames:
            self._pending += 1
            link.submit(self, frame)

    def _bad_frame(self, bad: BadFrame) -> None:
        self._refuse_frame(bad)
        self._count_bad()

    def _count_bad(self) -> None:
        self._bad_in_row += 1
        if self._bad_in_row > self._limits.bad_frames_max:
            self.end(statuses.BAD_FRAMES)

    def _refuse_frame(self, bad: BadFrame) -> None:
        """Tell the machine what was wrong with a frame without a number. The core hears nothing."""
        in_use = max(self._outbox.ack, self._window.forwarded)
        expected_seq = 0 if self.connected is None else in_use + 1
        log.debug("frame refused", **self._names(), seq=bad.seq, detail=bad.detail)
        self._put(
            commanding.protocol_error(
                bad.code, seq=bad.seq, expected_seq=expected_seq, detail=bad.detail
            )
        )

    def _is_full(self) -> bool:
        waiting = max(self._pending, len(self._window))
        return self.ending is None and waiting >= self._limits.unacked_max

    async def _hold_back(self, link: Way) -> None:
        """Back-pressure: as long as the host has not caught up, and the machine has used up what it
        may have us write down, its frames stay in its own and the network's buffers.
        """
        self._waits.reading, self._waits.since = False, self._waits.heard_at
        await self._host_did(lambda: not self._is_full())
        if self.ending is None:
            await link.room()
        pause_s, self._intake.pause_s = self._intake.pause_s, 0.0
        if pause_s:
            log.warning("a machine that writes too much is slowed down", **self._names())
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._host_did(lambda: False)  # Until the stream ends.
        self._waits.reading = True
        self._waits.heard_at = self._monotonic()

    async def _rest(self) -> None:
        """The machine half-closed: what it asked is still answered, for a while."""
        self._waits.reading, self._waits.since = False, self._monotonic()
        try:
            async with asyncio.timeout(self._limits.settle_timeout_s):
                await self._host_did(lambda: self._pending == 0)
        except TimeoutError:
            log.info("half-closed stream is not answered", **self._names(), waiting=self._pending)

    async def _host_did(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds, looked at whenever the host says something, or the
        stream ends.
        """
        while not condition() and self.ending is None:
            await self._host_spoke.wait()

    # --- from the host ---

    def unacked(self) -> Sequence[FrameReceived]:
        """Return the frames that the host has not acknowledged, in order, to be sent again."""
        return self._window.frames()

    def repeated(self, count: int) -> None:
        """Exactly ``count`` messages of this stream wait for their answers: they were repeated."""
        self._pending = count
        self._host_spoke.ring()

    def answered(self) -> None:
        """The host is done with one message of this stream."""
        self._pending = max(0, self._pending - 1)
        self._host_spoke.ring()

    def deliver(self, ack: int | None, commands: Sequence[effects.MachineCommand]) -> None:
        """Queue commands and the acknowledgement behind them. A machine that reads too slowly, or
        has no room for a command, loses the stream, not the commands.
        """
        if self.ending is not None:
            return
        now_ms, machines = self._clock.now_ms(), self._machines()
        for command in commands:
            try:
                response = commanding.to_wire(
                    command, limits=self._limits, server_time_ms=now_ms, machines=machines
                )
            except Unsendable as error:
                # A frame left out would be missed in silence: the machine would wait for it.
                size = {"field": error.field, "size": error.size, "most": error.most}
                log.exception("frame that the machine has no room for", **self._names(), **size)
                self.end(statuses.FAILED)
                return
            self._showing.welcomes(response)
            self._put(response)
            self._note(command)
        if ack is not None:
            self._window.acknowledged(ack)
            self._outbox.acknowledge(ack)
            self._asking.acknowledged()
        self._host_spoke.ring()

    def _note(self, command: effects.MachineCommand) -> None:
        """Follow what the edge must know: numbers in use, funds, whether the machine may move."""
        self._asking.heard(command, self._monotonic())
        if isinstance(command, effects.ApproveVend):
            self.moving.vend_opened()
        elif isinstance(command, effects.Welcome):
            first, self._waits.welcomed = not self._waits.welcomed, True
            self._planograms.welcomed()
            if self.connected is not None:
                # What the journal said is saved. Should Hello be sent again, its journal would be
                # old, and the core must not judge by it.
                self.connected = replace(self.connected, journal=(), journal_lost=True, remarks=())
            self._window.acknowledged(command.last_seq)
            self._window.forwarded = max(self._window.forwarded, command.last_seq)
            self._outbox.acknowledge(command.last_seq)
            if self._window.asks_for_goods() or command.vend_id is not None:
                self.moving.vend_opened()
            else:
                self._put_if_due(self.moving.vend_closed())
            if first:
                self.taken_over_by = command.taken_over_by
                self._on_welcome(self)
                self._showing.welcomed(self)
        elif isinstance(command, effects.UpdatePlanogram):
            self._planograms.told(self._outbox.last_seq, command.planogram_version)
        elif isinstance(command, effects.DenyVend):
            self._put_if_due(self.moving.vend_closed())
        elif isinstance(command, effects.RejectFrame):
            self._window.refused(command)
            if command.code is effects.RejectCode.OUT_OF_ORDER:
                self._intake.forget_held()

    def show(self, update: ScreenUpdate) -> bool:
        """Tell the machine what to show between customers, if what is about money leaves room."""
        has_room = self.ending is None and self._outbox.room > self._limits.outbox_max // 2
        return has_room and self._outbox.put(ConnectResponse(screen_update=update))

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
            log.debug("write failed", **self._names(), detail=str(error))
            self.end(statuses.FAILED, flush=False)
        if self.ending is not None:
            await self.abort()

    async def abort(self) -> None:
        """Give gRPC the status that the stream ends with."""
        await statuses.abort(self._context, self.ending or statuses.FAILED)

    def ask_to_move(self, moves_at: float, ends_at: float) -> None:
        """Ask the machine to open a new stream: at once, or when its vend is over. Who was not
        welcomed yet is asked then.
        """
        if self.ending is None and self._waits.welcomed:
            self._put_if_due(self.moving.ask(moves_at, ends_at))

    def overstays(self) -> bool:
        """Return whether its time to move is over, and no vend and no due answer is broken off."""
        return self.moving.is_over() and self._pending == 0

    def _put_if_due(self, request: ConnectResponse | None) -> None:
        if request is not None and self.ending is None:
            self._put(request)
            self.ask_for_look()

    def end(self, refusal: Refusal, *, flush: bool = True) -> None:
        """Close the stream with a status; with ``flush`` what is queued goes out first. The first
        reason counts.
        """
        if self.ending is not None:
            return
        self.ending = refusal
        self._waits.ended_at = self._monotonic()
        self.ask_for_look()
        if not flush:
            self._outbox.drop()
        self._outbox.wake()
        self._host_spoke.ring()
        log.info("stream ends", **self._names(), reason=refusal.reason, status=refusal.code.name)

    def close(self, reason: str) -> None:
        """End the stream because its host said so."""
        refusal = statuses.refusal_of(reason).about(machine_id=self.machine_id)
        self.end(refusal, flush=reason != CloseReason.SUPERSEDED)

    def examine(self) -> None:
        """End the stream if its time is up. Ask for a look afterwards."""
        now = self._monotonic()
        refusal = self._waits.over(now)
        if self.connected is None and refusal is not None and self.ending is None:
            within = f"within {self._limits.hello_timeout_s:g} s"
            self._refuse_frame(translate.hello_expected(within))
        held_s = now - self._intake.held_since
        if self._link is not None and held_s > self._limits.faults_held_s:
            self._tell_held(self._link)
        if refusal is not None:
            self.end(refusal)
        elif denials := self._asking.denials(now):
            log.warning("a request is turned away: no answer of its host", **self._names())
            self.deliver(None, denials)
        self._put_if_due(self.moving.ask_if_old())

    def stuck(self) -> bool:
        """Return whether a write, or the ending itself, takes longer than it may."""
        return self._waits.hang(self._outbox.writing_since, self._monotonic())

    def ask_for_look(self) -> None:
        """Ask for the look at which the first of what is waited for may have taken too long."""
        at = self._waits.next_at(self._outbox.writing_since, self._intake.held_since)
        moving = self.moving
        self._look(self, min(at, self._asking.ends_at, moving.leaves_at, moving.ages_at))

    def _write_began(self, at: float) -> None:
        self._look(self, at + self._limits.write_timeout_s)

    def _names(self) -> dict[str, str]:
        return {"machine_id": self.machine_id, "stream_id": self.stream_id}

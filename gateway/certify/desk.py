"""The examiner's end of the machine's streams: an honest small backend that a play can bend.

Flows in: wires (gRPC in ``server``, memory in tests), what plays want said. Flows out: frames, and
the recording of all that was seen. Left alone it saves and acknowledges each frame in order, as the
product does; a play may hold acknowledgements, be silent, be slow, or end the stream.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import grpc

from gateway.certify import times
from gateway.certify.hands import HandAct, Hands
from gateway.certify.moments import ENDS, MachineMoment, MomentKind, Recording
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

T = TypeVar("T")

CURRENCY = "HKD"
QR_PAYLOAD = "https://qr.example/examination"
MOMENTS_MAX = 100_000
HEARD_BYTES_MAX = 64 * 1024 * 1024
UNREAD_COUNTS_MAX = 65_536
"""What is thrown away again counts for so much at most."""
TURNED_AWAY_AGAIN_MS = 60_000
STOCK = 250
"""What the planogram says is in each column: enough for each rule to be played three times."""


class Unplayed(Exception):
    """A play could not go on; its sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadFrame:
    """What came instead of a frame, in ``size`` bytes, and ``why`` it is none. ``seq``: its number,
    0 if that cannot be read either. ``ends``: the gateway's listener ends the stream over it.
    """

    why: str
    size: int
    seq: int = 0
    ends: bool = False


class Wire(Protocol):
    """One stream, whatever carries it. ``connection``: names what carries it if its pings are seen,
    else 0.
    """

    connection: int

    async def read(self) -> service_pb.ConnectRequest | UnreadFrame | None:
        """Return the machine's next frame; None when it has hung up."""

    async def write(self, frame: service_pb.ConnectResponse) -> None:
        """Send a frame; on a wire that is gone it is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the examiner ends a stream."""

    code: grpc.StatusCode
    detail: str = ""
    reason: str = ""
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamTerms:
    """What an examination takes as given. Times in milliseconds. ``mark`` makes the ids of this run
    differ from those of every other.
    """

    mark: str
    columns: tuple[str, ...] = ("A1", "A2")
    price_minor: int = 500
    come_ms: int = 75_000
    """A machine that is free calls within this time."""
    result_ms: int = 15_000
    """A motor is at rest, and its result told, within this time."""
    still_ms: int = 6_000
    """A motor that should not turn, and does, has shown it within this time."""
    answer_ms: int = 20_000
    """What a machine does at once, and is waited for, it has done within this time."""
    slack_ms: int = 1_500
    """What the network and a slow board may add to each of the protocol's times."""
    cut_after_ms: int = 500
    """From an approval to the power cut that shall meet a motor that turns."""


class Call:
    """One stream. ``holding``: frames are heard and not saved; ``silent``: nothing is answered;
    ``delay_ms``: how long each frame to the machine is on its way.
    """

    def __init__(self, desk: "Desk", wire: Wire, number: int) -> None:
        self.number = number
        self.hello: pb.Hello | None = None
        self.holding = False
        self.silent = False
        self.delay_ms = 0
        self.over = False
        self.opened = 0  # the number of the moment
        self.connection = wire.connection
        self._desk = desk
        self._wire = wire
        self._seq = 0
        self._lock = asyncio.Lock()
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    @property
    def boot_id(self) -> str:
        """Return the boot that speaks here; empty before its Hello."""
        return "" if self.hello is None else self.hello.boot_id

    async def run(self) -> Ending | None:
        """Be there until one side ends it; return the examiner's ending, None if the machine went
        first.
        """
        reading = asyncio.create_task(self._read())
        waits: set[asyncio.Future[Any]] = {reading, self._ending}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            if not self.over:
                self.over = True
                kind = MomentKind.CLOSED if self.hello else MomentKind.NAMELESS
                self._desk.record(kind, stream=self.number)
        return self._ending.result() if self._ending.done() else None

    async def _read(self) -> None:
        while (frame := await self._wire.read()) is not None:
            if self.over:
                return
            try:
                if isinstance(frame, UnreadFrame):
                    self._desk.unread(self, frame)
                    await self._refuse(frame)
                    continue
                if self._desk.is_stranger(frame):
                    self._turn_away(frame.hello.machine_id)
                    return
                self._desk.heard(self, frame)
            except Unplayed as flood:
                self._finish(grpc.StatusCode.RESOURCE_EXHAUSTED, str(flood))
                return
            await self._answer(frame)

    def _turn_away(self, machine_id: str) -> None:
        """One machine is examined at a time: nothing of another one is judged."""
        self._desk.turned_away(self, machine_id)
        why = f"machine {self._desk.machine_id} is examined here: one at a time"
        self._finish(grpc.StatusCode.RESOURCE_EXHAUSTED, why)

    def _finish(self, code: grpc.StatusCode, detail: str) -> None:
        """End the stream without a word in the recording."""
        if not self.over:
            self.over = True
            self._ending.set_result(
                Ending(code=code, detail=detail, retry_after_ms=TURNED_AWAY_AGAIN_MS)
            )

    async def _refuse(self, frame: UnreadFrame) -> None:
        """Say what is wrong with it, as the gateway does; a number that can be read is used up."""
        if frame.ends:
            self.end(grpc.StatusCode.RESOURCE_EXHAUSTED, frame.why)
            return
        if self.hello is None or self.silent:
            return
        if frame.seq == self._desk.saved_seq(self) + 1 and not self.holding:
            self._desk.saved[self.boot_id] = frame.seq
        await self._scold(pb.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD, frame.seq, frame.why)

    async def _scold(self, code: pb.ProtocolErrorCode.ValueType, seq: int, detail: str) -> None:
        expected = self._desk.saved_seq(self) + 1
        error = pb.ProtocolError(code=code, seq=seq, expected_seq=expected, detail=detail)
        await self.say(protocol_error=error)

    async def _answer(self, frame: service_pb.ConnectRequest) -> None:
        if frame.HasField("hello") and self.hello is None:
            self.hello = frame.hello
            self._desk.wake()
            return
        if self.hello is None or self.silent:
            return
        expected = self._desk.saved_seq(self) + 1
        if frame.seq > expected and not self.holding:
            why = f"expected seq {expected}: resend from there, in order"
            await self._scold(pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER, frame.seq, why)
            return
        if frame.seq == expected and not self.holding:
            self._desk.saved[self.boot_id] = frame.seq
        if frame.HasField("session_complete") and not self.holding:
            await self._desk.complete(self, frame.session_complete.session_id)
        if not self.delay_ms:
            await self.say()
        elif not self._lock.locked():  # or what is on its way acknowledges this, too
            self._acknowledging = asyncio.create_task(self.say())

    async def say(self, **payload: Any) -> None:
        """Send a frame; without payload it only acknowledges."""
        await self.write(service_pb.ConnectResponse(**payload))

    async def write(self, frame: service_pb.ConnectResponse) -> None:
        """Number the frame, put the acknowledgement on it and send it."""
        async with self._lock:
            if self.delay_ms:
                await asyncio.sleep(self.delay_ms / 1000)
            if self.over:
                return
            self._seq += 1
            frame.seq, frame.ack = self._seq, self._desk.saved_seq(self)
            self._desk.record(MomentKind.SAID, stream=self.number, frame=frame)
            try:
                async with asyncio.timeout(self._desk.terms.answer_ms / 1000):
                    await self._wire.write(frame)
            except TimeoutError:
                self.end(grpc.StatusCode.RESOURCE_EXHAUSTED, "the machine does not read its frames")

    async def release(self) -> None:
        """Save what was held, and acknowledge it."""
        self.holding = False
        if self.hello is not None:
            self._desk.save_all(self)
        await self.say()

    def end(
        self,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        detail: str = "the examiner cuts the stream",
        *,
        reason: str = "",
        retry_after_ms: int = 0,
    ) -> None:
        """End the stream with this status."""
        if self.over:
            return
        self.over = True
        self._desk.record(MomentKind.ENDED, stream=self.number, text=code.name)
        self._ending.set_result(
            Ending(code=code, detail=detail, reason=reason, retry_after_ms=retry_after_ms)
        )


@dataclass
class Desk:
    """All streams of one examination. ``saved``: the highest number saved, by boot.
    ``now_ms``: a monotonic clock.
    """

    terms: ExamTerms
    hands: Hands
    now_ms: Callable[[], int]
    moments: list[MachineMoment] = field(default_factory=list)
    saved: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    current: Call | None = None
    """The stream that was welcomed last."""
    planogram_version: int = 1
    price_minor: int = 0
    session_id: str = ""
    settled: int = 0
    """So many moments leave nothing open at the machine."""
    machine_id: str = ""
    """Who is examined: the first that said Hello."""
    missed: int = 0
    """So often in a row a stream was waited for in vain, with nothing heard meanwhile."""
    _heard_bytes: int = 0
    _taken: int = 0
    _ids: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Begin with the terms' price."""
        self.price_minor = self.terms.price_minor
        self._began_ms = self.now_ms()

    # --- the wire's side ---

    async def serve(self, wire: Wire) -> Ending | None:
        """Take one stream of the machine to its end."""
        call = Call(self, wire, len(self.calls) + 1)
        self.calls.append(call)
        try:
            if call.connection:
                self.record(MomentKind.TAPPED, stream=call.number)
            self.record(MomentKind.OPENED, stream=call.number)
            call.opened = len(self.moments)
        except Unplayed as flood:
            return Ending(code=grpc.StatusCode.RESOURCE_EXHAUSTED, detail=str(flood))
        return await call.run()

    def pinged(self, connection: int, text: str) -> None:
        """Write down a ping, if it is of the machine that is examined."""
        own = [each for each in self.calls if each.hello and each.connection == connection]
        if own:
            self.record(MomentKind.PINGED, stream=own[-1].number, text=text)

    def heard(self, call: Call, frame: service_pb.ConnectRequest) -> None:
        """Write down a frame of the machine. Raises Unplayed if it says more than can be kept."""
        self._heard(frame.ByteSize())
        self.record(MomentKind.HEARD, stream=call.number, frame=frame)

    def unread(self, call: Call, frame: UnreadFrame) -> None:
        """Write down that something came that is no frame. Its bytes are not kept. Raises Unplayed
        as ``heard``.
        """
        self._heard(min(frame.size, UNREAD_COUNTS_MAX))
        numbered = service_pb.ConnectRequest(seq=frame.seq)
        self.record(MomentKind.UNREAD, stream=call.number, frame=numbered, text=frame.why)

    def _heard(self, size: int) -> None:
        self.missed = 0
        self._heard_bytes += size
        if self._heard_bytes > HEARD_BYTES_MAX:
            raise Unplayed(f"more than {HEARD_BYTES_MAX} bytes: the machine floods the examiner")

    def is_stranger(self, frame: service_pb.ConnectRequest) -> bool:
        """Return whether this is the Hello of another machine than the one that came first."""
        if not frame.HasField("hello"):
            return False
        self.machine_id = self.machine_id or frame.hello.machine_id
        return frame.hello.machine_id != self.machine_id

    def turned_away(self, call: Call, machine_id: str) -> None:
        """Write down that this stream was another machine's."""
        opened = self.moments[call.opened - 1]
        self.moments[call.opened - 1] = replace(
            opened, kind=MomentKind.STRANGER, stream=0, text=machine_id
        )

    def record(
        self,
        kind: MomentKind,
        *,
        stream: int = 0,
        frame: service_pb.ConnectRequest | service_pb.ConnectResponse | None = None,
        text: str = "",
    ) -> None:
        """Write a moment down and wake who waits for one."""
        if len(self.moments) >= MOMENTS_MAX and kind not in ENDS:
            raise Unplayed(f"more than {MOMENTS_MAX} moments: the machine floods the examiner")
        self.moments.append(
            MachineMoment(
                number=len(self.moments) + 1,
                at_ms=self.now_ms() - self._began_ms,
                kind=kind,
                stream=stream,
                frame=frame,
                text=text,
            )
        )
        self.wake()

    def wake(self) -> None:
        """Let who waits look again."""
        self._changed.set()

    def saved_seq(self, call: Call) -> int:
        """Return the highest number of the call's boot that is saved."""
        return self.saved.get(call.boot_id, 0)

    def save_all(self, call: Call) -> None:
        """Save all of the call's boot that was heard in order."""
        numbers = {
            each.said_by_machine.seq
            for each in self.seen_since(0).heard()
            if self.calls[each.stream - 1].boot_id == call.boot_id
        }
        seq = self.saved_seq(call)
        while seq + 1 in numbers:
            seq += 1
        self.saved[call.boot_id] = seq

    # --- the plays' side ---

    def seen_since(self, number: int) -> Recording:
        """Return what was seen after the moment with this number."""
        return Recording(self.moments[number:])

    async def until(self, look: Callable[[], T | None], within_ms: int) -> T | None:
        """Return what ``look`` finds, at once or after something was seen; None if it finds nothing
        in time.
        """
        try:
            async with asyncio.timeout(within_ms / 1000):
                while not (found := look()):
                    self._changed.clear()
                    await self._changed.wait()
                return found
        except TimeoutError:
            return None

    async def wait(self, ms: int) -> None:
        """Let time pass, for the machine to do something or nothing."""
        await asyncio.sleep(ms / 1000)

    async def next_call(self, within_ms: int | None = None) -> Call:
        """Return the next stream on which the machine says Hello. Raises Unplayed."""

        def look() -> Call | None:
            return next(
                (call for call in self.calls[self._taken :] if call.hello and not call.over), None
            )

        within_ms = self.terms.come_ms if within_ms is None else within_ms
        call = await self.until(look, within_ms)
        if call is None:
            self.missed += 1
            raise Unplayed(f"no stream with a Hello came within {within_ms / 1000:g} s")
        self._taken = call.number
        return call

    async def welcome(self, call: Call, **fields: Any) -> Call:
        """Answer the Hello; what is given replaces what a sound backend would say."""
        told: dict[str, Any] = {
            "heartbeat_interval_ms": times.HEARTBEAT_MS,
            "reconnect": pb.ReconnectGuidance(initial_ms=times.INITIAL_MS, max_ms=times.MAX_MS),
            "planogram_version": self.planogram_version,
            "last_seq": self.saved_seq(call),
            "currency": CURRENCY,
            "qr_payload": QR_PAYLOAD,
            "mode": pb.MODE_BOTH,
            "in_service": True,
            "server_time_ms": 1_795_327_297_205,
            "resume_token": self.new_id("t"),
        }
        before, self.current = self.current, call
        if before is not None and before is not call and not before.over:
            before.end(grpc.StatusCode.ABORTED, "a newer stream took over")
        await call.say(welcome=pb.Welcome(**(told | fields)))
        if call.hello is not None and call.hello.planogram_version != self.planogram_version:
            await self.tell_planogram(call)
        return call

    async def online(self, **fields: Any) -> Call:
        """Return a welcome stream: the present one, or the next."""
        newer = any(call.hello and not call.over for call in self.calls[self._taken :])
        if self.current is not None and not self.current.over and not newer and not fields:
            return self.current
        if self.current is not None and not newer:
            self.current.end()
        return await self.welcome(await self.next_call(), **fields)

    async def tell_planogram(self, call: Call) -> None:
        """Tell the columns and their prices."""
        columns = [
            pb.PlanogramColumn(
                column=name, product=f"Item {name}", price_minor=self.price_minor, stock=STOCK
            )
            for name in self.terms.columns
        ]
        update = pb.PlanogramUpdate(planogram_version=self.planogram_version, columns=columns)
        await call.say(planogram_update=update)

    def new_id(self, kind: str) -> str:
        """Return an id that was never used."""
        self._ids += 1
        return f"{self.terms.mark}-{kind}{self._ids}"

    async def complete(self, call: Call, session_id: str) -> None:
        """End the session that the machine says is complete."""
        if session_id == self.session_id:
            self.session_id = ""
        reason = pb.END_SESSION_REASON_COMPLETE
        await call.say(end_session=pb.EndSession(session_id=session_id, reason=reason))

    # --- hands ---

    async def act_until(
        self, act: HandAct, look: Callable[[], T | None], column: str = ""
    ) -> T | None:
        """Have somebody do something at the machine, again if need be, and return what ``look``
        finds then; None if it finds nothing, or if the stream is lost meanwhile. Raises Unplayed.
        """
        for _ in range(max(1, self.hands.patience_ms // self.hands.again_ms)):
            await self.act(act, column)
            if (found := await self.until(look, self.hands.again_ms)) is not None:
                return found
            if self.current is not None and self.current.over:
                return None
        return None

    async def act(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> None:
        """Have somebody do something at the machine. Raises Unplayed."""
        self.record(MomentKind.HAND, text=f"{act.value} {column}".strip())
        if not await self.hands.do(act, column, in_vain=in_vain):
            raise Unplayed(f"nobody could do this at the machine: {act.value} {column}".strip())

    async def count(self) -> None:
        """Have somebody count the turns of motors, if anybody can."""
        turns = await self.hands.turns() if HandAct.TURNS in self.hands.can else None
        self.record(MomentKind.COUNTED, text="not counted" if turns is None else str(turns))

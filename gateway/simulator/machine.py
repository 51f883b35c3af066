"""One machine as a pure model: facts in, orders out.

Flows in: frames of the backend, buttons, what flash and motor report; with each fact the time in
milliseconds of the machine's own monotonic clock. Flows out: orders, to be carried out one after
the other. One object lives from power-up to power-down (one boot); what outlives it is the
``Memory`` of its journal. No clock, no file, no socket.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from gateway.simulator.frames import heartbeat, reader
from gateway.simulator.memory import TAIL_MAX, Line, Memory, VendLine
from gateway.simulator.orders import (
    Asked,
    FundsChanged,
    Greeted,
    NotNow,
    Order,
    Redial,
    Reopen,
    Restart,
    Scolded,
    Send,
    SessionBegan,
    SessionEnded,
    Tell,
    TurnedAway,
)
from gateway.simulator.outbox import UNACKED_MAX, Outbox
from gateway.simulator.vending import Vending, judge
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

SILENT_BEATS_MAX = 3
"""The gateway acknowledges every Heartbeat; silent for this many intervals, the stream is dead."""
UNTOLD_ACKS_MAX = 16
"""After so many handled frames a Heartbeat carries the ack, although nothing else is to be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the machine is and can do."""

    machine_id: str
    firmware: str = "vendgate-reference 1.0"
    mode: pb.Mode.ValueType = pb.MODE_UNSPECIFIED
    multivend: bool = True
    display: bool = True
    drop_sensor: bool = True
    response_time_ms: int = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One customer's stay. ``expires_at_ms`` is None while nobody told."""

    session_id: str
    funds_minor: int
    expires_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Whether, how and in which currency the machine may sell, as the backend told last."""

    in_service: bool = False
    mode: pb.Mode.ValueType = pb.MODE_UNSPECIFIED
    currency: str = ""
    qr_payload: str = ""


class Machine:
    """One boot of a machine. Methods are facts; each returns the orders that follow from it."""

    def __init__(
        self,
        *,
        identity: Identity,
        boot_id: str,
        memory: Memory,
        rng: Random,
        door_open: bool = False,
    ) -> None:
        self.identity = identity
        self.boot_id = boot_id
        self.online = False
        self.outbox = Outbox()
        self.vending = Vending(
            boot_id=boot_id,
            memory=memory,
            response_time_ms=identity.response_time_ms,
            say=self._say,
        )
        self.service = Service()
        self.session: Session | None = None
        self.planogram_version = 0
        self.columns: dict[str, pb.PlanogramColumn] = {}
        self.blocked: set[str] = set()
        self.door_open = door_open
        self.reconnect: tuple[int, int] | None = None
        """(initial, max) milliseconds, once the backend gave guidance."""
        self._rng = rng
        self._heartbeat_ms = 0
        self._sent_at_ms = 0
        self._heard_at_ms = 0
        self._handled_seq = 0
        self._told_ack = 0
        self._told_tail: tuple[VendLine, ...] = ()
        self._told_loss = False
        self._resent: tuple[int, int] = (0, 0)
        self._move_at_ms: int | None = None
        self._handlers: dict[str, Callable[[service_pb.ConnectResponse, int], list[Order]]] = {
            "planogram_update": lambda frame, _: self._take_planogram(frame.planogram_update),
            "service_update": lambda frame, _: self._take_service(frame.service_update),
            "begin_session": lambda frame, now_ms: self._session_began(frame.begin_session, now_ms),
            "funds_update": lambda frame, now_ms: self._funds_changed(frame.funds_update, now_ms),
            "show_qr": lambda frame, now_ms: self.vending.show_qr(frame.show_qr, now_ms),
            "vend_approved": lambda frame, now_ms: self.vending.approved(
                frame.vend_approved, now_ms
            ),
            "vend_denied": lambda frame, _: self.vending.denied(frame.vend_denied),
            "end_session": lambda frame, _: self._session_ended(frame.end_session),
            "move_request": lambda frame, now_ms: self._asked_to_move(frame.move_request, now_ms),
            "protocol_error": lambda frame, now_ms: self._scolded(frame.protocol_error, now_ms),
        }
        self._say(reader(door_open=self.door_open), 0)

    # --- the stream ---

    def hello(self) -> service_pb.ConnectRequest:
        """Return the first frame of a new stream."""
        memory = self.vending.memory
        self._told_tail, self._told_loss = memory.tail[:TAIL_MAX], memory.lost
        identity = self.identity
        hello = pb.Hello(
            machine_id=identity.machine_id,
            boot_id=self.boot_id,
            firmware=identity.firmware,
            capabilities=pb.Capabilities(
                multivend=identity.multivend,
                display=identity.display,
                drop_sensor=identity.drop_sensor,
                response_time_ms=identity.response_time_ms,
            ),
            mode=self.service.mode or identity.mode,
            last_acked_seq=self.outbox.acked_seq,
            planogram_version=self.planogram_version,
            journal_tail=[line.entry() for line in self._told_tail],
            journal_lost=self._told_loss,
        )
        return service_pb.ConnectRequest(hello=hello)

    def stream_lost(self) -> None:
        """The stream is gone; what is unacknowledged stays in the outbox."""
        self.online = False
        self._move_at_ms = None

    def received(self, frame: service_pb.ConnectResponse, now_ms: int) -> list[Order]:
        """Handle a frame of the backend. A payload that this firmware does not know counts as
        handled.
        """
        payload = frame.WhichOneof("payload")
        if payload == "welcome":
            return self._welcomed(frame, now_ms)
        if not self.online:
            return []  # nothing may come before Welcome
        self._handled_seq, self._heard_at_ms = frame.seq, now_ms
        orders = self._acknowledged(frame.ack, now_ms)
        if payload is not None:  # None: an acknowledgement only, or a payload of a newer backend
            orders += self._handlers[payload](frame, now_ms)
        if self._handled_seq - self._told_ack >= UNTOLD_ACKS_MAX:
            orders += self._send([heartbeat()], now_ms)
        return orders

    def tick(self, now_ms: int) -> list[Order]:
        """Time went by."""
        orders = self.vending.tick(now_ms)
        if self._move_due_at_ms is not None and now_ms >= self._move_due_at_ms:
            self._move_at_ms = None
            orders.append(Reopen())
        if self.online and self._heartbeat_ms:
            if now_ms >= self._heard_at_ms + SILENT_BEATS_MAX * self._heartbeat_ms:
                self._heard_at_ms = now_ms
                orders.append(Redial(f"nothing was heard for {SILENT_BEATS_MAX} heartbeats"))
            elif now_ms >= self._sent_at_ms + self._heartbeat_ms:
                orders += self._send([heartbeat()], now_ms)
        return orders

    @property
    def next_tick_at_ms(self) -> int | None:
        """When ``tick`` has something to do next; None if never."""
        beat = None
        if self.online and self._heartbeat_ms:
            beat = min(
                self._sent_at_ms + self._heartbeat_ms,
                self._heard_at_ms + SILENT_BEATS_MAX * self._heartbeat_ms,
            )
        return min(
            (
                at
                for at in (self.vending.next_tick_at_ms, self._move_due_at_ms, beat)
                if at is not None
            ),
            default=None,
        )

    # --- the front: buttons, coins, door ---

    def select(self, column: str, now_ms: int) -> list[Order]:
        """The customer pressed a column's button."""
        if (reason := self._why_not(column)) is not None:
            return [Tell(TurnedAway(reason=reason, column=column))]
        request, orders = self.vending.ask(self.columns[column], self.planogram_version, now_ms)
        asked = Asked(request_id=request.request_id, column=column, price_minor=request.price_minor)
        return [Tell(asked), *orders]

    def cancel(self, now_ms: int) -> list[Order]:
        """The customer changed their mind before the answer."""
        request = self.vending.request
        if request is None or request.given_up_at_ms is not None:
            return [Tell(TurnedAway(reason=NotNow.NO_REQUEST))]
        return self.vending.give_up(now_ms)

    def complete(self, now_ms: int) -> list[Order]:
        """The customer is finished and wants the rest back."""
        if self.session is None:
            return [Tell(TurnedAway(reason=NotNow.NO_SESSION))]
        if self.vending.busy:
            return [Tell(TurnedAway(reason=NotNow.BUSY))]
        body = pb.SessionComplete(session_id=self.session.session_id)
        return self._say(service_pb.ConnectRequest(session_complete=body), now_ms)

    def cash_sold(self, column: str, price_minor: int, now_ms: int) -> list[Order]:
        """Goods were sold for coins."""
        return self._say(
            service_pb.ConnectRequest(
                cash_sale=pb.CashSale(column=column, price_minor=price_minor)
            ),
            now_ms,
        )

    def door(self, *, is_open: bool, now_ms: int) -> list[Order]:
        """Somebody opened or closed the door."""
        if is_open == self.door_open:
            return []
        self.door_open = is_open
        return self._say(reader(door_open=self.door_open), now_ms)

    def repaired(self, column: str) -> None:
        """Somebody freed or refilled the column."""
        self.blocked.discard(column)

    def _why_not(self, column: str) -> NotNow | None:
        if not self.online:
            return NotNow.OFFLINE
        if not self.service.in_service:
            return NotNow.OUT_OF_SERVICE
        if self.door_open:
            return NotNow.DOOR_OPEN
        if self.vending.busy:
            return NotNow.BUSY
        if column not in self.columns:
            return NotNow.NO_SUCH_COLUMN
        if column in self.blocked:
            return NotNow.COLUMN_BLOCKED
        if self.session is None and self.service.mode == pb.MODE_AUTHORIZATION_FIRST:
            return NotNow.PAY_FIRST
        # A request brings up to three frames (request, cancel, result); results must always find
        # room.
        if len(self.outbox) > UNACKED_MAX - 8 or len(self.vending.memory.tail) >= TAIL_MAX:
            return NotNow.TOO_MUCH_UNSAID
        return None

    # --- the inside: flash and motor ---

    def written(self, line: Line, now_ms: int) -> list[Order]:
        """The line is on flash for good."""
        return self.vending.written(line, now_ms)

    def motor_stopped(
        self,
        vend_id: str,
        motor: pb.MotorEvidence.ValueType,
        drop: pb.DropEvidence.ValueType,
        now_ms: int,
    ) -> list[Order]:
        """The motor that was turned for ``vend_id`` is at rest, and this is what the sensors
        saw.
        """
        vend = self.vending.vend
        orders = self.vending.motor_stopped(vend_id, motor, drop)
        if vend is not None and orders:
            orders += self._fault(vend.column, motor, judge(motor, drop), now_ms)
        return orders

    def _fault(
        self,
        column: str,
        motor: pb.MotorEvidence.ValueType,
        cause: pb.VendFailureCause.ValueType,
        now_ms: int,
    ) -> list[Order]:
        """A column that jammed or is empty is taken out of use until somebody has seen to it."""
        if motor == pb.MOTOR_EVIDENCE_JAMMED:
            self.blocked.add(column)
            code, what = "EJB", "motor jammed"
        elif cause == pb.VEND_FAILURE_CAUSE_EMPTY:
            self.blocked.add(column)
            code, what = "ELB", "empty"
        elif cause == pb.VEND_FAILURE_CAUSE_NOTHING_DROPPED:
            code, what = "ELA", "nothing dropped"
        else:
            return []
        return self._say(
            service_pb.ConnectRequest(fault=pb.Fault(code=code, detail=f"column {column}: {what}")),
            now_ms,
        )

    # --- what the backend said ---

    def _welcomed(self, frame: service_pb.ConnectResponse, now_ms: int) -> list[Order]:
        welcome = frame.welcome
        if welcome.last_seq > self.outbox.last_seq:
            return [
                Restart(
                    f"the backend has seq {welcome.last_seq} of boot {self.boot_id}, which was "
                    "never sent"
                )
            ]
        self.online = True
        self._handled_seq, self._told_ack = frame.seq, 0
        self._resent = (0, 0)
        self._move_at_ms = None
        self._heard_at_ms = now_ms
        self._heartbeat_ms = welcome.heartbeat_interval_ms
        if welcome.HasField("reconnect"):
            self.reconnect = (welcome.reconnect.initial_ms, welcome.reconnect.max_ms)
        self.service = Service(
            in_service=welcome.in_service,
            mode=welcome.mode,
            currency=welcome.currency,
            qr_payload=welcome.qr_payload,
        )
        done, _ = self.outbox.acknowledge(max(welcome.last_seq, frame.ack))
        orders: list[Order] = [Tell(Greeted(boot_id=self.boot_id))]
        orders += self.vending.acknowledged(done)
        orders += self.vending.told(self._told_tail, loss_told=self._told_loss)
        self._told_tail, self._told_loss = (), False
        orders += self._send(self.outbox.unacked, now_ms)
        if not welcome.session.session_id:
            orders += self.vending.answer_lost(self.outbox.unacked)
        return orders + self._session_resumed(welcome)

    def _session_resumed(self, welcome: pb.Welcome) -> list[Order]:
        before = self.session
        if not welcome.session.session_id:
            self.session = None
            return [] if before is None else [Tell(_ended_unseen(before))]
        resumed = welcome.session
        if before is not None and before.session_id == resumed.session_id:
            self.session = Session(
                session_id=before.session_id,
                funds_minor=resumed.funds_minor,
                expires_at_ms=before.expires_at_ms,
            )
            return []
        self.session = Session(session_id=resumed.session_id, funds_minor=resumed.funds_minor)
        began = SessionBegan(
            session_id=resumed.session_id, funds_minor=resumed.funds_minor, expires_in_ms=None
        )
        return [*([] if before is None else [Tell(_ended_unseen(before))]), Tell(began)]

    def _take_planogram(self, update: pb.PlanogramUpdate) -> list[Order]:
        self.planogram_version = update.planogram_version
        self.columns = {column.column: column for column in update.columns}
        return []

    def _take_service(self, update: pb.ServiceUpdate) -> list[Order]:
        self.service = Service(
            in_service=update.in_service,
            mode=update.mode,
            currency=self.service.currency,
            qr_payload=update.qr_payload,
        )
        return []

    def _asked_to_move(self, move: pb.MoveRequest, now_ms: int) -> list[Order]:
        # In the first half of the time given, so that a second try still fits.
        latest_ms = max(move.not_before_ms, (move.not_before_ms + move.not_after_ms) // 2)
        self._move_at_ms = now_ms + self._rng.randint(move.not_before_ms, latest_ms)
        return []

    def _session_began(self, begin: pb.BeginSession, now_ms: int) -> list[Order]:
        self.session = Session(
            session_id=begin.session_id,
            funds_minor=begin.funds_minor,
            expires_at_ms=now_ms + begin.expires_in_ms,
        )
        return [
            Tell(
                SessionBegan(
                    session_id=begin.session_id,
                    funds_minor=begin.funds_minor,
                    expires_in_ms=begin.expires_in_ms,
                )
            )
        ]

    def _funds_changed(self, update: pb.FundsUpdate, now_ms: int) -> list[Order]:
        if self.session is None or self.session.session_id != update.session_id:
            return []
        self.session = Session(
            session_id=update.session_id,
            funds_minor=update.funds_minor,
            expires_at_ms=now_ms + update.expires_in_ms,
        )
        return [
            Tell(
                FundsChanged(
                    session_id=update.session_id,
                    funds_minor=update.funds_minor,
                    expires_in_ms=update.expires_in_ms,
                )
            )
        ]

    def _session_ended(self, end: pb.EndSession) -> list[Order]:
        if self.session is not None and self.session.session_id == end.session_id:
            self.session = None
        return [
            Tell(
                SessionEnded(
                    session_id=end.session_id, reason=end.reason, refund_minor=end.refund_minor
                )
            )
        ]

    def _scolded(self, error: pb.ProtocolError, now_ms: int) -> list[Order]:
        orders: list[Order] = [Tell(Scolded(code=error.code, detail=error.detail))]
        expected = error.expected_seq
        if error.code != pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER:
            return orders + self._frame_refused(error, now_ms)
        asked, through = self._resent
        if expected == asked and error.seq <= through:
            return orders  # this frame was on its way before the resend
        frames = self.outbox.from_seq(expected)
        if frames is None:
            return [
                *orders,
                Restart(f"the backend wants seq {expected} again, which it had acknowledged"),
            ]
        self._resent = (expected, self.outbox.last_seq)
        return orders + self._send(frames, now_ms)

    def _frame_refused(self, error: pb.ProtocolError, now_ms: int) -> list[Order]:
        """The backend will never take this frame. If its number was not used up, those behind it
        move up and are sent again.
        """
        refused = self.outbox.numbered(error.seq)
        if refused is None:
            return []
        orders = self.vending.refused(refused.vend_request.request_id)
        if error.expected_seq == error.seq:
            self.outbox.take_back(error.seq)
            orders += self.vending.acknowledged([refused])
            orders += self._send(self.outbox.from_seq(error.seq) or (), now_ms)
        return orders

    def _acknowledged(self, seq: int, now_ms: int) -> list[Order]:
        done, more = self.outbox.acknowledge(seq)
        return self.vending.acknowledged(done) + self._send(more, now_ms)

    # --- what the machine says ---

    def _say(self, frame: service_pb.ConnectRequest, now_ms: int) -> list[Order]:
        return self._send(self.outbox.put(frame), now_ms)

    def _send(self, frames: Sequence[service_pb.ConnectRequest], now_ms: int) -> list[Order]:
        if not self.online or not frames:
            return []
        orders: list[Order] = []
        for frame in frames:
            copy = service_pb.ConnectRequest()
            copy.CopyFrom(frame)
            copy.ack = self._handled_seq
            orders.append(Send(copy))
        self._sent_at_ms, self._told_ack = now_ms, self._handled_seq
        return orders

    @property
    def _move_due_at_ms(self) -> int | None:
        return None if self.vending.busy else self._move_at_ms


def _ended_unseen(session: Session) -> SessionEnded:
    reason = pb.END_SESSION_REASON_UNSPECIFIED
    return SessionEnded(session_id=session.session_id, reason=reason, refund_minor=None)

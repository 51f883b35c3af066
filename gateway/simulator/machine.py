"""One machine as a pure model: facts in, commands out.

Flows in: frames of the backend, buttons, what flash and motor report; with each fact the time in
milliseconds of the machine's own monotonic clock. Flows out: commands, to be carried out one after
the other. One object lives from power-up to power-down (one boot); what outlives it is the
``Memory`` of its journal. No clock, no file, no socket.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from gateway.simulator import sessions
from gateway.simulator.commands import Command, Restart, Tell, Write
from gateway.simulator.connection import Connection
from gateway.simulator.frames import reader
from gateway.simulator.happenings import (
    Greeted,
    NotNow,
    Scolded,
    TurnedAway,
    VendAsked,
)
from gateway.simulator.memory import TAIL_MAX, CommandLine, JournalLine, Memory, Token, VendLine
from gateway.simulator.orders import Orders
from gateway.simulator.outbox import UNACKED_MAX
from gateway.simulator.sessions import Session
from gateway.simulator.vending import Vending, judge
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb


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
    screens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Whether, how and in which currency the machine may sell, as the backend told last."""

    in_service: bool = False
    mode: pb.Mode.ValueType = pb.MODE_UNSPECIFIED
    currency: str = ""
    qr_payload: str = ""


class Machine:
    """One boot of a machine. Methods are facts; each returns the commands that follow from it."""

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
        self.connection = Connection(boot_id=boot_id, rng=rng)
        self.outbox = self.connection.outbox
        self.vending = Vending(
            boot_id=boot_id,
            memory=memory,
            response_time_ms=identity.response_time_ms,
            say=self.connection.say,
        )
        self.orders = Orders(
            boot_id=boot_id, memory=memory, say=self.connection.say, report=self._report
        )
        self.service = Service()
        self.session: Session | None = None
        self.planogram_version = 0
        self.columns: dict[str, pb.PlanogramColumn] = {}
        self.blocked: set[str] = set()
        self.door_open = door_open
        self.manifest = ""
        """What the screen shows, for Hello."""
        self._told_tail: tuple[VendLine, ...] = ()
        self._told_loss = False
        self._named: service_pb.ConnectRequest | None = None
        """The unacknowledged frame that the last ProtocolError names."""
        self._began_ms: int | None = None
        """When the first stream was welcome."""
        self._handlers: dict[str, Callable[[service_pb.ConnectResponse, int], list[Command]]] = {
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
            "command": lambda frame, now_ms: self._ordered(frame.command, now_ms),
            "screen_update": lambda _, __: [],  # ``screen_keeper`` obeys it
            "protocol_error": lambda frame, now_ms: self._scolded(frame.protocol_error, now_ms),
        }
        self.connection.say(reader(door_open=self.door_open), 0)

    @property
    def online(self) -> bool:
        """Whether a stream is up and welcome."""
        return self.connection.online

    @property
    def busy(self) -> bool:
        """Whether a customer waits for an answer or for goods, or a motor is tried."""
        return self.vending.busy or self.orders.testing is not None

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
                resume_token=True,
                commands=True,
                screens=identity.screens,
            ),
            mode=self.service.mode or identity.mode,
            last_acked_seq=self.outbox.acked_seq,
            planogram_version=self.planogram_version,
            journal_tail=[line.entry() for line in self._told_tail],
            journal_lost=self._told_loss,
            resume_token=memory.resume_token,
            manifest_sha256=self.manifest,
        )
        return service_pb.ConnectRequest(hello=hello)

    def received(self, frame: service_pb.ConnectResponse, now_ms: int) -> list[Command]:
        """Handle a frame of the backend. A payload that this firmware does not know counts as
        handled.
        """
        payload = frame.WhichOneof("payload")
        if payload == "welcome":
            return self._welcomed(frame, now_ms)
        if not self.online:
            return []  # nothing may come before Welcome
        # The refusal of a frame may acknowledge it, and with that it leaves the outbox.
        self._named = self.outbox.numbered(frame.protocol_error.seq)
        done, more = self.connection.heard(frame, now_ms)
        commands = [*self.vending.acknowledged(done), *self.orders.acknowledged(done), *more]
        if payload is not None:  # None: an acknowledgement only, or a payload of a newer backend
            commands += self._handlers[payload](frame, now_ms)
        return commands + self.connection.acknowledge(now_ms)

    def tick(self, now_ms: int) -> list[Command]:
        """Do what is due by now."""
        commands = self.vending.tick(now_ms)
        return commands + self.connection.tick(now_ms, busy=self.busy)

    @property
    def next_tick_at_ms(self) -> int | None:
        """When ``tick`` has something to do next; None if never."""
        talk = self.connection.next_tick_at_ms(busy=self.busy)
        return min(
            (at for at in (self.vending.next_tick_at_ms, talk) if at is not None), default=None
        )

    # --- the front: buttons, coins, door ---

    def select(self, column: str, now_ms: int) -> list[Command]:
        """The customer pressed a column's button."""
        if (reason := self._why_not(column)) is not None:
            return [Tell(TurnedAway(reason=reason, column=column))]
        request, commands = self.vending.ask(self.columns[column], self.planogram_version, now_ms)
        asked = VendAsked(
            request_id=request.request_id, column=column, price_minor=request.price_minor
        )
        return [Tell(asked), *commands]

    def cancel(self, now_ms: int) -> list[Command]:
        """The customer changed their mind before the answer."""
        request = self.vending.request
        if request is None or request.given_up_at_ms is not None:
            return [Tell(TurnedAway(reason=NotNow.NO_REQUEST))]
        return self.vending.give_up(now_ms)

    def complete(self, now_ms: int) -> list[Command]:
        """The customer is finished and wants the rest back."""
        if self.session is None:
            return [Tell(TurnedAway(reason=NotNow.NO_SESSION))]
        if self.vending.busy:
            return [Tell(TurnedAway(reason=NotNow.BUSY))]
        body = pb.SessionComplete(session_id=self.session.session_id)
        return self.connection.say(service_pb.ConnectRequest(session_complete=body), now_ms)

    def cash_sold(self, column: str, price_minor: int, now_ms: int) -> list[Command]:
        """Goods were sold for coins."""
        return self.connection.say(
            service_pb.ConnectRequest(
                cash_sale=pb.CashSale(column=column, price_minor=price_minor)
            ),
            now_ms,
        )

    def door(self, *, is_open: bool, now_ms: int) -> list[Command]:
        """Somebody opened or closed the door."""
        if is_open == self.door_open:
            return []
        self.door_open = is_open
        return self.connection.say(reader(door_open=self.door_open), now_ms)

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
        if self.busy:
            return NotNow.BUSY
        if column not in self.columns:
            return NotNow.NO_SUCH_COLUMN
        if column in self.blocked or column in self.orders.memory.locked:
            return NotNow.COLUMN_BLOCKED
        if self.session is None and self.service.mode == pb.MODE_AUTHORIZATION_FIRST:
            return NotNow.PAY_FIRST
        # A request brings up to three frames (request, cancel, result); results must always find
        # room.
        if len(self.outbox) > UNACKED_MAX - 8 or len(self.vending.memory.tail) >= TAIL_MAX:
            return NotNow.TOO_MUCH_UNSAID
        return None

    # --- the inside: flash and motor ---

    def written(self, line: JournalLine, now_ms: int) -> list[Command]:
        """The line is on flash for good."""
        if isinstance(line, CommandLine):
            return self.orders.written(line, now_ms)
        return self.vending.written(line, now_ms)

    def motor_stopped(
        self,
        vend_id: str,
        motor: pb.MotorEvidence.ValueType,
        drop: pb.DropEvidence.ValueType,
        now_ms: int,
    ) -> list[Command]:
        """The motor that was turned for ``vend_id``, which may be a test vend's command, is at
        rest, and this is what the sensors saw.
        """
        if (test := self.orders.testing) is not None and test.command_id == vend_id:
            told = self.orders.motor_stopped(vend_id, motor, drop)
            return told + self._fault(test.column, motor, judge(motor, drop), now_ms)
        vend = self.vending.vend
        commands = self.vending.motor_stopped(vend_id, motor, drop)
        if vend is not None and commands:
            commands += self._fault(vend.column, motor, judge(motor, drop), now_ms)
        return commands

    def _fault(
        self,
        column: str,
        motor: pb.MotorEvidence.ValueType,
        cause: pb.VendFailureCause.ValueType,
        now_ms: int,
    ) -> list[Command]:
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
        return self.connection.say(
            service_pb.ConnectRequest(fault=pb.Fault(code=code, detail=what, column=column)),
            now_ms,
        )

    # --- what the backend said ---

    def _welcomed(self, frame: service_pb.ConnectResponse, now_ms: int) -> list[Command]:
        welcome = frame.welcome
        if objection := self.connection.objection(welcome):
            return objection
        done = self.connection.welcomed(frame, now_ms)
        self._began_ms = now_ms if self._began_ms is None else self._began_ms
        self.service = Service(
            in_service=welcome.in_service,
            mode=welcome.mode,
            currency=welcome.currency,
            qr_payload=welcome.qr_payload,
        )
        commands: list[Command] = [Tell(Greeted(boot_id=self.boot_id))]
        if welcome.resume_token:
            # On flash before any frame shows the backend that it is here.
            commands.append(Write(Token(resume_token=welcome.resume_token)))
        commands += self.vending.acknowledged(done)
        commands += self.orders.acknowledged(done)
        commands += self.vending.told(self._told_tail, loss_told=self._told_loss)
        self._told_tail, self._told_loss = (), False
        commands += self.connection.send(self.outbox.unacked, now_ms)
        commands += self.orders.welcomed(now_ms)
        if not welcome.session.session_id:
            commands += self.vending.answer_lost(self.outbox.unacked)
        self.session, seen = sessions.resumed(self.session, welcome)
        return commands + seen

    def _take_planogram(self, update: pb.PlanogramUpdate) -> list[Command]:
        self.planogram_version = update.planogram_version
        self.columns = {column.column: column for column in update.columns}
        return []

    def _take_service(self, update: pb.ServiceUpdate) -> list[Command]:
        self.service = Service(
            in_service=update.in_service,
            mode=update.mode,
            currency=self.service.currency,
            qr_payload=update.qr_payload,
        )
        return []

    def _ordered(self, order: pb.Command, now_ms: int) -> list[Command]:
        occupied = "busy" if self.busy or self.session is not None else ""
        if order.WhichOneof("order") == "test_vend" and not self.busy:
            occupied = ""
        return self.orders.received(order, now_ms, occupied=occupied, columns=self.columns)

    def _report(self, now_ms: int) -> pb.MachineReport:
        began_ms = self._began_ms if self._began_ms is not None else now_ms
        return pb.MachineReport(
            uptime_s=max(0, now_ms - began_ms) // 1_000,
            firmware=self.identity.firmware,
            door_open=self.door_open,
        )

    def _asked_to_move(self, move: pb.MoveRequest, now_ms: int) -> list[Command]:
        self.connection.asked_to_move(move, now_ms)
        return []

    def _session_began(self, begin: pb.BeginSession, now_ms: int) -> list[Command]:
        self.session, seen = sessions.began(begin, now_ms)
        return seen

    def _funds_changed(self, update: pb.FundsUpdate, now_ms: int) -> list[Command]:
        self.session, seen = sessions.funds_changed(self.session, update, now_ms)
        return seen

    def _session_ended(self, end: pb.EndSession) -> list[Command]:
        self.session, seen = sessions.ended(self.session, end)
        return seen

    def _scolded(self, error: pb.ProtocolError, now_ms: int) -> list[Command]:
        told = Tell(Scolded(code=error.code, detail=error.detail))
        if error.code == pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER:
            return [told, *self.connection.send_again(error, now_ms)]
        if error.code == pb.PROTOCOL_ERROR_CODE_SEQ_REUSED:
            return [told, Restart(f"seq {error.seq} was used in this boot for another frame")]
        return [told, *self._frame_refused(error, now_ms)]

    def _frame_refused(self, error: pb.ProtocolError, now_ms: int) -> list[Command]:
        """The backend will never take this frame. If its number was not used up, those behind it
        move up and are sent again.
        """
        refused = self._named
        if refused is None:
            return []
        commands = self.vending.refused(refused.vend_request.request_id)
        if error.expected_seq == error.seq and self.outbox.numbered(error.seq) is not None:
            self.outbox.take_back(error.seq)
            commands += self.vending.acknowledged([refused])
            commands += self.connection.send(self.outbox.from_seq(error.seq) or (), now_ms)
        return commands

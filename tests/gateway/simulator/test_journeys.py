"""Everything that can happen to a machine, in any command: power cuts between any two steps, lost
streams, old and foreign approvals.

The world keeps what a checker would keep: flash, shelf, and what an honest backend was told. After
every step and at the end the promises of the machine must hold.
"""

from collections import Counter, defaultdict, deque
from random import Random

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.simulator.commands import (
    Command,
    Redial,
    Reopen,
    Restart,
    Send,
    Tell,
    TurnMotor,
    Write,
)
from gateway.simulator.machine import Identity, Machine
from gateway.simulator.memory import Booted, JournalLine, Memory, VendLine
from gateway.simulator.outbox import UNACKED_MAX
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

COLUMNS = [pb.PlanogramColumn(column=name, price_minor=500) for name in ("A1", "A2", "A3")]
OUTCOMES = [
    (pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN),
    (pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_NOT_SEEN),
    (pb.MOTOR_EVIDENCE_JAMMED, pb.DROP_EVIDENCE_NOT_SEEN),
]


class World(RuleBasedStateMachine):
    """One machine, its flash and shelf, and an honest backend on a wire that breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.flash: list[JournalLine] = []
        self.turns: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.boots = 0
        self.machine: Machine | None = None
        self.commands: deque[Command] = deque()
        self.motor: TurnMotor | None = None
        # the backend
        self.boot_id = ""
        self.last_seq = 0
        self.wire: deque[service_pb.ConnectRequest] = deque()
        self.sent_seq = 0
        self.requests: list[pb.VendRequest] = []
        self.approvals: list[pb.VendApproved] = []
        self.received_at_ms: dict[str, int] = {}
        self.given_up: set[str] = set()
        self.told: dict[str, set[int]] = defaultdict(set)
        self.said: dict[tuple[str, int], bytes] = {}
        self.come_back()

    def come_back(self) -> None:
        """Power and stream are up, and everything that waited is done."""
        if self.machine is None:
            self.power_on()
        if not self.online:
            self.connect()
        self.rest()

    # --- power ---

    @precondition(lambda self: self.machine is None)
    @rule()
    def power_on(self) -> None:
        """A new boot reads what is on flash."""
        self.boots += 1
        memory = Memory(self.flash)
        booted = Booted(number=self.boots, boot_id=f"b{self.boots}", lost=not self.flash)
        self.flash.append(booted)
        memory.add(booted)
        self.machine = Machine(
            identity=Identity(machine_id="VM-0001"),
            boot_id=booted.boot_id,
            memory=memory,
            rng=Random(1),
        )

    @precondition(lambda self: self.machine is not None)
    @rule(
        falls=st.booleans(),
        half_written=st.booleans(),
        arrives=st.integers(0, 3),
        back=st.booleans(),
    )
    def power_cut(self, *, falls: bool, half_written: bool, arrives: int, back: bool) -> None:
        """Dark between any two steps: a line may be on flash unreported, goods may fall, some
        frames may still arrive.
        """
        if half_written and self.commands and isinstance(self.commands[0], Write):
            self.flash.append(self.commands[0].line)
        if self.motor is not None and falls:
            self.drops[self.motor.vend_id] += 1
        self.read(arrives)
        self.machine, self.motor = None, None
        self.commands.clear()
        self.wire.clear()
        if back:
            self.come_back()

    # --- stream ---

    @precondition(lambda self: self.machine is not None and not self.machine.online)
    @rule()
    def connect(self) -> None:
        """Hello and Welcome; what Hello tells is saved before Welcome."""
        assert self.machine is not None
        hello = self.machine.hello().hello
        if hello.boot_id != self.boot_id:
            self.boot_id, self.last_seq = hello.boot_id, 0
        assert hello.last_acked_seq <= self.last_seq
        for entry in hello.journal_tail:
            self.told[entry.vend_id].add(entry.stage)
        self.sent_seq = 0
        self.wire.clear()
        welcome = pb.Welcome(
            last_seq=self.last_seq, in_service=True, mode=pb.MODE_BOTH, heartbeat_interval_ms=20_000
        )
        self.answer(service_pb.ConnectResponse(welcome=welcome))
        self.answer(
            service_pb.ConnectResponse(
                planogram_update=pb.PlanogramUpdate(planogram_version=1, columns=COLUMNS)
            )
        )

    @precondition(lambda self: self.machine is not None and self.machine.online)
    @rule(arrives=st.integers(0, 3), back=st.booleans())
    def disconnect(self, arrives: int, *, back: bool) -> None:
        """The stream breaks; some frames may still arrive."""
        assert self.machine is not None
        self.read(arrives)
        self.lose_stream()
        if back:
            self.come_back()

    def lose_stream(self) -> None:
        """What was ordered to be sent on the stream that is gone is gone with it."""
        assert self.machine is not None
        self.wire.clear()
        self.commands = deque(command for command in self.commands if not isinstance(command, Send))
        self.machine.connection.lost()

    @rule(count=st.integers(1, 5))
    def read(self, count: int) -> None:
        """The backend applies frames: each number once, in order, without a gap."""
        for _ in range(min(count, len(self.wire))):
            frame = self.wire.popleft()
            if frame.seq == 0:
                continue
            assert frame.seq <= self.last_seq + 1, "a gap on a stream that lost nothing"
            if frame.seq == self.last_seq + 1:
                self.last_seq = frame.seq
                self.apply(frame)

    def apply(self, frame: service_pb.ConnectRequest) -> None:
        """Remember what a frame told."""
        if frame.HasField("vend_request"):
            self.requests.append(frame.vend_request)
        elif frame.HasField("vend_success"):
            self.told[frame.vend_success.vend_id].add(pb.JOURNAL_STAGE_SUCCEEDED)
        elif frame.HasField("vend_failure"):
            self.told[frame.vend_failure.vend_id].add(pb.JOURNAL_STAGE_FAILED)

    @precondition(lambda self: self.online)
    @rule(behind=st.integers(0, 3))
    def acknowledge(self, behind: int) -> None:
        """An acknowledgement, perhaps an old one."""
        self.answer(service_pb.ConnectResponse(ack=max(0, self.last_seq - behind)))

    @precondition(lambda self: self.online)
    @rule(ahead=st.integers(1, 4))
    def complain(self, ahead: int) -> None:
        """The backend says that a number was left out."""
        error = pb.ProtocolError(
            code=pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER,
            seq=self.last_seq + 1 + ahead,
            expected_seq=self.last_seq + 1,
        )
        self.answer(service_pb.ConnectResponse(protocol_error=error))

    @property
    def online(self) -> bool:
        """Whether the backend can reach the machine."""
        return self.machine is not None and self.machine.online

    def answer(self, response: service_pb.ConnectResponse) -> None:
        """Say something on the present stream."""
        assert self.machine is not None
        self.sent_seq += 1
        response.seq = self.sent_seq
        response.ack = response.ack or self.last_seq
        self.commands += self.machine.received(response, self.now_ms)

    # --- vends ---

    @precondition(lambda self: self.machine is not None)
    @rule(button=st.sampled_from(["A1", "A2", "A3", "cancel", "complete", "cash", "open", "close"]))
    def press(self, button: str) -> None:
        """Somebody does something at the front."""
        machine, now_ms = self.machine, self.now_ms
        assert machine is not None
        match button:
            case "cancel":
                self.commands += machine.cancel(now_ms)
            case "complete":
                self.commands += machine.complete(now_ms)
            case "cash":
                self.commands += machine.cash_sold("A1", 500, now_ms)
            case "open" | "close":
                self.commands += machine.door(is_open=button == "open", now_ms=now_ms)
            case _:
                self.commands += machine.select(button, now_ms)
        for column in COLUMNS:
            machine.repaired(column.column)
        self.note_given_up()

    def note_given_up(self) -> None:
        """Remember a request that the machine does not wait for any more."""
        request = self.machine.vending.request if self.machine is not None else None
        if request is not None and request.given_up_at_ms is not None:
            self.given_up.add(request.request_id)

    @precondition(lambda self: self.online and self.requests)
    @rule(valid_for_ms=st.sampled_from([1, 30_000]), which=st.integers(-3, -1))
    def approve(self, valid_for_ms: int, which: int) -> None:
        """Approve a request, perhaps one that nobody waits for any more; each vend_id
        always names the same request.
        """
        request = self.requests[max(which, -len(self.requests))]
        approval = next(
            (each for each in self.approvals if each.request_id == request.request_id), None
        )
        if approval is None:
            approval = pb.VendApproved(
                vend_id=f"v{len(self.approvals) + 1}",
                request_id=request.request_id,
                column=request.column,
                amount_minor=request.price_minor,
                valid_for_ms=valid_for_ms,
            )
            self.approvals.append(approval)
        self.received_at_ms.setdefault(approval.vend_id, self.now_ms)
        self.answer(service_pb.ConnectResponse(vend_approved=approval))

    @precondition(lambda self: self.online and self.approvals)
    @rule(which=st.integers(-4, -1))
    def approve_again(self, which: int) -> None:
        """Repeat an approval, from whichever boot."""
        self.answer(
            service_pb.ConnectResponse(
                vend_approved=self.approvals[max(which, -len(self.approvals))]
            )
        )

    @precondition(lambda self: self.online and self.requests)
    @rule()
    def deny(self) -> None:
        """Deny the last request."""
        self.answer(
            service_pb.ConnectResponse(
                vend_denied=pb.VendDenied(request_id=self.requests[-1].request_id)
            )
        )

    @precondition(lambda self: self.motor is not None)
    @rule(outcome=st.sampled_from(OUTCOMES))
    def motor_stops(
        self, outcome: tuple[pb.MotorEvidence.ValueType, pb.DropEvidence.ValueType]
    ) -> None:
        """The motor comes to rest; goods fell or did not."""
        assert self.motor is not None
        assert self.machine is not None
        motor, self.motor = self.motor, None
        if outcome[1] == pb.DROP_EVIDENCE_SEEN:
            self.drops[motor.vend_id] += 1
        self.commands += self.machine.motor_stopped(motor.vend_id, *outcome, self.now_ms)

    @rule(ms=st.sampled_from([1, 1_000, 20_000, 41_000]))
    def time_passes(self, ms: int) -> None:
        """Time passes."""
        self.now_ms += ms
        if self.machine is not None:
            self.commands += self.machine.tick(self.now_ms)
            self.note_given_up()

    # --- carrying out ---

    @rule()
    def all_goes_well_for_a_while(self) -> None:
        """Power and stream are up, and all that waited is done."""
        self.come_back()
        self.acknowledge(0)

    @precondition(lambda self: self.online)
    @rule(column=st.sampled_from(["A1", "A2", "A3"]), valid_for_ms=st.sampled_from([1, 30_000]))
    def choose_and_be_approved(self, column: str, valid_for_ms: int) -> None:
        """The common case: a choice, its approval, and the machine has just begun."""
        self.press(column)
        self.rest()
        if self.requests:
            self.approve(valid_for_ms, -1)

    @precondition(lambda self: self.online)
    @rule(
        column=st.sampled_from(["A1", "A2", "A3"]),
        outcome=st.sampled_from(OUTCOMES),
        again=st.booleans(),
    )
    def buy(
        self,
        column: str,
        outcome: tuple[pb.MotorEvidence.ValueType, pb.DropEvidence.ValueType],
        *,
        again: bool,
    ) -> None:
        """A whole vend, and perhaps its approval once more, acknowledged or not."""
        self.choose_and_be_approved(column, 30_000)
        self.rest()
        if self.motor is not None:
            self.motor_stops(outcome)
            self.rest()
        if again and self.approvals:
            self.approve_again(-1)
            self.rest()

    @precondition(lambda self: self.online)
    @rule(column=st.sampled_from(["A1", "A2", "A3"]), button=st.booleans())
    def change_of_mind(self, column: str, *, button: bool) -> None:
        """The approval crosses with the customer's, or the machine's own, giving up."""
        self.press(column)
        self.rest()
        if button:
            self.press("cancel")
        else:
            self.time_passes(41_000)
        if self.online and self.requests:
            self.approve(30_000, -1)
        self.rest()

    @rule(count=st.sampled_from([1, 2, 3]))
    def carry_out(self, count: int) -> None:
        """Carry out some commands, first in, first out."""
        for _ in range(count):
            if self.commands:
                self.carry_out_one(self.commands.popleft())

    def carry_out_one(self, command: Command) -> None:
        """Carry out one command."""
        machine = self.machine
        assert machine is not None
        match command:
            case Send(frame=frame):
                if frame.seq:  # a frame that is sent again says the same
                    same = service_pb.ConnectRequest()
                    same.CopyFrom(frame)
                    same.ack = 0
                    body = same.SerializeToString(deterministic=True)
                    assert body == self.said.setdefault((machine.boot_id, frame.seq), body)
                if machine.online:
                    self.wire.append(frame)
            case Write(line=line):
                self.flash.append(line)
                follow = machine.written(line, self.now_ms)
                assert all(self.in_time(each) for each in follow), "the motor is to turn too late"
                self.commands += follow
            case TurnMotor():
                on_flash = Memory(self.flash).known(command.vend_id)
                assert on_flash is not None, "the motor turns before the journal says so"
                assert pb.JOURNAL_STAGE_MOTOR_ON == on_flash.stage, (
                    "the motor turns before the journal says so"
                )
                assert self.motor is None
                approval = next(each for each in self.approvals if each.vend_id == command.vend_id)
                assert approval.request_id not in self.given_up, (
                    "the motor turns for a request that was given up"
                )
                self.turns[command.vend_id] += 1
                self.motor = command
            case Tell() | Reopen() | Redial():
                return
            case Restart():
                raise AssertionError(command.reason)

    def in_time(self, command: Command) -> bool:
        """Whether the command is no motor command, or is given while its approval is valid."""
        if not isinstance(command, TurnMotor):
            return True
        approval = next(each for each in self.approvals if each.vend_id == command.vend_id)
        return self.now_ms < self.received_at_ms[command.vend_id] + approval.valid_for_ms

    # --- promises ---

    @invariant()
    def one_turn_for_one_vend(self) -> None:
        """Whatever happened: a motor turned at most once for each vend, and at most one item
        fell.
        """
        assert all(count == 1 for count in (*self.turns.values(), *self.drops.values()))

    @invariant()
    def nothing_unacknowledged_is_forgotten(self) -> None:
        """The outbox holds all numbers of this boot that were not acknowledged, in order, at most
        32 of them.
        """
        if self.machine is not None:
            outbox = self.machine.outbox
            assert list(range(outbox.acked_seq + 1, outbox.last_seq + 1)) == [
                frame.seq for frame in outbox.unacked
            ]
            assert len(outbox.unacked) <= UNACKED_MAX
            if self.boot_id == self.machine.boot_id:
                assert outbox.acked_seq <= self.last_seq

    @invariant()
    def nobody_is_told_two_stories(self) -> None:
        """A vend is never told as delivered and as failed; delivered means that something fell,
        failed that nothing did.
        """
        for vend_id, stages in self.told.items():
            assert not {pb.JOURNAL_STAGE_SUCCEEDED, pb.JOURNAL_STAGE_FAILED} <= stages
            if pb.JOURNAL_STAGE_SUCCEEDED in stages:
                assert 1 == self.drops[vend_id]
            elif pb.JOURNAL_STAGE_FAILED in stages:
                assert 0 == self.drops[vend_id]

    def teardown(self) -> None:
        """With power and stream back, everything is told: every motor turn is accounted for and
        nothing is left to say.
        """
        if self.machine is None:
            self.power_on()
        assert self.machine is not None
        self.rest()
        while self.motor is not None:
            self.motor_stops(OUTCOMES[0])
            self.rest()
        self.lose_stream()
        self.connect()
        for _ in range(20):
            self.rest()
            self.answer(service_pb.ConnectResponse(ack=self.last_seq))
        assert 0 == len(self.machine.outbox)
        assert () == self.machine.vending.memory.tail
        settled = {line.vend_id for line in self.flash if isinstance(line, VendLine)}
        for vend_id in settled:
            assert self.told[vend_id], f"nobody was told of {vend_id}"
        final = {pb.JOURNAL_STAGE_SUCCEEDED, pb.JOURNAL_STAGE_FAILED, pb.JOURNAL_STAGE_MOTOR_ON}
        assert all(self.told[vend_id] & final for vend_id in self.turns)

    def rest(self) -> None:
        """Carry out and deliver all that waits."""
        while self.commands:
            self.carry_out_one(self.commands.popleft())
        self.read(len(self.wire))


TestJourneys = World.TestCase
TestJourneys.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)

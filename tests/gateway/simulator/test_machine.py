"""The pure model of one boot: streams, numbers, sessions, buttons."""

from random import Random
from typing import Any

import pytest

from gateway.simulator.machine import SILENT_BEATS_MAX, UNTOLD_ACKS_MAX, Identity, Machine
from gateway.simulator.memory import TAIL_MAX, Booted, Memory, VendLine
from gateway.simulator.orders import (
    FundsChanged,
    Greeted,
    Happening,
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
    TurnMotor,
    Write,
)
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

COLUMNS = [pb.PlanogramColumn(column="A1", product="Water", price_minor=500, stock=5)]


class Bench:
    """A machine and the backend's end of its stream, played by the test."""

    def __init__(self, memory: Memory | None = None, **machine: Any) -> None:
        self.machine = Machine(identity=Identity(machine_id="VM-0001"), boot_id="b2", memory=memory or Memory(), rng=Random(1), **machine)
        self.now_ms = 1_000
        self.seq = 0

    def say(self, *, ack: int = 0, **payload: Any) -> list[Order]:
        """Let the backend say something; carry out what is to be written."""
        self.seq += 1
        return self.do(self.machine.received(service_pb.ConnectResponse(seq=self.seq, ack=ack, **payload), self.now_ms))

    def do(self, orders: list[Order]) -> list[Order]:
        """Carry out writes, first in, first out."""
        waiting, done = list(orders), []
        while waiting:
            order = waiting.pop(0)
            done.append(order)
            if isinstance(order, Write):
                waiting += self.machine.written(order.line, self.now_ms)
        return done

    def connect(self, *, ack: int = 0, **welcome: Any) -> list[Order]:
        """Open a stream and welcome the machine."""
        self.machine.hello()
        self.seq = 0
        told: dict[str, Any] = {
            "mode": pb.MODE_BOTH,
            "in_service": True,
            "currency": "HKD",
            "heartbeat_interval_ms": 20_000,
            "planogram_version": 7,
            "qr_payload": "qr",
        } | welcome
        orders = self.say(ack=ack, welcome=pb.Welcome(**told))
        if self.machine.online and not self.machine.columns:
            self.say(planogram_update=pb.PlanogramUpdate(planogram_version=7, columns=COLUMNS))
        return orders


def frames(orders: list[Order]) -> list[service_pb.ConnectRequest]:
    """Return the frames among the orders."""
    return [order.frame for order in orders if isinstance(order, Send)]


def kinds(orders: list[Order]) -> list[str]:
    """Return the kinds of the frames among the orders."""
    return [str(frame.WhichOneof("payload")) for frame in frames(orders)]


def happenings(orders: list[Order]) -> list[Happening]:
    """Return what the customer sees of the orders."""
    return [order.happening for order in orders if isinstance(order, Tell)]


# --- streams ---------------------------------------------------------------------------------------------------------------------


def test_hello_says_who_and_what() -> None:
    """Identity, boot, capabilities, and a journal tail of all that is not settled."""
    tail = [VendLine(vend_id=f"v{number}", boot_id="b1", stage=pb.JOURNAL_STAGE_MOTOR_ON) for number in range(TAIL_MAX + 2)]
    frame = Bench(Memory([Booted(number=1, boot_id="b1", lost=True), *tail])).machine.hello()
    hello = frame.hello

    assert (frame.seq, hello.machine_id, hello.boot_id, hello.last_acked_seq, hello.planogram_version) == (0, "VM-0001", "b2", 0, 0)
    assert hello.capabilities.response_time_ms == 40_000
    assert [entry.vend_id for entry in hello.journal_tail] == [f"v{number}" for number in range(TAIL_MAX)]
    assert hello.journal_lost


def test_nothing_is_said_before_welcome() -> None:
    """The first numbered frame of a boot, ReaderEnable, leaves after Welcome."""
    bench = Bench()

    assert bench.machine.door(is_open=True, now_ms=1) == []
    orders = bench.connect()
    assert kinds(orders) == ["reader_enable", "reader_disable"]
    assert [frame.seq for frame in frames(orders)] == [1, 2]
    assert happenings(orders) == [Greeted(boot_id="b2")]


def test_a_boot_with_an_open_door_says_so_first() -> None:
    """The backend takes a fresh boot for enabled; the machine tells otherwise."""
    assert kinds(Bench(door_open=True).connect()) == ["reader_disable"]


def test_what_came_before_welcome_is_ignored() -> None:
    """A frame on a stream that was not welcomed has no meaning."""
    bench = Bench()

    assert bench.say(begin_session=pb.BeginSession(session_id="s1", funds_minor=5)) == []
    assert bench.machine.session is None


def test_what_was_not_saved_is_sent_again_in_order() -> None:
    """After a reconnection all above Welcome.last_seq is sent again with its old numbers, and nothing below."""
    bench = Bench()
    bench.connect()
    for _ in range(3):
        bench.machine.cash_sold("A1", 500, 0)
    bench.machine.stream_lost()
    bench.machine.cash_sold("A1", 500, 0)

    assert bench.machine.hello().hello.last_acked_seq == 0
    orders = bench.connect(last_seq=2)
    assert [frame.seq for frame in frames(orders)] == [3, 4, 5]
    assert bench.machine.outbox.acked_seq == 2
    assert bench.machine.hello().hello.last_acked_seq == 2


def test_acknowledged_frames_are_forgotten() -> None:
    """An ack on any frame frees the outbox up to it."""
    bench = Bench()
    bench.connect()
    bench.machine.cash_sold("A1", 500, 0)
    bench.say(ack=2)

    assert len(bench.machine.outbox) == 0


def test_what_waited_for_room_leaves_with_the_acknowledgement() -> None:
    """More than 32 frames: the rest leaves in order as soon as there is room."""
    bench = Bench()
    for _ in range(39):
        bench.machine.cash_sold("A1", 500, 0)

    assert [frame.seq for frame in frames(bench.connect())] == list(range(1, 33))
    assert [frame.seq for frame in frames(bench.say(ack=5))] == list(range(33, 38))


def test_a_number_that_was_never_used_restarts_the_firmware() -> None:
    """A backend that knows frames of this boot which were never sent has met this boot id before: only a new one heals that."""
    orders = Bench().connect(last_seq=9)

    assert [type(order) for order in orders] == [Restart]


def test_every_frame_carries_what_was_handled() -> None:
    """The ack of a machine's frame is the highest seq of the present stream."""
    bench = Bench()
    bench.connect()

    assert [frame.ack for frame in frames(bench.machine.cash_sold("A1", 500, 0))] == [2]
    bench.machine.stream_lost()
    assert [frame.ack for frame in frames(bench.connect(last_seq=1))] == [1]


def test_a_silent_machine_still_acknowledges() -> None:
    """After so many handled frames a heartbeat carries the ack."""
    bench = Bench()
    bench.connect()
    orders: list[Order] = []
    while not orders:
        orders = bench.say(service_update=pb.ServiceUpdate(in_service=True))

    assert kinds(orders) == ["heartbeat"]
    assert frames(orders)[0].ack == UNTOLD_ACKS_MAX + 1
    assert frames(orders)[0].seq == 0


def test_heartbeats_fill_the_silence() -> None:
    """A heartbeat leaves when nothing else was sent for the interval."""
    bench = Bench()
    bench.connect()

    assert bench.machine.next_tick_at_ms == 21_000
    assert bench.machine.tick(20_999) == []
    assert kinds(bench.machine.tick(21_000)) == ["heartbeat"]
    assert bench.machine.next_tick_at_ms == 41_000
    bench.machine.stream_lost()
    assert bench.machine.next_tick_at_ms is None


def test_a_stream_on_which_nothing_comes_is_given_up() -> None:
    """Heartbeats that nobody acknowledges mean a dead stream."""
    bench = Bench()
    bench.connect()
    dead_at_ms = 1_000 + SILENT_BEATS_MAX * 20_000

    assert [type(order) for order in bench.machine.tick(dead_at_ms)] == [Redial]


def test_an_unknown_payload_is_handled_as_an_acknowledgement() -> None:
    """A newer backend may say things that this firmware does not know."""
    bench = Bench()
    bench.connect()

    assert bench.say(ack=1) == []
    assert len(bench.machine.outbox) == 0


# --- refused frames --------------------------------------------------------------------------------------------------------------


def scold(bench: Bench, code: pb.ProtocolErrorCode.ValueType, seq: int, expected_seq: int) -> list[Order]:
    """Let the backend refuse a frame."""
    return bench.say(protocol_error=pb.ProtocolError(code=code, seq=seq, expected_seq=expected_seq, detail="why"))


def test_a_left_out_number_is_sent_again_once() -> None:
    """OUT_OF_ORDER: all from expected_seq again; complaints about frames that were on their way are not answered twice."""
    bench = Bench()
    bench.connect()
    for _ in range(3):
        bench.machine.cash_sold("A1", 500, 0)
    code = pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER

    orders = scold(bench, code, 3, 2)
    assert happenings(orders) == [Scolded(code=code, detail="why")]
    assert [frame.seq for frame in frames(orders)] == [2, 3, 4]
    assert frames(scold(bench, code, 4, 2)) == []
    bench.machine.cash_sold("A1", 500, 0)
    assert [frame.seq for frame in frames(scold(bench, code, 5, 2))] == [2, 3, 4, 5]


def test_a_wish_for_what_was_acknowledged_restarts_the_firmware() -> None:
    """A backend that lost what it had acknowledged cannot be helped within this boot."""
    bench = Bench()
    bench.connect()
    bench.say(ack=1)

    assert any(isinstance(order, Restart) for order in scold(bench, pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER, 2, 1))


def test_a_frame_that_cannot_be_read_gives_its_number_away() -> None:
    """BAD_FIELD with the number still free: the frame is put aside, the customer is told, the next one moves up."""
    bench = Bench()
    bench.connect()
    bench.do(bench.machine.select("A1", 0))
    bench.machine.cash_sold("A1", 500, 0)

    orders = scold(bench, pb.PROTOCOL_ERROR_CODE_BAD_FIELD, 2, 2)
    assert [(frame.seq, frame.WhichOneof("payload")) for frame in frames(orders)] == [(2, "cash_sale")]
    assert not bench.machine.vending.busy
    assert frames(scold(bench, pb.PROTOCOL_ERROR_CODE_BAD_FIELD, 9, 9)) == []


def test_a_frame_out_of_sequence_has_used_its_number() -> None:
    """OUT_OF_SEQUENCE with the next number expected: nothing is sent again."""
    bench = Bench()
    bench.connect()
    bench.do(bench.machine.select("A1", 0))

    assert frames(scold(bench, pb.PROTOCOL_ERROR_CODE_OUT_OF_SEQUENCE, 2, 3)) == []
    assert not bench.machine.vending.busy
    assert len(bench.machine.outbox) == 2


# --- sessions --------------------------------------------------------------------------------------------------------------------


def test_a_session_lives_from_begin_to_end() -> None:
    """Funds are shown as told; updates of other sessions change nothing."""
    bench = Bench()
    bench.connect()

    orders = bench.say(begin_session=pb.BeginSession(session_id="s1", funds_minor=900, expires_in_ms=300_000))
    assert happenings(orders) == [SessionBegan(session_id="s1", funds_minor=900, expires_in_ms=300_000)]
    assert happenings(bench.say(funds_update=pb.FundsUpdate(session_id="s0", funds_minor=1))) == []
    orders = bench.say(funds_update=pb.FundsUpdate(session_id="s1", funds_minor=400, expires_in_ms=9))
    assert happenings(orders) == [FundsChanged(session_id="s1", funds_minor=400, expires_in_ms=9)]
    assert kinds(bench.machine.complete(0)) == ["session_complete"]
    orders = bench.say(end_session=pb.EndSession(session_id="s1", reason=pb.END_SESSION_REASON_COMPLETE, refund_minor=400))
    assert happenings(orders) == [SessionEnded(session_id="s1", reason=pb.END_SESSION_REASON_COMPLETE, refund_minor=400)]
    assert bench.machine.session is None
    assert bench.machine.complete(0) == [Tell(TurnedAway(reason=NotNow.NO_SESSION))]


@pytest.mark.parametrize("resumed", ["same", "other", "none"])
def test_welcome_says_what_goes_on(resumed: str) -> None:
    """After a lost stream the session goes on, was replaced, or ended unseen."""
    bench = Bench()
    bench.connect()
    bench.say(begin_session=pb.BeginSession(session_id="s1", funds_minor=900, expires_in_ms=300_000))
    bench.machine.stream_lost()
    session: dict[str, Any] = {
        "same": pb.ResumedSession(session_id="s1", funds_minor=400),
        "other": pb.ResumedSession(session_id="s2", funds_minor=5),
    }
    orders = bench.connect(**({"session": session[resumed]} if resumed in session else {}))
    ended = SessionEnded(session_id="s1", reason=pb.END_SESSION_REASON_UNSPECIFIED, refund_minor=None)

    expected = {
        "same": [],
        "other": [ended, SessionBegan(session_id="s2", funds_minor=5, expires_in_ms=None)],
        "none": [ended],
    }
    assert happenings(orders)[1:] == expected[resumed]
    now = bench.machine.session
    assert (now.funds_minor if now is not None else None) == {"same": 400, "other": 5, "none": None}[resumed]


def test_service_and_planogram_follow_the_backend() -> None:
    """ServiceUpdate and PlanogramUpdate replace what was told before; the currency stays."""
    bench = Bench()
    bench.connect()
    bench.say(service_update=pb.ServiceUpdate(in_service=False, qr_payload="other", mode=pb.MODE_SELECTION_FIRST))
    bench.say(planogram_update=pb.PlanogramUpdate(planogram_version=8, columns=[pb.PlanogramColumn(column="C1", price_minor=1)]))
    service = bench.machine.service

    assert (service.in_service, service.qr_payload, service.mode, service.currency) == (False, "other", pb.MODE_SELECTION_FIRST, "HKD")
    assert (bench.machine.planogram_version, list(bench.machine.columns)) == (8, ["C1"])
    assert bench.machine.hello().hello.planogram_version == 8


# --- buttons ---------------------------------------------------------------------------------------------------------------------


def why_not(orders: list[Order]) -> NotNow | None:
    """Return why a button did nothing."""
    return next((each.reason for each in happenings(orders) if isinstance(each, TurnedAway)), None)


def test_a_choice_goes_out_with_the_price_that_was_seen() -> None:
    """VendRequest carries the column, its price and the version of the planogram."""
    bench = Bench()
    bench.connect()
    request = frames(bench.machine.select("A1", 0))[0].vend_request

    assert (request.request_id, request.column, request.price_minor, request.planogram_version) == ("b2-r1", "A1", 500, 7)


def test_a_button_that_cannot_work_asks_nobody() -> None:
    """Whatever stands against it is said on the screen."""
    bench = Bench()
    machine = bench.machine

    assert why_not(machine.select("A1", 0)) is NotNow.OFFLINE
    bench.connect(in_service=False)
    assert why_not(machine.select("A1", 0)) is NotNow.OUT_OF_SERVICE
    bench.say(service_update=pb.ServiceUpdate(in_service=True, mode=pb.MODE_AUTHORIZATION_FIRST))
    assert why_not(machine.select("A1", 0)) is NotNow.PAY_FIRST
    assert why_not(machine.select("Z9", 0)) is NotNow.NO_SUCH_COLUMN
    machine.door(is_open=True, now_ms=0)
    assert why_not(machine.select("A1", 0)) is NotNow.DOOR_OPEN
    machine.door(is_open=False, now_ms=0)
    assert machine.door(is_open=False, now_ms=0) == []
    bench.say(service_update=pb.ServiceUpdate(in_service=True, mode=pb.MODE_BOTH))
    machine.blocked.add("A1")
    assert why_not(machine.select("A1", 0)) is NotNow.COLUMN_BLOCKED
    machine.repaired("A1")
    assert why_not(machine.cancel(0)) is NotNow.NO_REQUEST
    assert why_not(machine.select("A1", 0)) is None
    assert why_not(machine.select("A1", 0)) is NotNow.BUSY
    assert kinds(machine.cancel(0)) == ["vend_cancel"]
    assert why_not(machine.cancel(0)) is NotNow.NO_REQUEST


def test_nobody_can_finish_in_the_middle_of_a_vend() -> None:
    """The rest is asked for after the result."""
    bench = Bench()
    bench.connect()
    bench.say(begin_session=pb.BeginSession(session_id="s1", funds_minor=900, expires_in_ms=1))
    bench.machine.select("A1", 0)

    assert why_not(bench.machine.complete(0)) is NotNow.BUSY


def test_a_machine_that_has_too_much_unsaid_takes_no_new_wish() -> None:
    """There must always be room for results."""
    bench = Bench()
    bench.connect()
    for _ in range(30):
        bench.machine.cash_sold("A1", 500, 0)
    assert why_not(bench.machine.select("A1", 0)) is NotNow.TOO_MUCH_UNSAID

    full = Bench(Memory([VendLine(vend_id=f"v{n}", boot_id="b2", stage=pb.JOURNAL_STAGE_MOTOR_ON) for n in range(TAIL_MAX)]))
    full.connect()
    assert why_not(full.machine.select("A1", 0)) is NotNow.TOO_MUCH_UNSAID


# --- vends -----------------------------------------------------------------------------------------------------------------------


def vend(bench: Bench, vend_id: str = "v1") -> list[Order]:
    """Choose and be approved."""
    request = frames(bench.machine.select("A1", bench.now_ms))[0].vend_request
    approved = pb.VendApproved(vend_id=vend_id, request_id=request.request_id, column="A1", amount_minor=500, valid_for_ms=30_000)
    return bench.say(vend_approved=approved)


@pytest.mark.parametrize(
    ("motor", "drop", "said", "blocked"),
    [
        (pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN, ["vend_success"], False),
        (pb.MOTOR_EVIDENCE_JAMMED, pb.DROP_EVIDENCE_NOT_SEEN, ["EJB", "vend_failure"], True),
        (pb.MOTOR_EVIDENCE_JAMMED, pb.DROP_EVIDENCE_SEEN, ["EJB", "vend_success"], True),
        (pb.MOTOR_EVIDENCE_NOT_RUN, pb.DROP_EVIDENCE_NOT_SEEN, ["ELB", "vend_failure"], True),
        (pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_NOT_SEEN, ["ELA", "vend_failure"], False),
    ],
)
def test_the_sensors_decide(motor: pb.MotorEvidence.ValueType, drop: pb.DropEvidence.ValueType, said: list[str], *, blocked: bool) -> None:
    """Result and fault follow from what was seen; a column that needs a person is taken out of use."""
    bench = Bench()
    bench.connect()
    assert any(isinstance(order, TurnMotor) for order in vend(bench))
    orders = bench.do(bench.machine.motor_stopped("v1", motor, drop, bench.now_ms))

    assert [frame.fault.code or frame.WhichOneof("payload") for frame in frames(orders)] == said
    assert [frame.seq for frame in frames(orders)] == list(range(3, 3 + len(said)))
    assert blocked == ("A1" in bench.machine.blocked)
    assert bench.do(bench.machine.motor_stopped("v1", motor, drop, bench.now_ms)) == []


def test_a_vend_under_way_is_in_the_tail_of_a_reconnection() -> None:
    """The backend sees how far it is, and hears the result when it is there."""
    bench = Bench()
    bench.connect()
    vend(bench)
    bench.machine.stream_lost()

    assert [(entry.vend_id, entry.stage) for entry in bench.machine.hello().hello.journal_tail] == [("v1", pb.JOURNAL_STAGE_MOTOR_ON)]
    orders = bench.do(bench.machine.motor_stopped("v1", pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN, 0))
    assert frames(orders) == []
    assert kinds(bench.connect(last_seq=2)) == ["vend_success"]
    assert [line.vend_id for line in bench.machine.vending.memory.tail] == ["v1"]
    bench.say(ack=3)
    assert bench.machine.vending.memory.tail == ()


def test_an_earlier_boots_vend_is_told_until_welcome() -> None:
    """Welcome settles what Hello told of earlier boots; the loss of an older journal too."""
    earlier = VendLine(vend_id="v1", boot_id="b1", stage=pb.JOURNAL_STAGE_ACCEPTED)
    bench = Bench(Memory([Booted(number=1, boot_id="b1", lost=True), earlier]))
    first, again = bench.machine.hello().hello, bench.machine.hello().hello

    assert first == again
    bench.connect()
    assert bench.machine.vending.memory.tail == ()
    assert not bench.machine.hello().hello.journal_lost


# --- moving ----------------------------------------------------------------------------------------------------------------------


def test_a_machine_moves_when_it_is_asked_to() -> None:
    """It opens a new stream within the first half of the time given."""
    bench = Bench()
    bench.connect()
    bench.say(move_request=pb.MoveRequest(not_before_ms=1_000, not_after_ms=5_000))
    at_ms = bench.machine.next_tick_at_ms

    assert at_ms is not None
    assert 2_000 <= at_ms <= 4_000
    assert bench.machine.tick(at_ms - 1) == []
    assert bench.machine.tick(at_ms) == [Reopen()]
    assert bench.machine.tick(at_ms) == []


def test_a_machine_never_moves_in_the_middle_of_a_vend() -> None:
    """The move waits for the result."""
    bench = Bench()
    bench.connect()
    vend(bench)
    bench.say(move_request=pb.MoveRequest(not_before_ms=0, not_after_ms=0))

    assert bench.machine.tick(2_000) == []
    bench.do(bench.machine.motor_stopped("v1", pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN, 2_000))
    assert bench.machine.tick(2_000) == [Reopen()]


def test_a_lost_stream_ends_the_wish_to_move() -> None:
    """The next stream is another one anyway."""
    bench = Bench()
    bench.connect()
    bench.say(move_request=pb.MoveRequest(not_before_ms=0, not_after_ms=0))
    bench.machine.stream_lost()

    assert bench.machine.tick(9_000) == []


def test_a_machine_gives_up_waiting_after_its_response_time() -> None:
    """A request without an answer is cancelled by the machine itself."""
    bench = Bench()
    bench.connect(heartbeat_interval_ms=0)
    bench.machine.select("A1", 1_000)

    assert bench.machine.next_tick_at_ms == 41_000
    assert kinds(bench.machine.tick(41_000)) == ["vend_cancel"]

"""The pure model of one boot: streams, numbers, moves."""

from gateway.simulator.commands import Command, Redial, Reopen, Restart
from gateway.simulator.connection import SILENT_BEATS_MAX, UNTOLD_ACKS_MAX
from gateway.simulator.happenings import Greeted, Scolded
from gateway.simulator.memory import TAIL_MAX, Booted, Memory, VendLine
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.bench import Bench, frames, happenings, kinds, scold, vend

# --- streams ---


def test_hello_says_who_and_what() -> None:
    """Identity, boot, capabilities, and a journal tail of all that is not settled."""
    tail = [
        VendLine(vend_id=f"v{number}", boot_id="b1", stage=pb.JOURNAL_STAGE_MOTOR_ON)
        for number in range(TAIL_MAX + 2)
    ]
    frame = Bench(Memory([Booted(number=1, boot_id="b1", lost=True), *tail])).machine.hello()
    hello = frame.hello

    assert (0, "VM-0001", "b2", 0, 0) == (
        frame.seq,
        hello.machine_id,
        hello.boot_id,
        hello.last_acked_seq,
        hello.planogram_version,
    )
    assert 40_000 == hello.capabilities.response_time_ms
    assert [entry.vend_id for entry in hello.journal_tail] == [
        f"v{number}" for number in range(TAIL_MAX)
    ]
    assert hello.journal_lost


def test_nothing_is_said_before_welcome() -> None:
    """The first numbered frame of a boot, ReaderEnable, leaves after Welcome."""
    bench = Bench()

    assert [] == bench.machine.door(is_open=True, now_ms=1)
    commands = bench.connect()
    assert ["reader_enable", "reader_disable"] == kinds(commands)
    assert [1, 2] == [frame.seq for frame in frames(commands)]
    assert [Greeted(boot_id="b2")] == happenings(commands)


def test_a_boot_with_an_open_door_says_so_first() -> None:
    """The backend takes a fresh boot for enabled; the machine tells otherwise."""
    assert ["reader_disable"] == kinds(Bench(door_open=True).connect())


def test_what_came_before_welcome_is_ignored() -> None:
    """A frame on a stream that was not welcomed has no meaning."""
    bench = Bench()

    assert [] == bench.say(begin_session=pb.BeginSession(session_id="s1", funds_minor=5))
    assert bench.machine.session is None


def test_what_was_not_saved_is_sent_again_in_order() -> None:
    """After a reconnection all above Welcome.last_seq is sent again with its old numbers, and
    nothing below.
    """
    bench = Bench()
    bench.connect()
    for _ in range(3):
        bench.machine.cash_sold("A1", 500, 0)
    bench.machine.connection.lost()
    bench.machine.cash_sold("A1", 500, 0)

    assert 0 == bench.machine.hello().hello.last_acked_seq
    commands = bench.connect(last_seq=2)
    assert [3, 4, 5] == [frame.seq for frame in frames(commands)]
    assert 2 == bench.machine.outbox.acked_seq
    assert 2 == bench.machine.hello().hello.last_acked_seq


def test_acknowledged_frames_are_forgotten() -> None:
    """An ack on any frame frees the outbox up to it."""
    bench = Bench()
    bench.connect()
    bench.machine.cash_sold("A1", 500, 0)
    bench.say(ack=2)

    assert 0 == len(bench.machine.outbox)


def test_what_waited_for_room_leaves_with_the_acknowledgement() -> None:
    """More than 32 frames: the rest leaves in order as soon as there is room."""
    bench = Bench()
    for _ in range(39):
        bench.machine.cash_sold("A1", 500, 0)

    assert list(range(1, 33)) == [frame.seq for frame in frames(bench.connect())]
    assert list(range(33, 38)) == [frame.seq for frame in frames(bench.say(ack=5))]


def test_a_number_that_was_never_used_restarts_the_firmware() -> None:
    """A backend that knows frames of this boot which were never sent has met this boot id before:
    only a new one heals that.
    """
    commands = Bench().connect(last_seq=9)

    assert [Restart] == [type(command) for command in commands]


def test_every_frame_carries_what_was_handled() -> None:
    """The ack of a machine's frame is the highest seq of the present stream."""
    bench = Bench()
    bench.connect()

    assert [2] == [frame.ack for frame in frames(bench.machine.cash_sold("A1", 500, 0))]
    bench.machine.connection.lost()
    assert [1] == [frame.ack for frame in frames(bench.connect(last_seq=1))]


def test_a_silent_machine_still_acknowledges() -> None:
    """After so many handled frames a heartbeat carries the ack."""
    bench = Bench()
    bench.connect()
    commands: list[Command] = []
    while not commands:
        commands = bench.say(service_update=pb.ServiceUpdate(in_service=True))

    assert ["heartbeat"] == kinds(commands)
    assert UNTOLD_ACKS_MAX + 1 == frames(commands)[0].ack
    assert 0 == frames(commands)[0].seq


def test_heartbeats_fill_the_silence() -> None:
    """A heartbeat leaves when nothing else was sent for the interval."""
    bench = Bench()
    bench.connect()

    assert 21_000 == bench.machine.next_tick_at_ms
    assert [] == bench.machine.tick(20_999)
    assert ["heartbeat"] == kinds(bench.machine.tick(21_000))
    assert 41_000 == bench.machine.next_tick_at_ms
    bench.machine.connection.lost()
    assert bench.machine.next_tick_at_ms is None


def test_a_stream_on_which_nothing_comes_is_given_up() -> None:
    """Heartbeats that nobody acknowledges mean a dead stream."""
    bench = Bench()
    bench.connect()
    dead_at_ms = 1_000 + SILENT_BEATS_MAX * 20_000

    assert [Redial] == [type(command) for command in bench.machine.tick(dead_at_ms)]


def test_an_unknown_payload_is_handled_as_an_acknowledgement() -> None:
    """A newer backend may say things that this firmware does not know."""
    bench = Bench()
    bench.connect()

    assert [] == bench.say(ack=1)
    assert 0 == len(bench.machine.outbox)


# --- refused frames ---


def test_a_left_out_number_is_sent_again_once() -> None:
    """OUT_OF_ORDER: all from expected_seq again; complaints about frames that were on their way are
    not answered twice.
    """
    bench = Bench()
    bench.connect()
    for _ in range(3):
        bench.machine.cash_sold("A1", 500, 0)
    code = pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER

    commands = scold(bench, code, 3, 2)
    assert [Scolded(code=code, detail="why")] == happenings(commands)
    assert [2, 3, 4] == [frame.seq for frame in frames(commands)]
    assert [] == frames(scold(bench, code, 4, 2))
    bench.machine.cash_sold("A1", 500, 0)
    assert [2, 3, 4, 5] == [frame.seq for frame in frames(scold(bench, code, 5, 2))]


def test_a_wish_for_what_was_acknowledged_restarts_the_firmware() -> None:
    """A backend that lost what it had acknowledged cannot be helped within this boot."""
    bench = Bench()
    bench.connect()
    bench.say(ack=1)

    assert any(
        isinstance(command, Restart)
        for command in scold(bench, pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER, 2, 1)
    )


def test_a_frame_that_cannot_be_read_gives_its_number_away() -> None:
    """BAD_FIELD with the number still free: the frame is put aside, the customer is told, the next
    one moves up.
    """
    bench = Bench()
    bench.connect()
    bench.do(bench.machine.select("A1", 0))
    bench.machine.cash_sold("A1", 500, 0)

    commands = scold(bench, pb.PROTOCOL_ERROR_CODE_BAD_FIELD, 2, 2)
    assert [(2, "cash_sale")] == [
        (frame.seq, frame.WhichOneof("payload")) for frame in frames(commands)
    ]
    assert not bench.machine.vending.busy
    assert [] == frames(scold(bench, pb.PROTOCOL_ERROR_CODE_BAD_FIELD, 9, 9))


def test_a_frame_out_of_sequence_has_used_its_number() -> None:
    """OUT_OF_SEQUENCE with the next number expected: nothing is sent again."""
    bench = Bench()
    bench.connect()
    bench.do(bench.machine.select("A1", 0))

    assert [] == frames(scold(bench, pb.PROTOCOL_ERROR_CODE_OUT_OF_SEQUENCE, 2, 3))
    assert not bench.machine.vending.busy
    assert 2 == len(bench.machine.outbox)


# --- moving ---


def test_a_machine_moves_when_it_is_asked_to() -> None:
    """It opens a new stream within the first half of the time given."""
    bench = Bench()
    bench.connect()
    bench.say(move_request=pb.MoveRequest(not_before_ms=1_000, not_after_ms=5_000))
    at_ms = bench.machine.next_tick_at_ms

    assert at_ms is not None
    assert 2_000 <= at_ms <= 4_000
    assert [] == bench.machine.tick(at_ms - 1)
    assert [Reopen()] == bench.machine.tick(at_ms)
    assert [] == bench.machine.tick(at_ms)


def test_a_machine_never_moves_in_the_middle_of_a_vend() -> None:
    """The move waits for the result."""
    bench = Bench()
    bench.connect()
    vend(bench)
    bench.say(move_request=pb.MoveRequest(not_before_ms=0, not_after_ms=0))

    assert [] == bench.machine.tick(2_000)
    bench.do(bench.machine.motor_stopped("v1", pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN, 2_000))
    assert [Reopen()] == bench.machine.tick(2_000)


def test_a_lost_stream_ends_the_wish_to_move() -> None:
    """The next stream is another one anyway."""
    bench = Bench()
    bench.connect()
    bench.say(move_request=pb.MoveRequest(not_before_ms=0, not_after_ms=0))
    bench.machine.connection.lost()

    assert [] == bench.machine.tick(9_000)


def test_a_machine_gives_up_waiting_after_its_response_time() -> None:
    """A request without an answer is cancelled by the machine itself."""
    bench = Bench()
    bench.connect(heartbeat_interval_ms=0)
    bench.machine.select("A1", 1_000)

    assert 41_000 == bench.machine.next_tick_at_ms
    assert ["vend_cancel"] == kinds(bench.machine.tick(41_000))

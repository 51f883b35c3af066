"""A machine's talk with the backend: numbers, acknowledgements, heartbeats, moves."""

from random import Random

from gateway.simulator.commands import Command, Redial, Reopen, Restart
from gateway.simulator.connection import SILENT_BEATS_MAX, UNTOLD_ACKS_MAX, Connection
from gateway.simulator.frames import heartbeat
from gateway.simulator.happenings import Scolded
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.simulator.bench import Bench, frames, happenings, kinds, scold, vend


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
    """After a bounded number of handled frames a heartbeat carries the ack."""
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


def test_without_a_stream_nothing_is_due_and_nothing_leaves() -> None:
    """What is said before the first stream waits in the outbox, and no timer runs."""
    connection = Connection(boot_id="b1", rng=Random(1))

    assert [] == connection.say(heartbeat(), 5)
    assert 1 == len(connection.outbox)
    assert [] == connection.tick(10**9, busy=False)
    assert connection.next_tick_at_ms(busy=False) is None


def test_the_backend_may_guide_the_back_off() -> None:
    """What Welcome says of reconnecting stands until another Welcome says something else."""
    connection = Connection(boot_id="b1", rng=Random(1))
    guidance = pb.Welcome(reconnect=pb.ReconnectGuidance(initial_ms=7, max_ms=70))

    assert () == connection.welcomed(service_pb.ConnectResponse(seq=1, welcome=guidance), 0)
    connection.lost()
    connection.welcomed(service_pb.ConnectResponse(seq=1, welcome=pb.Welcome()), 0)

    assert (7, 70) == connection.reconnect


def test_the_earliest_of_all_timers_counts() -> None:
    """A move, a heartbeat and the end of patience each have their time; a busy machine does not
    move.
    """
    connection = Connection(boot_id="b1", rng=Random(1))
    welcome = pb.Welcome(heartbeat_interval_ms=100)
    connection.welcomed(service_pb.ConnectResponse(seq=1, welcome=welcome), 1_000)
    connection.send([heartbeat()], 1_050)
    connection.asked_to_move(pb.MoveRequest(not_before_ms=20, not_after_ms=20), 1_050)

    assert 1_070 == connection.next_tick_at_ms(busy=False)
    assert 1_150 == connection.next_tick_at_ms(busy=True)

"""The pure model of one boot: streams, numbers, moves."""

from gateway.simulator.happenings import Greeted
from gateway.simulator.memory import TAIL_MAX, Booted, Memory, VendLine
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.bench import Bench, frames, happenings, kinds, scold

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


def test_an_unknown_payload_is_handled_as_an_acknowledgement() -> None:
    """A newer backend may say things that this firmware does not know."""
    bench = Bench()
    bench.connect()

    assert [] == bench.say(ack=1)
    assert 0 == len(bench.machine.outbox)


# --- refused frames ---


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


def test_a_refusal_may_acknowledge_its_frame() -> None:
    """The gateway's complaint bears the ack of the request that it refuses: the customer is told at
    once all the same.
    """
    bench = Bench()
    bench.connect()
    bench.do(bench.machine.select("A1", 0))

    code = pb.PROTOCOL_ERROR_CODE_BAD_FIELD
    bench.say(ack=2, protocol_error=pb.ProtocolError(code=code, seq=2, expected_seq=3))
    assert not bench.machine.vending.busy
    assert 0 == len(bench.machine.outbox)


# --- moving ---


def test_a_machine_gives_up_waiting_after_its_response_time() -> None:
    """A request without an answer is cancelled by the machine itself."""
    bench = Bench()
    bench.connect(heartbeat_interval_ms=0)
    bench.machine.select("A1", 1_000)

    assert 41_000 == bench.machine.next_tick_at_ms
    assert ["vend_cancel"] == kinds(bench.machine.tick(41_000))

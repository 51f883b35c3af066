"""What a machine has said and nobody has acknowledged."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.outbox import UNACKED_MAX, WAITING_MAX, Frame, MachineOutbox
from gateway.v1 import machine_pb2 as pb


def frame(detail: str = "") -> Frame:
    """Make a frame without a number."""
    return Frame(fault=pb.Fault(code="EJB", detail=detail))


def test_frames_count_from_one() -> None:
    """Each frame gets the next number, and may be sent at once."""
    outbox = MachineOutbox()

    assert [1, 2, 3] == [outbox.put(frame())[0].seq for _ in range(3)]
    assert 3 == outbox.last_seq


def test_at_most_32_are_unacknowledged() -> None:
    """The 33rd frame waits without a number until an acknowledgement makes room."""
    outbox = MachineOutbox()
    for _ in range(UNACKED_MAX):
        outbox.put(frame())

    assert () == outbox.put(frame("33"))
    done, more = outbox.acknowledge(2)

    assert [1, 2] == [each.seq for each in done]
    assert [(33, "33")] == [(each.seq, each.fault.detail) for each in more]


def test_a_full_waiting_room_is_counted() -> None:
    """What finds no room at all is counted, not silently gone."""
    outbox = MachineOutbox()
    for _ in range(UNACKED_MAX + WAITING_MAX + 5):
        outbox.put(frame())

    assert 5 == outbox.overflowed
    assert UNACKED_MAX + WAITING_MAX == len(outbox)


def test_an_acknowledgement_of_what_was_never_sent_is_ignored() -> None:
    """Only numbers that were given can be acknowledged."""
    outbox = MachineOutbox()
    outbox.put(frame())

    outbox.acknowledge(99)

    assert 1 == outbox.acked_seq


def test_what_was_acknowledged_cannot_be_resent() -> None:
    """A demand for a forgotten frame is answered with None: the boot is beyond repair."""
    outbox = MachineOutbox()
    for _ in range(3):
        outbox.put(frame())
    outbox.acknowledge(2)

    assert outbox.from_seq(2) is None
    resent = outbox.from_seq(3)
    assert resent is not None
    assert [3] == [each.seq for each in resent]


def test_a_refused_frame_gives_its_number_to_the_next() -> None:
    """A frame whose number was not used up is removed; those behind it move up, so that no gap
    remains.
    """
    outbox = MachineOutbox()
    for detail in ("good", "bad", "next"):
        outbox.put(frame(detail))

    refused = outbox.take_back(2)

    assert refused is not None
    assert "bad" == refused.fault.detail
    assert [(1, "good"), (2, "next")] == [(each.seq, each.fault.detail) for each in outbox.unacked]
    assert 2 == outbox.last_seq
    assert outbox.take_back(7) is None


@given(st.lists(st.one_of(st.none(), st.integers(0, 400)), max_size=300))
def test_every_frame_is_kept_until_it_is_acknowledged(steps: list[int | None]) -> None:
    """Whatever is put and acknowledged in whatever command: numbers have no gap and nothing
    unacknowledged is lost.
    """
    outbox = MachineOutbox()
    put = 0
    for step in steps:
        if step is None:
            outbox.put(frame(str(put)))
            put += 1
        else:
            outbox.acknowledge(step)
        unacked = outbox.unacked
        assert list(range(outbox.acked_seq + 1, outbox.last_seq + 1)) == [
            each.seq for each in unacked
        ]
        assert [str(each.seq - 1) for each in unacked] == [each.fault.detail for each in unacked]
        assert len(unacked) <= UNACKED_MAX
        assert put == outbox.acked_seq + len(outbox) + outbox.overflowed

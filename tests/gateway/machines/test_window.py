"""The frames of one stream that wait for their acknowledgement."""

from actors.machine import effects, events
from actors.machine.ids import RequestId, StreamId
from gateway.machines.window import REMARKED_MAX, Window


def cash(column: str) -> events.CashSold:
    return events.CashSold(column=column, price_minor=1)


def columns(window: Window) -> list[str]:
    """What waits, in order."""
    return [
        frame.fact.column for frame in window.frames() if isinstance(frame.fact, events.CashSold)
    ]


def test_the_same_frame_waits_once() -> None:
    """Sent again before its acknowledgement, it is no news, unless no answer is to come."""
    window = Window(StreamId("g-1"))
    assert None is not window.take(1, cash("A1"), answers_come=True)
    assert None is window.take(1, cash("A1"), answers_come=True)
    assert None is not window.take(1, cash("A1"), answers_come=False)
    assert ["A1"] == columns(window)


def test_other_content_under_a_waiting_number_is_the_cores_to_judge() -> None:
    """It goes to the core, and what was sent first is what a new link repeats."""
    window = Window(StreamId("g-1"))
    window.take(1, cash("A1"), answers_come=True)
    other = window.take(1, cash("A2"), answers_come=True)
    assert other is not None
    assert cash("A2") == other.fact
    assert ["A1"] == columns(window)


def test_frames_behind_a_gap_go() -> None:
    """All behind it will come again, perhaps under other numbers: what was first sent under them is
    neither repeated nor taken for what comes.
    """
    window = Window(StreamId("g-1"))
    for seq in (1, 3, 4):
        window.take(seq, cash(f"old{seq}"), answers_come=True)
    window.refused(
        effects.RejectFrame(
            code=effects.RejectCode.OUT_OF_ORDER, seq=3, expected_seq=2, detail="2 first"
        )
    )
    assert (["old1"], 1) == (columns(window), window.forwarded)
    for seq in (2, 3, 4):
        assert None is not window.take(seq, cash(f"new{seq}"), answers_come=True)
    assert ["old1", "new2", "new3", "new4"] == columns(window)


def test_a_frame_that_was_refused_for_good_goes_alone() -> None:
    """What is behind it keeps its number."""
    window = Window(StreamId("g-1"))
    for seq in (1, 2):
        window.take(seq, cash(f"A{seq}"), answers_come=True)
    window.refused(
        effects.RejectFrame(
            code=effects.RejectCode.BAD_FIELD, seq=1, expected_seq=2, detail="column: no"
        )
    )
    assert (["A2"], 2, 1) == (columns(window), window.forwarded, len(window))


def test_acknowledged_frames_go() -> None:
    """Up to the number, and a request for goods is known while it waits."""
    window = Window(StreamId("g-1"))
    wish = events.VendRequested(
        request_id=RequestId("r1"), column="A1", price_minor=1, planogram_version=1
    )
    window.take(1, wish, answers_come=True)
    window.take(2, cash("A1"), answers_come=True)
    assert window.asks_for_goods()
    window.acknowledged(1)
    assert not window.asks_for_goods()
    assert [2] == [frame.seq for frame in window.frames()]


def test_a_new_thing_is_remarked_once_and_not_without_end() -> None:
    """Firmware that says something new says it in every frame; the journal needs it once."""
    window = Window(StreamId("g-1"))
    told = [window.take(seq, cash("A1"), ("field 9",), answers_come=True) for seq in (1, 2)]
    assert [("field 9",), ()] == [frame.remarks for frame in told if frame is not None]
    for seq in range(3, 3 + 2 * REMARKED_MAX):
        window.take(seq, cash("A1"), (f"field {seq}",), answers_come=True)
    assert REMARKED_MAX == sum(len(frame.remarks) for frame in window.frames())

"""One turn of the core: first the deadlines that have come, then the event, then the standing
rules.
"""

import importlib

import pytest

from actors.machine import decide, events
from actors.machine.ids import SessionId
from actors.machine.policy import Policy
from actors.machine.state import RefundCause
from tests.support.story import Story


def test_nothing_that_happened_leaves_the_state_as_it_is() -> None:
    """No version is used up, nothing is saved."""
    story = Story()
    story.connect()
    before = story.state
    quiet = story.do(events.TimePassed())

    assert (False, before) == (quiet.changed, quiet.state)


def test_deadlines_come_before_the_event_that_arrives_with_them() -> None:
    """A payment that arrives in the moment in which the wait ends is late, whoever was quicker."""
    story = Story()
    story.connect()
    story.select()
    story.now_ms += Policy().payment_wait_ms
    story.pay(500)

    assert [RefundCause.LATE_PAYMENT] == [refund.cause for refund in story.state.refunds]
    assert story.state.session is None


def test_the_same_input_gives_the_same_decision() -> None:
    """The core has no clock, no chance and no memory of its own."""
    story = Story()
    story.connect()
    story.pay(500)
    paid = events.FrameReceived(
        stream_id=story.stream,
        seq=1,
        fact=events.SessionCompleted(session_id=SessionId("VM-1-s1")),
    )

    assert decide(story.state, paid, story.now_ms, story.policy) == decide(
        story.state, paid, story.now_ms, story.policy
    )


def test_the_end_of_a_session_that_is_over_is_noted() -> None:
    """The machine may be late; its customer has the money already."""
    story = Story()
    story.connect()
    story.pay(500)
    story.complete()
    again = story.frame(events.SessionCompleted(session_id=SessionId("VM-1-s1")))

    assert ("session VM-1-s1 is over already",) == again.notes
    assert () == again.effects


def test_deadlines_that_do_not_come_to_rest_are_a_fault_and_not_a_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule that leaves its own deadline behind would hold the whole host for ever."""
    story = Story()
    story.connect()
    module = importlib.import_module("actors.machine.decide")
    monkeypatch.setattr(module, "next_deadline", lambda *_: story.now_ms)

    with pytest.raises(AssertionError, match="deadlines of VM-1 do not come to rest"):
        story.do(events.TimePassed())

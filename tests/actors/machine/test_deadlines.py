"""When the core wants to be asked again: at the earliest time at which something would change."""

from actors.machine import decide, events, next_deadline
from actors.machine.ids import RefundId
from actors.machine.policy import Policy
from tests.support.story import START_MS, Story

POLICY = Policy()


def test_a_machine_at_rest_is_never_asked() -> None:
    """Nothing of it can change by itself."""
    story = Story()
    story.connect()

    assert next_deadline(story.state, POLICY) is None


def test_the_earliest_of_all_waits_counts() -> None:
    """The customer's idle time, the vend's, the refund's next try: each as it begins and ends."""
    story = Story()
    story.connect()
    story.pay(1_000)
    assert START_MS + POLICY.idle_refund_ms == next_deadline(story.state, POLICY)
    story.select()
    assert START_MS + POLICY.vend_result_ms == next_deadline(story.state, POLICY)
    story.success()
    story.complete()
    assert next_deadline(story.state, POLICY) is None  # the refund is under way
    story.do(events.RefundUnknown(refund_id=RefundId("t1R1_500"), detail="time-out"))

    assert START_MS + POLICY.refund_retry_ms[0] == next_deadline(story.state, POLICY)


def test_a_deadline_is_the_first_moment_at_which_time_changes_something() -> None:
    """A millisecond before, nothing at all comes of it."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    story.disconnect()
    while (deadline := next_deadline(story.state, POLICY)) is not None:
        early = decide(story.state, events.TimePassed(), deadline - 1, POLICY)
        assert not early.changed
        story.now_ms = deadline
        assert story.do(events.TimePassed()).changed

    assert deadline is None
    assert {"paid": 1_000, "due": 1_000} == {name: story.money()[name] for name in ("paid", "due")}

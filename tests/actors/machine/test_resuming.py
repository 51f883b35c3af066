"""A host that listens again gives every vend the time to be reported, and makes no wait longer than
its own span.
"""

import dataclasses

from actors.machine import events, next_deadline
from actors.machine.ids import RefundId
from actors.machine.policy import Policy
from actors.machine.resuming import resumed
from actors.machine.state import FailureCause, Mode, VendStatus
from actors.machine.values import replace
from tests.support.story import Story, a_machine

POLICY = Policy()
HOUR_MS = 3_600_000
STEP_MS = 15 * 60_000
RESUMED = events.Resumed(reason="the database is back")


def approved() -> Story:
    """A customer paid 10.00 and chose something for 5.00; the machine may dispense."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    return story


def test_a_vend_is_not_voided_before_its_machine_had_time_to_speak() -> None:
    """SQL was away for 13 minutes, or the clock stepped by 15; then the machine reports."""
    story = approved()
    story.now_ms += STEP_MS
    story.do(RESUMED)
    story.wait(POLICY.report_wait_ms - 1)
    story.success()

    assert [VendStatus.SUCCEEDED] == [vend.status for vend in story.state.settled_vends]


def test_a_doubt_that_outlived_its_session_has_the_same_time() -> None:
    """It is kept beside the session, and the machine that comes back tells what became of it."""
    story = approved()
    vend_id = story.vend_id
    story.disconnect()
    story.wait(POLICY.unavailable_grace_ms)
    assert story.state.session is None
    story.now_ms += HOUR_MS
    story.do(RESUMED)
    story.wait(POLICY.report_wait_ms - 1)
    delivered = events.JournalEntry(vend_id=vend_id, stage=events.JournalStage.SUCCEEDED)
    story.connect("b2", delivered)

    assert [VendStatus.SUCCEEDED] == [vend.status for vend in story.state.settled_vends]


def test_a_machine_that_reconnects_after_the_outage_is_heard_out() -> None:
    """The waits count from when the host listens again: the vend, trusted again, is not at once
    over because it was asked for half an hour ago.
    """
    story = approved()
    story.now_ms += HOUR_MS
    story.do(RESUMED)
    story.disconnect()
    story.wait(1_000)
    story.connect()
    story.wait(60_000)
    story.success()

    assert [VendStatus.SUCCEEDED] == [vend.status for vend in story.state.settled_vends]


def test_a_machine_that_never_comes_back_ends_within_the_bound() -> None:
    """The floor is a floor; behind it the doubt ends as before."""
    story = approved()
    story.disconnect()
    story.now_ms += HOUR_MS
    story.do(RESUMED)
    story.wait(POLICY.report_wait_ms)

    assert [(VendStatus.VOIDED, FailureCause.UNSETTLED)] == [
        (vend.status, vend.reason) for vend in story.state.settled_vends
    ]
    assert {"due": 1_000, "held": 0} == {name: story.money()[name] for name in ("due", "held")}


def test_a_wait_that_began_under_a_clock_ahead_is_no_longer_than_its_span() -> None:
    """The clock was an hour ahead, and the host was started again under a true one: 25 seconds are
    over after 25 seconds.
    """
    story = Story()
    story.now_ms += HOUR_MS
    story.connect()
    story.select()
    story.now_ms -= HOUR_MS
    story.do(RESUMED)
    story.wait(POLICY.payment_wait_ms)

    assert story.state.session is None
    assert [VendStatus.DENIED] == [vend.status for vend in story.state.settled_vends]


def test_no_other_wait_is_longer_than_its_span() -> None:
    """The customer's idle time, a refund's next try, the watch for late money, the code's."""
    story = Story()
    story.now_ms += HOUR_MS
    story.connect()
    story.pay(1_000)
    story.pay(500, "bob")
    story.do(events.RefundUnknown(refund_id=RefundId("t2R1_500"), detail="time-out"))
    far_ms = story.now_ms + 2 * max(POLICY.code_again_ms)
    code = replace(
        story.state.code, next_attempt_at_ms=story.now_ms + 5_000, again_at_ms=far_ms, agains=1
    )
    story.state = replace(
        story.state,
        code=code,
        late_watch_until_ms=story.now_ms + POLICY.late_watch_ms,
        session_ended_at_ms=story.now_ms,
    )
    now_ms = story.now_ms - HOUR_MS
    after = resumed(story.state, now_ms, POLICY)

    assert after.session is not None
    assert now_ms == after.session.last_operation_at_ms
    assert after.refunds[0].next_attempt_at_ms is not None
    assert after.refunds[0].next_attempt_at_ms <= now_ms + POLICY.short_of_funds_retry_ms
    assert now_ms + POLICY.late_watch_ms == after.late_watch_until_ms
    assert now_ms == after.session_ended_at_ms
    assert now_ms + max(POLICY.code_retry_ms) == after.code.next_attempt_at_ms
    assert now_ms + max(POLICY.code_again_ms) == after.code.again_at_ms


def test_where_nothing_is_due_nothing_changes() -> None:
    """A host that starts again in the middle of a day's work writes nothing for it."""
    story = approved()
    before = story.state

    assert before == resumed(
        before, story.now_ms + 1, dataclasses.replace(POLICY, report_wait_ms=1_000)
    )
    story.success()
    story.complete()
    assert not story.do(RESUMED).changed
    assert next_deadline(story.state, POLICY) is None


def test_a_database_that_is_slow_for_days_holds_no_money_for_days() -> None:
    """A vend's end is put off by a bounded time; then it ends like any other."""
    story = approved()
    story.disconnect()
    for _ in range(24 * 60):
        story.now_ms += 60_000
        story.do(events.Resumed(reason="the database was slow"))

    assert [VendStatus.VOIDED] == [vend.status for vend in story.state.settled_vends]
    assert 0 == story.money()["held"]


def test_hosts_that_start_every_few_seconds_leave_a_machine_its_time() -> None:
    """Each start takes of that time what the vend gains by it, and no more: after two dozen of them
    within two minutes the machine still has its two minutes.
    """
    story = approved()
    vend_id = story.vend_id
    story.disconnect()
    story.now_ms += HOUR_MS
    for _ in range(24):
        story.now_ms += 5_000
        story.do(events.Resumed(reason="the host started"))
    story.wait(POLICY.report_wait_ms - 1)
    delivered = events.JournalEntry(vend_id=vend_id, stage=events.JournalStage.SUCCEEDED)
    story.connect("b2", delivered)

    assert [VendStatus.SUCCEEDED] == [vend.status for vend in story.state.settled_vends]


def test_a_session_without_a_vend_waits_no_longer_than_its_span() -> None:
    """The clock stood ahead at the last operation, and was set back meanwhile."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.now_ms -= STEP_MS
    story.do(RESUMED)
    assert story.state.session is not None
    assert story.now_ms == story.state.session.last_operation_at_ms


def test_a_refund_is_tried_again_within_the_longest_wait() -> None:
    """Its next try was set by a clock that stood a day ahead."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.pay(300, "bob")
    (refund,) = story.state.refunds
    story.do(events.RefundUnknown(refund_id=refund.refund_id, detail="no answer"))
    story.now_ms -= 24 * HOUR_MS
    story.do(RESUMED)
    (refund,) = story.state.refunds
    assert refund.next_attempt_at_ms is not None
    longest_ms = max(*POLICY.refund_retry_ms, POLICY.short_of_funds_retry_ms)
    assert story.now_ms + longest_ms == refund.next_attempt_at_ms


def ahead_by_an_hour(mode: Mode = Mode.BOTH) -> Story:
    """A machine whose host has a clock that is an hour ahead."""
    story = Story(a_machine(mode))
    story.connect()
    story.now_ms += HOUR_MS
    return story


def under_a_true_clock(story: Story) -> None:
    """The host is started again, where the clock is right, and two seconds pass."""
    story.now_ms -= HOUR_MS
    story.do(RESUMED)
    story.now_ms += 2_000


def test_who_chose_under_a_clock_ahead_may_pay_under_a_true_one() -> None:
    """Their money was not paid before the choice, whatever the first clock said of it."""
    story = ahead_by_an_hour(Mode.SELECTION_FIRST)
    story.select()
    under_a_true_clock(story)
    story.pay(500)

    assert story.state.session is not None
    assert story.state.session.vend is not None
    assert VendStatus.APPROVED is story.state.session.vend.status


def test_a_next_customer_whose_choice_was_denied_under_a_clock_ahead_may_come_in() -> None:
    """Their payment comes in the time for it, counted from when the host listens again."""
    story = ahead_by_an_hour()
    story.pay(100, "ann")
    story.select()
    under_a_true_clock(story)
    story.pay(500, "bob")

    assert story.state.session is not None
    assert "bob" == story.state.session.payer_id


def test_a_stranger_who_came_under_a_clock_ahead_turns_no_later_money_away() -> None:
    """Power was cut and nobody saw it, so firmware without tokens came back as a stranger: what is
    paid in front of it since then is paid to it.
    """
    story = ahead_by_an_hour()
    story.connect("b2")
    assert story.state.link.strangers_at_ms
    under_a_true_clock(story)
    story.wait(story.policy.clock_tolerance_ms + 1)
    story.pay(500)

    assert story.state.session is not None
    assert () == story.state.refunds


def test_money_that_came_under_a_clock_ahead_keeps_nobody_longer() -> None:
    """Who chooses what they cannot pay stays for two idle times after their last payment."""
    story = ahead_by_an_hour()
    story.pay(100)
    under_a_true_clock(story)
    for _ in range(2 * POLICY.idle_refund_ms // 200_000):
        story.wait(200_000)
        if story.state.session is not None:
            story.select()

    assert story.state.session is None

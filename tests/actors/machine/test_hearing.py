"""What tells how a vend ended counts before that vend's own deadline, however late it is heard; a
payment is late by its deadline as ever.
"""

import pytest

from actors.machine import decide, events
from actors.machine.hearing import overdue, settles
from actors.machine.ids import StreamId, VendId
from actors.machine.incident import FaultReported
from actors.machine.policy import Policy
from actors.machine.state import FailureCause, RefundCause, VendStatus
from tests.support.story import Story

OUTAGE_MS = 13 * 60_000
LATER_MS = 60 * 60_000


def approved() -> Story:
    """A customer paid 10.00 and chose something for 5.00; the machine may dispense."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    return story


def ended_as(story: Story) -> tuple[VendStatus, str]:
    """How the only vend ended."""
    (vend,) = story.state.settled_vends
    return vend.status, vend.reason


@pytest.mark.parametrize("later_ms", [OUTAGE_MS, LATER_MS])
def test_a_result_that_waited_for_the_database_sells(later_ms: int) -> None:
    """VendSuccess stood in the mailbox while nothing could be saved for 13 minutes, or an hour."""
    story = approved()
    story.now_ms += later_ms
    story.success()

    assert (VendStatus.SUCCEEDED, "") == ended_as(story)
    assert 500 == story.money()["sold"]


def test_a_failure_that_comes_late_is_a_failure() -> None:
    """The money goes back because the machine says so, not because nobody said anything."""
    story = approved()
    story.now_ms += LATER_MS
    story.failure()

    assert (VendStatus.FAILED, FailureCause.JAMMED) == ended_as(story)


def test_a_line_of_the_journal_that_comes_late_sells() -> None:
    """The power was cut, and the machine came back in the moment in which the doubt was over."""
    story = approved()
    vend_id = story.vend_id
    story.disconnect()
    story.now_ms += LATER_MS
    delivered = events.JournalEntry(vend_id=vend_id, stage=events.JournalStage.SUCCEEDED)
    story.connect("b2", delivered)

    assert (VendStatus.SUCCEEDED, "") == ended_as(story)


def test_a_person_who_settles_a_doubt_late_settles_it() -> None:
    """What a person found out counts before the end of the doubt."""
    story = approved()
    vend_id = story.vend_id
    story.disconnect()
    story.now_ms += LATER_MS
    story.do(events.VendSettled(vend_id=vend_id, delivered=True, actor="eve", reason="looked"))

    assert (VendStatus.SUCCEEDED, "") == ended_as(story)


def test_a_machine_that_cancels_late_did_not_dispense() -> None:
    """It is a fact about the vend as its result is."""
    story = approved()
    story.now_ms += LATER_MS
    story.cancel()

    assert (VendStatus.FAILED, FailureCause.NOT_WAITING) == ended_as(story)


def test_a_payment_is_late_by_its_deadline_as_ever() -> None:
    """The rule is for what settles a vend; who pays after the wait gets the money back."""
    story = Story()
    story.connect()
    story.select()
    story.now_ms += story.policy.payment_wait_ms
    story.pay(500)

    assert [RefundCause.LATE_PAYMENT] == [refund.cause for refund in story.state.refunds]


def test_what_settles_nothing_after_all_leaves_the_vend_to_its_deadline() -> None:
    """A result on a stream that is not the machine's is no evidence."""
    story = approved()
    vend_id = story.vend_id
    story.now_ms += LATER_MS
    story.do(
        events.FrameReceived(
            stream_id=StreamId("another"), seq=9, fact=events.VendSucceeded(vend_id=vend_id)
        )
    )

    assert (VendStatus.VOIDED, FailureCause.UNSETTLED) == ended_as(story)


def test_the_result_in_the_next_letter_is_waited_for() -> None:
    """Whatever is decided before it, the vend that was heard of is not voided meanwhile."""
    story = approved()
    vend_id = story.vend_id
    story.now_ms += LATER_MS
    fault = events.FrameReceived(stream_id=story.stream, seq=2, fact=FaultReported(code="EJM"))
    heard = frozenset({vend_id})
    kept = decide(story.state, fault, story.now_ms, story.policy, heard)
    voided = decide(story.state, fault, story.now_ms, story.policy)

    assert [VendStatus.IN_DOUBT] == [vend.status for vend in kept.state.doubts]
    assert [VendStatus.VOIDED] == [vend.status for vend in voided.state.settled_vends]


def test_a_machine_that_is_back_is_heard_out_once() -> None:
    """It connects in the last moment of all waits, and has time to send its result; connecting
    again does not prolong that.
    """
    story = approved()
    story.disconnect()
    story.wait(story.policy.doubt_window_ms - 1)
    story.connect(lost=True)
    ends_at_ms = story.now_ms + story.policy.report_wait_ms
    for _ in range(40):
        story.wait(10_000)
        story.disconnect()
        story.connect(lost=True)

    bound_ms = sum(
        (
            story.policy.payment_wait_ms,
            story.policy.vend_result_ms,
            story.policy.doubt_window_ms,
            story.policy.report_wait_ms,
        )
    )
    assert ends_at_ms < story.now_ms
    assert (VendStatus.VOIDED, FailureCause.UNSETTLED) == ended_as(story)
    assert (story.state.settled_vends[0].ended_at_ms or 0) <= bound_ms + (
        story.state.settled_vends[0].requested_at_ms
    )


def test_which_facts_settle_which_vends() -> None:
    """A Hello may settle all that is open; other facts name their vend, or none."""
    story = approved()
    vend_id = story.vend_id

    assert frozenset({vend_id}) == settles(
        story.state,
        events.Connected(stream_id=StreamId("n"), opened_at_ms=1, boot_id=story.boot),
    )
    assert frozenset({VendId("v9")}) == settles(
        story.state,
        events.VendSettled(vend_id=VendId("v9"), delivered=True, actor="eve", reason="looked"),
    )
    assert frozenset() == settles(story.state, events.TimePassed())
    assert not overdue(story.state, story.now_ms)
    assert overdue(story.state, story.now_ms + story.policy.vend_result_ms)


def test_a_vend_in_doubt_whose_customer_is_still_there_is_heard_out() -> None:
    """The machine came back from a power cut without its journal, just before the doubt ends: it
    may still say something, and its customer keeps the session meanwhile.
    """
    story = Story(policy=Policy(unavailable_grace_ms=900_000, idle_refund_ms=900_000))
    story.connect()
    story.pay(1_000)
    story.select()
    story.disconnect()
    story.wait(story.policy.doubt_window_ms - 1_000)
    story.connect("b2", lost=True)
    assert story.state.session is not None
    assert story.state.session.vend is not None
    assert VendStatus.IN_DOUBT is story.state.session.vend.status
    assert story.state.session.vend.deadline_at_ms > story.now_ms + 1_000

"""What the seeded world found (tests/simulation), told by hand so that it stays mended."""

import pytest

from actors.machine import events
from actors.machine.ids import RequestId, VendId
from actors.machine.policy import Policy
from actors.machine.state import VendStatus
from tests.support.story import Story


def test_a_machine_that_may_forget_a_vend_does_not_decide_it_by_silence() -> None:
    """A vend in review waits for its person, although the machine was told that its journal is
    saved and says no more of it.
    """
    story = Story(policy=Policy(doubt_review_above_minor=100))
    story.connect()
    story.pay(1_000)
    story.select()
    story.disconnect()
    story.connect(
        "b2", events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.MOTOR_ON)
    )
    story.disconnect()

    story.connect()  # the journal's tail is empty now

    assert [VendStatus.IN_REVIEW] == [vend.status for vend in story.state.doubts]


def test_what_was_paid_before_the_choice_pays_for_no_choice() -> None:
    """Money of which we hear late, paid for the selection before, goes back; money that was paid
    after the choice pays for it.
    """
    story = Story()
    story.connect()
    story.select()
    story.wait(25_000)
    story.select()
    story.wait(6_000)

    story.pay(500, "ann", age_ms=10_000)
    story.pay(500, "ben", age_ms=1_000)

    assert ["t2"] == [trade.trade_id for trade in story.state.trades if trade.reserved_minor]
    assert ["t1"] == [refund.trade_id for refund in story.state.refunds]


def test_money_paid_in_pieces_before_the_choice_pays_for_no_choice() -> None:
    """One piece may have been paid at the moment of the choice; an older one of the same payer was
    paid for the selection before, whoever chose since, and so may be one of an unknown time.
    """
    story = Story()
    story.connect()
    story.select()
    story.wait(25_000)
    story.select()
    story.wait(6_000)

    story.pay(100, "ann", age_ms=7_000)
    story.pay(450, "ann", age_ms=14_000)
    story.pay(400, "ann", age_ms=None)

    assert [("t2", 450), ("t3", 400)] == [
        (one.trade_id, one.amount_minor) for one in story.state.refunds
    ]
    assert story.state.session is not None
    assert 100 == story.state.session.paid_minor


def test_who_pays_first_and_chooses_before_we_hear_of_it_gets_the_choice() -> None:
    """Where one may pay first, and no selection was given up before, the money is taken for what
    its payer chose meanwhile.
    """
    story = Story()
    story.connect()
    story.select()
    story.wait(6_000)

    story.pay(500, "ann", age_ms=12_000)

    assert ["t1"] == [trade.trade_id for trade in story.state.trades if trade.reserved_minor]


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("stage", [events.JournalStage.MOTOR_ON, events.JournalStage.UNKNOWN])
def test_a_used_request_id_that_is_cancelled_takes_no_vend_back_that_had_begun(
    stage: events.JournalStage, over: bool
) -> None:
    """Firmware that takes a boot id again after a power cut takes its request ids again too: what
    it cancels may be another choice, and what its motor turned for is a person's. It is answered.
    """
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    story.disconnect()
    if over:
        story.wait(300_000)
    story.connect("b1", events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=stage))

    story.frame(events.VendCancelled(request_id=RequestId("q1")))

    assert [VendStatus.IN_REVIEW] == [vend.status for vend in story.state.doubts]
    assert "DenyVend" in [type(effect).__name__ for effect in story.last.effects]
    assert 500 == story.state.trades[0].reserved_minor


def test_a_vend_that_was_only_accepted_is_cancelled() -> None:
    """Nothing had moved: the customer has the money."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    story.disconnect()
    accepted = events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.ACCEPTED)
    story.connect("b1", accepted)

    story.cancel()

    assert not story.state.doubts
    assert 1_000 == story.state.trades[0].funds_minor

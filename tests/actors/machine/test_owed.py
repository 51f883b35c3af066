"""What is to be done again after a restart: whatever was ordered and not answered, under its id."""

from actors.machine import events, owed
from actors.machine.code import Code
from actors.machine.effects import CreateCode, QueryRefund, SendRefund
from actors.machine.ids import RefundId
from actors.machine.values import replace
from tests.support.story import Story, a_machine

REFUND = RefundId("t1R1_500")


def refunding() -> Story:
    """A refund of 5.00 that was ordered."""
    story = Story()
    story.connect()
    story.pay(500)
    story.complete()
    return story


def test_a_refund_is_owed_until_it_is_answered_and_asked_about_first() -> None:
    """Whether the request left before the process died, nobody knows: a no to a second one might be
    the echo of the first.
    """
    story = refunding()
    (order,) = story.effects(SendRefund)
    assert isinstance(order, SendRefund)
    question = QueryRefund(refund_id=REFUND, partner_trans_id=order.partner_trans_id)
    assert (question,) == owed(story.state)
    story.do(events.RefundSucceeded(refund_id=REFUND))

    assert () == owed(story.state)


def test_between_two_tries_nothing_is_owed() -> None:
    """The deadline orders the next one, which may be a question."""
    story = refunding()
    for _ in range(2):
        story.do(events.RefundUnknown(refund_id=REFUND, detail="time-out"))
        assert () == owed(story.state)
        story.wait(10_000)

    (question,) = owed(story.state)
    assert isinstance(question, QueryRefund)
    assert REFUND == question.refund_id


def test_a_refused_refund_is_owed_by_nobody() -> None:
    """It waits for a person."""
    story = refunding()
    story.do(events.RefundRefused(refund_id=REFUND, detail="no", source="query"))

    assert () == owed(story.state)


def test_a_code_is_owed_too() -> None:
    """Until Alipay has made it."""
    story = Story(replace(a_machine(), code=Code()))
    story.do(events.TimePassed())
    assert (CreateCode(),) == owed(story.state)
    story.do(events.CodeCreated(qr_payload="q"))

    assert () == owed(story.state)


def test_a_refund_that_alipay_never_heard_of_is_sent_after_a_restart() -> None:
    """The question costs one wait, and no refund."""
    story = refunding()
    story.do(events.RefundNotFound(refund_id=REFUND))
    story.wait(5_000)

    assert [REFUND, REFUND] == [order.refund_id for order in story.effects(SendRefund)]  # type: ignore[union-attr]


def test_a_person_s_question_is_owed_too() -> None:
    """The refund stays theirs meanwhile."""
    story = refunding()
    story.do(events.RefundRefused(refund_id=REFUND, detail="no", source="query"))
    asked = story.do(events.RefundQueryAsked(refund_id=REFUND, actor="ann"))

    assert asked.effects == owed(story.state)
    assert [QueryRefund] == [type(order) for order in asked.effects]

"""Refunds that are asked for again, and refunds that people give up: one person, or above the limit
two. How Alipay's answers lead on is in the transcripts.
"""

import pytest

from actors.machine import events
from actors.machine.effects import QueryRefund, SendRefund
from actors.machine.ids import RefundId
from actors.machine.policy import Policy
from actors.machine.state import Refund, RefundStatus, WriteOffProposal
from tests.support.story import Story

REFUND = RefundId("t1R1")


def refused(*, above: int | None = 400) -> Story:
    """A refund of 5.00 that Alipay refused."""
    story = Story(policy=Policy(write_off_second_person_above_minor=above))
    story.connect()
    story.pay(500)
    story.complete()
    story.do(events.RefundRefused(refund_id=REFUND, detail="TRADE_HAS_CLOSE"))
    return story


def write_off(story: Story, actor: str, person: str = "") -> Refund | None:
    """Somebody wants to give it up; return the refund if it is still there."""
    story.do(
        events.RefundWrittenOff(refund_id=REFUND, actor=actor, reason="paid in cash", person=person)
    )
    return next(iter(story.state.refunds), None)


def test_the_first_person_s_wish_is_kept_with_name_and_time() -> None:
    """The refund stays what it was, and its row says who proposed what."""
    story = refused()
    kept = write_off(story, "ann (certificate spiffe://ann)", "spiffe://ann")
    assert kept is not None
    assert RefundStatus.REFUSED is kept.status
    proposal = WriteOffProposal(
        actor="ann (certificate spiffe://ann)",
        person="spiffe://ann",
        reason="paid in cash",
        at_ms=story.now_ms,
    )
    assert (proposal, (kept,), ()) == (kept.proposal, story.last.records, story.last.transfers)


@pytest.mark.parametrize(
    ("first", "second", "over"),
    [
        (("ann", ""), ("bob", ""), True),
        (("ann", ""), ("ann", ""), False),
        (("ann", "cert-1"), ("bob", "cert-1"), False),
        (("ann", "cert-1"), ("ann", "cert-2"), True),
    ],
    ids=[
        "two names",
        "one name",
        "two names over one certificate",
        "one name over two certificates",
    ],
)
def test_people_are_told_apart_by_what_is_proven(
    first: tuple[str, str], second: tuple[str, str], over: bool
) -> None:
    """The name alone counts only where nothing better is known."""
    story = refused()
    assert write_off(story, *first) is not None
    kept = write_off(story, *second)
    assert over is (kept is None)
    assert (500 if over else 0) == story.given_up()


def test_the_same_person_again_changes_nothing() -> None:
    """Not the time of the proposal, nor its reason, however late."""
    story = refused()
    first = write_off(story, "ann")
    story.wait(1_000)
    assert first == write_off(story, "ann")


def test_the_same_refusal_again_drops_nothing() -> None:
    """Alipay's answer is the one that was known when it was proposed; another one is not."""
    story = refused()
    write_off(story, "ann")
    story.do(events.RefundRefused(refund_id=REFUND, detail="TRADE_HAS_CLOSE"))
    assert [True] == [refund.proposal is not None for refund in story.state.refunds]
    story.do(events.RefundRefused(refund_id=REFUND, detail="SELLER_BALANCE"))
    assert [None] == [refund.proposal for refund in story.state.refunds]
    assert write_off(story, "bob") is not None


def test_a_limit_that_is_lifted_needs_one_person() -> None:
    """The policy of the moment decides, also for one who proposed before."""
    story = refused()
    write_off(story, "ann")
    story.policy = Policy()
    assert write_off(story, "ann") is None
    assert 500 == story.given_up()


def test_a_refund_that_was_done_after_all_has_no_proposal() -> None:
    """What its row says in the end is that the money went back."""
    story = refused()
    write_off(story, "ann")
    story.do(events.RefundSucceeded(refund_id=REFUND))
    (done,) = (record for record in story.last.records if isinstance(record, Refund))
    assert (RefundStatus.SUCCEEDED, None) == (done.status, done.proposal)


# --- tried again ---


def test_a_person_has_a_refused_refund_tried_again_under_its_id() -> None:
    """Same id, same amount: were it done already, Alipay would say so."""
    story = refused()
    asked = story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann", reason="unblocked"))

    (order,) = asked.effects
    assert isinstance(order, SendRefund)
    assert (REFUND, 500) == (order.refund_id, order.amount_minor)
    assert RefundStatus.DUE is story.state.refunds[0].status
    busy = story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    assert ((), ("refund t1R1 is being tried already",)) == (busy.effects, busy.notes)


def test_waits_between_tries_grow_and_the_last_one_repeats() -> None:
    """For ever: a refund is never dropped."""
    story = refused()
    story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    waits = []
    for _ in range(12):
        story.do(events.RefundUnknown(refund_id=REFUND, detail="time-out"))
        at_ms = story.state.refunds[0].next_attempt_at_ms
        assert at_ms is not None
        waits.append(at_ms - story.now_ms)
        story.wait(waits[-1])

    assert sorted(waits) == waits
    assert [Policy().refund_retry_ms[-1]] * 4 == waits[-4:]


def test_after_two_tries_it_is_asked_what_became_of_them() -> None:
    """A question and a request take turns, so that neither a lost refund nor a double one can
    hide.
    """
    story = refused(above=None)
    story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    kinds = []
    for _ in range(4):
        story.do(events.RefundUnknown(refund_id=REFUND, detail="time-out"))
        story.wait(3_600_000)
        kinds.append(type(story.last.effects[0]))

    assert [QueryRefund, SendRefund, QueryRefund, SendRefund] == kinds


def test_what_is_not_open_is_noted() -> None:
    """Done before, or not ours: no money moves."""
    story = refused()
    for event in (
        events.RefundSucceeded(refund_id=RefundId("t9R1")),
        events.RefundUnknown(refund_id=RefundId("t9R1"), detail=""),
        events.RefundRetryAsked(refund_id=RefundId("t9R1"), actor="ann"),
    ):
        told = story.do(event)
        assert ((), ()) == (told.transfers, told.effects)
        assert ("refund t9R1 is not open: done before, or not ours",) == told.notes

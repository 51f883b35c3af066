"""Refunds that are asked for again, and refunds that people give up: one person, or above the limit
two. How Alipay's answers lead on is in the transcripts.
"""

import pytest

from actors.machine import events, owed
from actors.machine.effects import QueryRefund, SendRefund
from actors.machine.ids import RefundId
from actors.machine.policy import Policy
from actors.machine.state import Refund, RefundStatus, WriteOffProposal
from tests.support.story import Story

REFUND = RefundId("t1R1_500")


def refused(*, above: int | None = 400) -> Story:
    """A refund of 5.00 that Alipay refused."""
    story = Story(policy=Policy(write_off_second_person_above_minor=above))
    story.connect()
    story.pay(500)
    story.complete()
    story.do(events.RefundRefused(refund_id=REFUND, detail="TRADE_HAS_CLOSE", source="query"))
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
    story.do(events.RefundRefused(refund_id=REFUND, detail="TRADE_HAS_CLOSE", source="query"))
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
    assert ((), ("refund t1R1_500 is being tried already",)) == (busy.effects, busy.notes)


def test_a_person_s_retry_is_sent_although_an_earlier_no_was_not_certain_yet() -> None:
    """They mended what it named: that nothing was done is a reason to send it, not to give up."""
    story = refused(above=None)
    story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    story.do(events.RefundRefused(refund_id=REFUND, detail="TRADE_HAS_CLOSE"))
    assert [RefundStatus.UNKNOWN] == [one.status for one in story.state.refunds]
    asked = story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann", reason="mended"))
    assert [QueryRefund] == [type(effect) for effect in asked.effects]
    story.do(events.RefundNotFound(refund_id=REFUND))
    assert [RefundStatus.DUE] == [one.status for one in story.state.refunds]
    story.wait(3_600_000)
    (order,) = story.last.effects
    assert isinstance(order, SendRefund)
    story.do(events.RefundRefused(refund_id=REFUND, detail="TRADE_HAS_CLOSE"))
    story.wait(3_600_000)
    story.do(events.RefundNotFound(refund_id=REFUND))
    assert [RefundStatus.REFUSED] == [one.status for one in story.state.refunds]


def test_waits_between_tries_grow_and_the_last_one_repeats() -> None:
    """Until it is a person's: a refund is never dropped."""
    story = refused()
    story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    waits = []
    for _ in range(11):
        story.do(events.RefundUnknown(refund_id=REFUND, detail="time-out"))
        at_ms = story.state.refunds[0].next_attempt_at_ms
        assert at_ms is not None
        waits.append(at_ms - story.now_ms)
        story.wait(waits[-1])

    assert sorted(waits) == waits
    assert [Policy().refund_retry_ms[-1]] * 3 == waits[-3:]


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


# --- a no, and what may be its echo ---


def sent(*, above: int | None = None) -> Story:
    """A refund of 5.00 that was asked for."""
    story = Story(policy=Policy(write_off_second_person_above_minor=above))
    story.connect()
    story.pay(500)
    story.complete()
    return story


def told(story: Story, *answers: events.Event) -> Refund:
    """Alipay answers, one try after the other; return the refund as it is then."""
    for answer in answers:
        story.do(answer)
        at_ms = story.state.refunds[0].next_attempt_at_ms
        story.wait(0 if at_ms is None else at_ms - story.now_ms)
    return story.state.refunds[0]


NO = events.RefundRefused(refund_id=REFUND, detail="TRADE_HAS_CLOSE: Alipay refused")
SILENCE = events.RefundUnknown(refund_id=REFUND, detail="time-out")
UNLISTED = events.RefundUnknown(refund_id=REFUND, detail="SYSTEM_BUSY", ask_first=True)
NEVER_HEARD = events.RefundNotFound(refund_id=REFUND)
ACCEPTED = events.RefundAccepted(refund_id=REFUND)
SHORT = events.RefundShortOfFunds(refund_id=REFUND, detail="MERCHANT_BALANCE_NOT_ENOUGH")


@pytest.mark.parametrize("no", [NO, UNLISTED], ids=["listed", "unlisted"])
def test_after_every_no_it_is_asked_what_became_of_the_refund(no: events.Event) -> None:
    """The very first one too: the request may have been made twice, by the backup host or by a
    process that died.
    """
    story = sent()
    told(story, no)
    assert [QueryRefund] == [type(effect) for effect in story.last.effects]
    story.do(events.RefundSucceeded(refund_id=REFUND, source="query"))
    assert ((), 500) == (story.state.refunds, story.money()["back"])


def test_a_listed_no_is_certain_when_alipay_never_heard_of_the_refund() -> None:
    """What it said is kept in its words."""
    refund = told(sent(), NO, NEVER_HEARD)
    assert (RefundStatus.REFUSED, NO.detail) == (refund.status, refund.error)


def test_an_unlisted_no_never_is() -> None:
    """The same id is tried again: what stopped it may pass."""
    story = sent()
    refund = told(story, UNLISTED, NEVER_HEARD)
    assert (RefundStatus.DUE, SendRefund) == (refund.status, type(story.last.effects[0]))


def test_a_no_before_a_request_without_an_answer_is_not_certain() -> None:
    """That request may be the one that is done: the question before it says nothing of it."""
    refund = told(sent(), NO, SILENCE, SILENCE, NEVER_HEARD)
    assert RefundStatus.DUE is refund.status


def test_a_no_before_a_request_that_was_under_way_at_a_restart_is_not_certain() -> None:
    """The new host asks first, and that request may still be on its way."""
    story = sent()
    told(story, NO, SILENCE)
    assert isinstance(story.last.effects[0], SendRefund)
    assert [QueryRefund] == [type(call) for call in owed(story.state)]
    story.do(NEVER_HEARD)
    assert RefundStatus.DUE is story.state.refunds[0].status
    assert RefundStatus.REFUSED is told(story, NEVER_HEARD, NO, NEVER_HEARD).status


# --- a refund always ends ---


def until_a_person(story: Story, *round_of_answers: events.Event) -> tuple[Refund, int]:
    """Alipay gives the same answers by turns; return the refund when it is a person's, and how many
    answers there were.
    """
    for count in range(10_000):
        refund = told(story, round_of_answers[count % len(round_of_answers)])
        if refund.next_attempt_at_ms is None and not owed(story.state):
            return refund, count + 1
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize(
    "answers",
    [
        (SILENCE,),
        (UNLISTED, SILENCE),
        (NO, SILENCE),
        (UNLISTED, NEVER_HEARD),
        (SILENCE, NEVER_HEARD),
    ],
    ids=["silence", "unlisted", "listed and no question", "not found", "silence and not found"],
)
def test_what_nobody_learns_within_a_day_is_a_person_s(answers: tuple[events.Event, ...]) -> None:
    """Unknown, a signed no and a question that the contract does not hold alternated for ever; not
    before a day and twelve tries, and not long after.
    """
    story = sent()
    began_ms = story.now_ms
    refund, tries = until_a_person(story, *answers)
    assert RefundStatus.UNRESOLVED is refund.status
    assert 12 <= tries <= 48
    assert 86_400_000 <= story.now_ms - began_ms <= 2 * 86_400_000
    assert refund.error


def test_it_may_be_given_up_by_the_two_people_of_a_refusal() -> None:
    """One proposes, another confirms; the money is a write-off then."""
    story = sent(above=100)
    until_a_person(story, SILENCE)
    assert write_off(story, "ann") is not None
    assert write_off(story, "bob") is None
    assert 500 == story.given_up()


def test_nobody_gives_it_up_while_alipay_is_being_asked() -> None:
    """The answer may be that it was done, and nobody would wait for that any more."""
    story = sent()
    until_a_person(story, SILENCE)
    story.do(events.RefundQueryAsked(refund_id=REFUND, actor="ann"))
    assert write_off(story, "bob") is not None
    assert "Alipay is being asked" in story.last.notes[0]
    story.do(SILENCE)
    assert write_off(story, "bob") is None


def test_tried_again_by_a_person_it_is_asked_about_first_and_comes_back_to_them() -> None:
    """One question and, if nothing was done, one request: the bound is passed."""
    story = sent()
    until_a_person(story, SILENCE)
    asked = story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    assert [QueryRefund] == [type(effect) for effect in asked.effects]
    told(story, NEVER_HEARD)
    assert isinstance(story.last.effects[0], SendRefund)
    assert RefundStatus.UNRESOLVED is told(story, SILENCE).status


def test_tried_again_by_a_person_it_is_sent_although_nobody_answers_the_question() -> None:
    """The contract may not hold it: a person would try again for ever, and nothing would be
    sent.
    """
    story = sent()
    until_a_person(story, SILENCE)
    story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    told(story, SILENCE)
    assert [SendRefund] == [type(effect) for effect in story.last.effects]
    assert RefundStatus.UNRESOLVED is told(story, SILENCE).status
    story.do(events.RefundRetryAsked(refund_id=REFUND, actor="ann"))
    told(story, SILENCE)
    story.do(events.RefundSucceeded(refund_id=REFUND))
    assert ((), 500) == (story.state.refunds, story.money()["back"])


def test_a_person_who_has_filled_the_account_need_not_wait_for_the_next_try() -> None:
    """A refund that waits for funds is tried at once, and not twice while it is under way."""
    story = sent()
    assert RefundStatus.SHORT_OF_FUNDS is story.do(SHORT).state.refunds[0].status
    again = events.RefundRetryAsked(refund_id=REFUND, actor="ann")
    assert 1 == len(story.do(again).effects)
    assert () == story.do(again).effects


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ACCEPTED, RefundStatus.ACCEPTED),
        (SHORT, RefundStatus.SHORT_OF_FUNDS),
        (events.RefundRefused(refund_id=REFUND, detail="no", source="query"), RefundStatus.REFUSED),
        (NEVER_HEARD, RefundStatus.UNRESOLVED),
        (SILENCE, RefundStatus.UNRESOLVED),
    ],
)
def test_a_person_s_question_changes_only_what_alipay_answers(
    answer: events.Event, status: RefundStatus
) -> None:
    """Nothing is sent because somebody asked."""
    story = sent()
    until_a_person(story, SILENCE)
    story.do(events.RefundQueryAsked(refund_id=REFUND, actor="ann"))
    answered = story.do(answer)
    assert ((), status) == (answered.effects, story.state.refunds[0].status)
    assert not story.state.refunds[0].asked_by_person


@pytest.mark.parametrize(
    ("status", "answers"),
    [
        (RefundStatus.ACCEPTED, (ACCEPTED,)),
        (RefundStatus.SHORT_OF_FUNDS, (SHORT,)),
        (RefundStatus.ACCEPTED, (ACCEPTED, SILENCE)),
        (RefundStatus.ACCEPTED, (ACCEPTED, NEVER_HEARD)),
    ],
    ids=["accepted", "short", "accepted and no question", "accepted and not found"],
)
def test_what_alipay_works_on_is_a_person_s_when_alipay_has_given_up(
    status: RefundStatus, answers: tuple[events.Event, ...]
) -> None:
    """It tries for 180 days by itself: before that its money may still go back, and nobody may give
    it up.
    """
    story = sent()
    began_ms = story.now_ms
    told(story, answers[0])
    story.wait(2 * 86_400_000)
    assert status is told(story, answers[0]).status
    assert write_off(story, "ann") is not None
    assert 0 == story.given_up()
    refund, _ = until_a_person(story, *answers)
    assert RefundStatus.UNRESOLVED is refund.status
    assert 190 <= (story.now_ms - began_ms) // 86_400_000 <= 192


@pytest.mark.parametrize(
    "answers",
    [(NO, NEVER_HEARD), (SILENCE, NEVER_HEARD), (NEVER_HEARD,) + (SILENCE,) * 60],
    ids=["a listed no", "silence", "never heard of once"],
)
def test_what_alipay_accepted_is_nobody_s_to_give_up_because_it_was_not_found(
    answers: tuple[events.Event, ...],
) -> None:
    """It may still do it at night, and the customer would be paid twice: its word that it never
    heard of a refund does not undo its word that it took it.
    """
    story = sent()
    told(story, ACCEPTED, NEVER_HEARD, *answers)
    assert write_off(story, "ann") is not None
    story.wait(2 * 86_400_000)
    told(story, *answers)
    assert write_off(story, "ann") is not None
    story.do(events.RefundSucceeded(refund_id=REFUND, source="query"))
    assert ((), 500, 0) == (story.state.refunds, story.money()["back"], story.given_up())


# --- more than Alipay refunds in one piece ---


@pytest.mark.parametrize(
    ("paid_minor", "pieces"),
    [
        (999_999_999, [999_999_999]),
        (1_000_000_000, [999_999_999, 1]),
        (10_000_000_000, [999_999_999] * 10 + [10]),
    ],
)
def test_what_is_more_than_one_refund_goes_back_in_pieces(
    paid_minor: int, pieces: list[int]
) -> None:
    """Each under an id of its own; nothing that was credited stays for want of digits."""
    story = Story()
    story.connect()
    story.pay(paid_minor)
    story.complete()
    assert pieces == [refund.amount_minor for refund in story.state.refunds]
    assert len(pieces) == len({refund.refund_id for refund in story.state.refunds})
    story.refunds_done()
    assert (paid_minor, ()) == (story.money()["back"], story.state.trades)

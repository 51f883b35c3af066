"""One selection: asked, paid for, approved, settled. The usual ways are in the transcripts."""

import pytest

from actors.machine import events
from actors.machine.code import CodeStatus, Saying
from actors.machine.effects import ApproveVend, DenyVend, RejectFrame, SendRefund, ShowQr
from actors.machine.ids import BootId, RequestId, StreamId, VendId
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, Mode, VendStatus
from actors.machine.values import replace
from tests.support.codes import HERE
from tests.support.story import Story, a_machine


def denied(story: Story) -> list[DenyReason]:
    return [effect.reason for effect in story.effects(DenyVend) if isinstance(effect, DenyVend)]


def test_each_reason_for_a_denial_is_named() -> None:
    """Unknown column, stale price, empty column, a vend that is open, funds that do not reach."""
    story = Story(a_machine(Mode.AUTHORIZATION_FIRST, stock=1))
    story.connect()
    story.select()
    story.pay(1_200)
    story.select("Z9")
    story.select("A1", price=499)
    story.select("A1", version=7)
    story.select("A1")
    story.select("A2")
    story.success("VM-1-v5")
    story.select("A1")

    assert ["FUNDS", "UNKNOWN_COLUMN", "PRICE_STALE", "PRICE_STALE", "BUSY", "SOLD_OUT"] == denied(
        story
    )


def test_the_same_request_again_is_told_the_same_again() -> None:
    """A repeated request makes no second vend, whether it waits for payment or is approved."""
    story = Story()
    story.connect()
    story.select()
    again = events.VendRequested(
        request_id=RequestId("q1"), column="A1", price_minor=500, planogram_version=1
    )
    story.frame(again)
    assert 2 == len(story.effects(ShowQr))
    story.pay(500)
    story.frame(again)
    first, second = story.effects(ApproveVend)
    assert first == second
    story.success()
    story.frame(again)
    assert 1 == len(story.effects(RejectFrame))
    assert 1 == story.state.vends_made


@pytest.mark.parametrize("gateway_lives_on", [False, True])
def test_a_restored_database_gives_no_vend_id_again(*, gateway_lives_on: bool) -> None:
    """The counter begins again where the backup was taken; the id is another one all the same, on a
    new stream and on one that outlived the restore. A repeated approval keeps its id.
    """
    backup = _connected(Story(), "before").state
    lived_on, restored = Story(backup), Story(backup)
    approved: list[VendId] = []
    for story, request in ((lived_on, "b1-r1"), (restored, "b1-r2")):
        token = "before" if gateway_lives_on or story is lived_on else "after"
        _connected(story, token, returns="before")
        story.pay(500)
        wish = events.VendRequested(
            request_id=RequestId(request), column="A1", price_minor=500, planogram_version=1
        )
        story.frame(wish)
        story.frame(wish)
        first, again = story.effects(ApproveVend)
        assert first == again
        assert isinstance(first, ApproveVend)
        approved.append(first.vend_id)

    assert {1} == {story.state.vends_made for story in (lived_on, restored)}
    assert ["VM-1-v1-"] * 2 == [one[:8] for one in approved]
    assert 2 == len(set(approved))


def _connected(story: Story, token: str, *, returns: str = "") -> Story:
    story.stream = StreamId(f"of-{token}")
    story.do(
        events.Connected(
            stream_id=story.stream,
            opened_at_ms=story.now_ms,
            boot_id=BootId("b1"),
            planogram_version=1,
            token=token,
            returned_token=returns,
            keeps_token=True,
        )
    )
    return story


def test_a_request_that_the_shell_turned_away_only_uses_its_number() -> None:
    """Nothing could be saved when it came; nothing is charged and the next frame is in order."""
    story = Story()
    story.connect()
    story.frame(
        events.VendTurnedAway(request_id=RequestId("q1"), reason=DenyReason.BACKEND_UNAVAILABLE)
    )

    assert 1 == story.state.link.last_seq
    assert 0 == story.state.vends_made


def test_cancelling_what_is_not_open_is_still_answered() -> None:
    """MDB wants every Vend Cancel answered with Vend Denied."""
    story = Story()
    story.connect()
    story.frame(events.VendCancelled(request_id=RequestId("q9")))

    assert [DenyReason.CANCELLED] == denied(story)


def test_a_session_with_an_open_vend_cannot_be_completed() -> None:
    """The machine must say first how the vend ended."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.complete()

    assert 1 == len(story.effects(RejectFrame))
    assert story.state.session is not None


def test_a_selection_paid_while_the_stream_is_away_is_approved_when_it_returns_in_time() -> None:
    """The approval is not thrown at a stream that is gone."""
    story = Story(a_machine(Mode.SELECTION_FIRST))
    story.connect()
    story.select()
    story.disconnect()
    story.pay(500)
    assert [] == story.effects(ApproveVend)
    story.wait(10_000)
    story.connect()

    assert 1 == len(story.effects(ApproveVend))


def test_so_many_doubts_and_the_machine_sells_nothing_more() -> None:
    """A machine that keeps falling silent in the middle of vends is stopped by a bound."""
    story = Story(policy=Policy(doubts_max=1))
    story.connect()
    story.pay(1_000)
    story.select()
    story.disconnect()
    story.wait(61_000)
    story.connect("b2", lost=True)
    story.select()

    assert [DenyReason.BUSY] == denied(story)

    # Money for which nothing can be had is not kept for the whole idle time.
    story.pay(1_000, "bob")
    story.wait(story.policy.unavailable_grace_ms)
    sent = [one for one in story.effects(SendRefund) if isinstance(one, SendRefund)]
    assert 1_000 in [one.amount_minor for one in sent]


def test_no_result_is_a_doubt_and_a_doubt_ends() -> None:
    """Online and silent: in doubt after two minutes, voided after ten more, and the money goes
    back.
    """
    story = Story(a_machine(Mode.SELECTION_FIRST))
    story.connect()
    story.select()
    story.pay(500)
    story.wait(120_000)
    assert story.state.session is not None
    assert story.state.session.vend is not None
    assert VendStatus.IN_DOUBT is story.state.session.vend.status
    story.wait(600_000)

    assert VendStatus.VOIDED is story.state.settled_vends[-1].status
    assert 500 == story.money()["due"]


def test_a_machine_that_comes_and_goes_cannot_hold_money_for_ever() -> None:
    """Each reconnection gives the vend new time, but never more than all waits of one vend
    together.
    """
    story = Story(a_machine(Mode.SELECTION_FIRST))
    story.connect()
    story.select()
    story.pay(500)
    for _ in range(30):
        story.disconnect()
        story.wait(30_000)
        story.connect()

    assert 500 == story.money()["due"]


def test_the_oldest_payment_is_spent_first_and_one_that_is_not_needed_stays_whole() -> None:
    """Two payments, two choices: each is carried by one payment alone."""
    story = Story(a_machine(Mode.AUTHORIZATION_FIRST))
    story.connect()
    story.pay(500)
    story.pay(500)
    story.select()
    first, second = story.state.trades
    assert (500, 0) == (first.reserved_minor, first.funds_minor)
    assert (0, 500) == (second.reserved_minor, second.funds_minor)

    story.success()
    story.select()
    (second,) = story.state.trades
    assert (500, 0) == (second.reserved_minor, second.funds_minor)


def test_a_request_whose_vend_is_in_doubt_is_not_approved_again() -> None:
    """It may have been delivered, or be given back a moment later: its number is used up."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    story.wait(story.policy.vend_result_ms)
    approved = len(story.effects(ApproveVend))
    again = events.VendRequested(
        request_id=RequestId("q1"), column="A1", price_minor=500, planogram_version=1
    )
    told = story.frame(again)
    assert approved == len(story.effects(ApproveVend))
    assert ["OUT_OF_SEQUENCE"] == [
        order.code for order in told.effects if isinstance(order, RejectFrame)
    ]


def test_a_cancel_gives_nothing_back_that_waits_for_a_person() -> None:
    """It comes after the doubt: what the machine says now is the person's to judge."""
    story = Story(policy=Policy(doubt_review_above_minor=100))
    story.connect()
    story.pay(500)
    story.select()
    story.disconnect()
    story.wait(story.policy.doubt_window_ms + story.policy.vend_result_ms)
    story.connect("b1", lost=True)
    story.frame(events.VendCancelled(request_id=RequestId("q1")))
    assert [VendStatus.IN_REVIEW] == [vend.status for vend in story.state.doubts]
    assert 500 == story.money()["held"]


def test_a_selection_is_paid_by_the_code_that_the_machine_has_now() -> None:
    """An administrator replaces the code while the customer looks at it: the screen shows the new
    one, with what is left of the price and of the time.
    """
    machine, another = a_machine(Mode.SELECTION_FIRST), replace(HERE, store="another")
    said = Saying(wanted=HERE, confirmed=HERE)
    story = Story(replace(machine, code=replace(machine.code, saying=said)))
    story.connect()
    story.select("A1")
    story.do(events.CodeWished(says=another))
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.do(events.CodeDeleted())
    story.now_ms += 1_000
    story.pay(200)  # by the old one, told late
    assert 1 == len(story.effects(ShowQr))  # there is none to be shown
    story.do(events.CodeCreated(qr_payload="https://qr.example/new", image_url=""))
    story.do(events.CodeModified(says=another))
    shown = story.effects(ShowQr)[-1]
    assert isinstance(shown, ShowQr)
    assert ("https://qr.example/new", 300, 24_000) == (
        shown.qr_payload,
        shown.amount_minor,
        shown.expires_in_ms,
    )

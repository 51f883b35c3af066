"""One selection: asked, paid for, approved, settled. The usual ways are in the transcripts."""

from actors.machine import events
from actors.machine.effects import ApproveVend, DenyVend, RejectFrame, ShowQr
from actors.machine.ids import RequestId, VendId
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, FailureCause, Mode, VendStatus
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


def test_a_request_that_the_shell_turned_away_only_uses_its_number() -> None:
    """Nothing could be saved when it came; nothing is charged and the next frame is in order."""
    story = Story()
    story.connect()
    story.frame(
        events.VendTurnedAway(request_id=RequestId("q1"), reason=DenyReason.BACKEND_UNAVAILABLE)
    )

    assert 1 == story.state.link.last_seq
    assert 0 == story.state.vends_made


def test_a_cancelled_approval_gives_the_money_back_and_a_late_delivery_is_written_off_once() -> (
    None
):
    """The machine that cancels promised not to dispense; if it did all the same, the loss is ours
    and is counted once.
    """
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.cancel()
    assert [DenyReason.CANCELLED] == denied(story)
    assert FailureCause.NOT_WAITING == story.state.settled_vends[-1].reason
    story.success("VM-1-v1")
    story.success("VM-1-v1")

    assert 500 == story.accounts["WRITE_OFF"]
    assert VendStatus.SUCCEEDED is story.state.settled_vends[-1].status


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


def test_cash_takes_an_item_from_the_column() -> None:
    """A cash sale moves stock and no money of ours; an item nobody knew of is noted."""
    story = Story(a_machine(stock=1))
    story.connect()
    for column in ("A1", "A1", "Z9"):
        story.frame(events.CashSold(column=column, price_minor=500))

    assert 0 == story.state.columns[0].stock
    assert [
        "an item left column A1, which was believed empty",
        "column Z9 is no longer in the planogram",
    ] == [note for decision in story.decisions for note in decision.notes]


def test_counting_knows_the_columns_limits() -> None:
    """A count above the capacity, or of an unknown column, is noted and left."""
    story = Story()
    for column, stock in (("A1", 11), ("Z9", 1)):
        story.do(events.StockCounted(column=column, stock=stock))

    assert 3 == story.state.columns[0].stock
    assert 2 == sum(len(decision.notes) for decision in story.decisions)


def test_a_stream_that_is_said_again_does_not_judge_vends_by_its_old_hello() -> None:
    """A gateway that attaches anew repeats a Hello from before the vend: its journal says nothing
    about it.
    """
    story = Story()
    story.connect()
    link = story.state.link
    story.pay(1_000)
    story.select()
    story.wait(120_000)
    story.complete()
    assert 1 == len(story.state.doubts)
    story.do(
        events.Connected(
            stream_id=link.stream_id,
            opened_at_ms=link.opened_at_ms,
            boot_id=link.boot_id,
            planogram_version=1,
        )
    )

    assert 1 == len(story.state.doubts)
    story.success("VM-1-v1")
    assert 500 == story.money()["sold"]


def test_a_journal_cannot_make_a_sale_of_a_vend_that_was_denied() -> None:
    """Nobody paid for it and nobody approved it: what the machine writes is noted for people, and
    no money moves.
    """
    story = Story()
    story.connect()
    story.select("Z9", price=100_000)
    told = story.connect(
        "b2", events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.SUCCEEDED)
    )

    assert () == told.transfers
    assert any("was denied" in note for note in told.notes)
    assert VendStatus.DENIED is story.state.settled_vends[-1].status

"""A machine whose life in the fleet is over: no stream, no sale, and money that comes all the same
goes back.
"""

from typing import Any

from actors.machine import events
from actors.machine.effects import ApproveVend, CloseStream, SendRefund, Welcome
from actors.machine.goods import GoodsKind
from actors.machine.ids import VendId
from actors.machine.state import Mode, RefundCause
from tests.support.story import Story, a_machine

RETIRED = {"enabled": False, "retired": True}


def refunds(story: Story) -> list[int]:
    """Return what was sent back, in minor units."""
    return [
        effect.amount_minor
        for effect in story.effects(SendRefund)
        if isinstance(effect, SendRefund)
    ]


def test_its_stream_ends() -> None:
    """The one that is up when it is retired, and each that comes afterwards, without a welcome."""
    story = Story()
    story.connect()
    story.configure(**RETIRED)
    assert CloseStream(stream_id=story.stream, reason="RETIRED") in story.last.effects
    assert not story.state.link.online

    story.connect()
    assert (CloseStream(stream_id=story.stream, reason="RETIRED"),) == story.last.effects
    assert 1 == len(story.effects(Welcome))
    assert not story.state.link.online


def test_a_payment_goes_back_in_full() -> None:
    """A customer who paid late waits for the grace of a machine that cannot sell, and no longer."""
    story = Story()
    story.configure(**RETIRED)
    story.pay(700)
    assert [] == refunds(story)

    story.wait(story.policy.unavailable_grace_ms)
    assert [700] == refunds(story)
    assert [RefundCause.UNAVAILABLE] == [refund.cause for refund in story.state.refunds]


def test_a_vend_that_was_under_way_ends_first() -> None:
    """It began while the machine was being retired: its stream stays until the result is told and
    the rest has gone back.
    """
    story = Story()
    story.connect()
    story.pay(700)
    story.select()
    assert 1 == len(story.effects(ApproveVend))
    story.configure(**RETIRED)
    assert [] == story.effects(CloseStream)

    story.disconnect()
    story.connect()
    story.success()
    assert [] == story.effects(CloseStream)
    story.wait(story.policy.unavailable_grace_ms)
    assert [200] == refunds(story)
    assert [CloseStream(stream_id=story.stream, reason="RETIRED")] == story.effects(CloseStream)


def test_a_selection_that_waits_for_its_payment_is_denied() -> None:
    """Nothing was paid, so nothing is due, and the stream ends at once."""
    story = Story(a_machine(Mode.SELECTION_FIRST))
    story.connect()
    story.select()
    story.configure(**RETIRED)
    assert story.state.session is None
    assert [CloseStream(stream_id=story.stream, reason="RETIRED")] == story.effects(CloseStream)

    story.pay(500)
    assert [500] == refunds(story)


def test_a_doubt_keeps_the_stream() -> None:
    """Only the machine's journal can say how its vend ended, so it must be heard."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    vend_id = VendId(story.vend_id)
    story.disconnect()
    story.configure(**RETIRED)
    story.connect("b2", events.JournalEntry(vend_id=vend_id, stage=events.JournalStage.SUCCEEDED))
    assert [] == refunds(story)
    assert [CloseStream(stream_id=story.stream, reason="RETIRED")] == story.effects(CloseStream)


def test_it_takes_no_goods_and_gives_away_what_is_left() -> None:
    """Nothing is put into it and no more is found in it, whoever was told so before it was retired;
    what is missing is missed, and what is left is fetched. Of three one is missing.
    """
    story = Story()
    story.configure(**RETIRED)
    version = story.state.version
    about: dict[str, Any] = {"version": version, "column": "A1", "product": "cola"}
    moved: dict[str, Any] = {"kind": GoodsKind.LOADED, "quantity": 1, "place": "VAN:7", **about}
    story.do(events.GoodsMoved(cause="in", into=True, **moved))
    story.do(events.GoodsCounted(cause="more", counted=4, believed=3, **about))
    assert 3 == story.state.columns[0].stock
    assert ["in", "more"] == [one.cause for one in story.state.goods_acts if not one.done]
    story.do(events.GoodsCounted(cause="fewer", counted=2, believed=3, **about))
    fetched = {**moved, "kind": GoodsKind.UNLOADED, "quantity": 2}
    story.do(events.GoodsMoved(cause="out", into=False, **fetched))
    assert 0 == story.state.columns[0].stock
    assert ["fewer", "out"] == [one.cause for one in story.state.goods_acts if one.done]

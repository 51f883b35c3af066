"""What frames are known by: boot, number, content."""

import pytest

from actors.machine import events, frames
from actors.machine.connecting import BOOT_SUPERSEDED
from actors.machine.effects import CloseStream, RejectCode, RejectFrame
from actors.machine.ids import BootId, RequestId, StreamId, VendId
from actors.machine.state import (
    EARLIER_BOOTS_KEPT,
    AlarmKind,
    DenyReason,
    FailureCause,
    Link,
    VendStatus,
)
from actors.machine.values import replace
from tests.support.every_event import FACTS
from tests.support.story import Story


def frame(seq: int, fact: events.MachineFact) -> events.FrameReceived:
    return events.FrameReceived(stream_id=StreamId("g-1"), seq=seq, fact=fact)


def cash(column: str) -> events.CashSold:
    return events.CashSold(column=column, price_minor=500)


def test_frames_of_other_content_have_other_digests() -> None:
    """Each fact that the tests know has its own, and the same one twice."""
    said = [fact for fact in FACTS if not isinstance(fact, events.VendTurnedAway)]
    assert len(said) == len({frames.digest(fact) for fact in said})
    assert [frames.digest(fact) for fact in said] == [frames.digest(replace(fact)) for fact in said]


def test_only_the_last_frames_are_compared() -> None:
    """A machine may have no more unacknowledged; an older one passes for the same."""
    link = Link()
    for seq in range(1, 2 * frames.COMPARED + 1):
        link = frames.applied(link, frame(seq, cash(f"A{seq}")))
    oldest = frames.COMPARED + 1
    assert not frames.is_another(link, frame(oldest, cash(f"A{oldest}")))
    assert frames.is_another(link, frame(oldest, cash("B1")))
    assert not frames.is_another(link, frame(oldest - 1, cash("B1")))


def test_a_request_that_the_shell_denied_is_compared_with_nothing() -> None:
    """Its content was replaced, and the machine sends the request itself again."""
    away = events.VendTurnedAway(request_id=RequestId("q1"), reason=DenyReason.BACKEND_UNAVAILABLE)
    link = frames.applied(Link(), frame(1, away))
    assert not frames.is_another(link, frame(1, cash("A1")))


def test_other_content_under_a_used_number_is_told_and_not_applied() -> None:
    """The machine hears it, a person hears it, the journal has it; the same content is a repeat."""
    story = Story()
    story.connect()
    story.frame(cash("A1"))
    stock = story.state.columns
    story.do(events.FrameReceived(stream_id=story.stream, seq=1, fact=cash("A2")))
    (rejected,) = story.last.effects
    assert isinstance(rejected, RejectFrame)
    assert (RejectCode.SEQ_REUSED, 1, 2) == (rejected.code, rejected.seq, rejected.expected_seq)
    assert [AlarmKind.NUMBER_REUSED] == [alarm.kind for alarm in story.state.alarms]
    assert stock == story.state.columns
    story.do(events.FrameReceived(stream_id=story.stream, seq=1, fact=cash("A1")))
    assert ("frame 1 was applied before",) == story.last.notes


def test_a_result_under_a_used_number_is_a_persons() -> None:
    """It names a vend that is open: the money goes neither way."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    vend_id = story.vend_id
    story.do(
        events.FrameReceived(
            stream_id=story.stream, seq=1, fact=events.VendSucceeded(vend_id=vend_id)
        )
    )
    (vend,) = story.state.doubts
    assert (VendStatus.IN_REVIEW, FailureCause.CONTRADICTED) == (vend.status, vend.reason)
    assert 500 == story.money()["held"]


def test_the_frames_of_a_boot_that_comes_back_are_not_applied_again() -> None:
    """Boots A, B, A: the old one is sent away, its frames take no stock, and a person is told."""
    story = Story()
    story.connect("A")
    for _ in range(2):
        story.frame(cash("A1"))
    story.disconnect()
    story.connect("B")
    story.frame(cash("A1"))
    story.disconnect()
    stock = story.state.columns
    story.connect("A")
    assert (CloseStream(stream_id=story.stream, reason=BOOT_SUPERSEDED),) == story.last.effects
    for seq in (1, 2, 3):
        story.do(events.FrameReceived(stream_id=story.stream, seq=seq, fact=cash("A1")))
    assert stock == story.state.columns
    assert "B" == story.state.link.boot_id
    assert [AlarmKind.BOOT_CAME_BACK] == [alarm.kind for alarm in story.state.alarms]
    story.connect("C")
    assert "C" == story.state.link.boot_id


def test_a_boot_without_a_frame_took_nobodys_place() -> None:
    """Its Hello may be older than the other's: that one goes on where it was."""
    story = Story()
    story.connect("B")
    story.frame(cash("A1"))
    story.disconnect()
    story.connect("late")
    story.disconnect()
    story.connect("B")
    assert ("B", 1) == (story.state.link.boot_id, story.state.link.last_seq)
    stock = story.state.columns
    story.do(events.FrameReceived(stream_id=story.stream, seq=1, fact=cash("A1")))
    assert stock == story.state.columns


def test_boots_are_remembered_within_a_bound() -> None:
    """The last ones, oldest first."""
    link = Link()
    for number in range(3 * EARLIER_BOOTS_KEPT):
        link = frames.booted(link, BootId(f"b{number}"))
    kept = [boot.boot_id for boot in link.earlier_boots]
    assert [
        f"b{number}" for number in range(2 * EARLIER_BOOTS_KEPT - 1, 3 * EARLIER_BOOTS_KEPT - 1)
    ] == kept


@pytest.mark.parametrize("boot", ["b1", "b2"])
def test_a_boot_is_superseded_by_another_that_spoke(boot: str) -> None:
    """The present one is not."""
    link = frames.booted(
        frames.applied(frames.booted(Link(), BootId("b1")), frame(1, cash("A1"))), BootId("b2")
    )
    assert None is frames.superseded(link, BootId(boot))
    spoke = frames.applied(link, frame(1, cash("A1")))
    assert (boot == "b1") == (frames.superseded(spoke, BootId(boot)) is not None)


def test_a_result_of_no_vend_under_a_used_number_is_told_alike() -> None:
    """There is nothing that could be put aside."""
    story = Story()
    story.connect()
    story.frame(cash("A1"))
    result = events.VendSucceeded(vend_id=VendId("VM-1-v9"))
    story.do(events.FrameReceived(stream_id=story.stream, seq=1, fact=result))
    assert [RejectFrame] == [type(order) for order in story.last.effects]
    assert [AlarmKind.NUMBER_REUSED] == [alarm.kind for alarm in story.state.alarms]

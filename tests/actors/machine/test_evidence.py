"""What sensors said, and whether it can be true."""

import pytest

from actors.machine import events, evidence
from actors.machine.ids import VendId
from actors.machine.state import AlarmKind, FailureCause, VendStatus
from tests.support.story import Story


@pytest.mark.parametrize(
    ("said", "delivered", "cause", "contradicts"),
    [
        ("", True, None, False),
        ("motor=RAN drop=SEEN", True, None, False),
        ("motor=JAMMED drop=SEEN", True, None, False),
        ("motor=RAN drop=NO_SENSOR", True, None, False),
        ("drop=NO_SENSOR", True, None, False),
        ("motor=9 drop=12", True, None, False),
        ("motor=NOT_RUN drop=NOT_SEEN", True, None, True),
        ("motor=RAN drop=NOT_SEEN", True, None, True),
        ("motor=NOT_RUN", True, None, True),
        ("motor=JAMMED drop=NO_SENSOR", True, None, True),
        ("motor=JAMMED drop=NOT_SEEN", False, FailureCause.JAMMED, False),
        ("motor=RAN drop=NOT_SEEN", False, FailureCause.NOTHING_DROPPED, False),
        ("motor=RAN drop=NOT_SEEN", False, FailureCause.NOT_STARTED, False),
        ("", False, FailureCause.UNKNOWN, False),
        ("motor=JAMMED drop=SEEN", False, FailureCause.JAMMED, True),
        ("drop=SEEN cause=12", False, FailureCause.UNKNOWN, True),
        ("motor=RAN", False, FailureCause.NOT_WAITING, True),
    ],
)
def test_what_contradicts_itself(
    said: str, delivered: bool, cause: FailureCause | None, contradicts: bool
) -> None:
    """A drop sensor that saw decides; what nobody saw is believed."""
    assert contradicts == bool(evidence.contradiction(said, delivered=delivered, cause=cause))


def vending() -> Story:
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    return story


@pytest.mark.parametrize(
    "fact",
    [
        events.VendSucceeded(vend_id=VendId("VM-1-v1"), evidence="motor=NOT_RUN drop=NOT_SEEN"),
        events.VendFailed(
            vend_id=VendId("VM-1-v1"), cause=FailureCause.JAMMED, evidence="drop=SEEN"
        ),
    ],
)
def test_a_contradiction_is_a_persons(fact: events.MachineFact) -> None:
    """The money goes neither way, and what the machine says next settles nothing."""
    story = vending()
    story.frame(fact)
    (vend,) = story.state.doubts
    assert (VendStatus.IN_REVIEW, FailureCause.CONTRADICTED) == (vend.status, vend.reason)
    story.success()
    story.wait(86_400_000)
    assert ({"held": 500, "sold": 0, "back": 0}) == {
        name: amount for name, amount in story.money().items() if name in {"held", "sold", "back"}
    }
    story.do(
        events.VendSettled(vend_id=VendId("VM-1-v1"), delivered=True, actor="eve", reason="seen")
    )
    assert 500 == story.money()["sold"]


def test_a_failure_after_a_sale_is_told_to_a_person() -> None:
    """The sale stands; somebody may give the price back."""
    story = vending()
    story.success()
    story.failure(vend_id="VM-1-v1")
    assert [(AlarmKind.VEND_CONTRADICTED, "VM-1-v1")] == [
        (alarm.kind, alarm.subject) for alarm in story.state.alarms
    ]
    assert 500 == story.money()["sold"]


def test_a_late_success_that_cannot_be_true_is_not_written_off() -> None:
    """The price has gone back, and nothing shows that goods fell."""
    story = vending()
    story.failure()
    story.frame(
        events.VendSucceeded(vend_id=VendId("VM-1-v1"), evidence="motor=NOT_RUN drop=NOT_SEEN")
    )
    assert 0 == story.money()["sold"]
    assert [AlarmKind.VEND_CONTRADICTED] == [alarm.kind for alarm in story.state.alarms]


def test_a_motor_that_was_on_while_something_fell_is_a_persons() -> None:
    """Power failed before the result was written, and the sensor's word was."""
    story = vending()
    story.disconnect()
    story.connect(
        "b2",
        events.JournalEntry(
            vend_id=VendId("VM-1-v1"), stage=events.JournalStage.MOTOR_ON, evidence="drop=SEEN"
        ),
    )
    assert [VendStatus.IN_REVIEW] == [vend.status for vend in story.state.doubts]


def test_a_contradiction_stays_a_persons_when_the_journal_knows_no_more() -> None:
    """After a power cut the machine only knows that the motor was on: nothing goes back by that."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    vend_id = VendId(story.vend_id)
    story.frame(events.VendSucceeded(vend_id=vend_id, evidence="motor=RAN drop=NOT_SEEN"))
    story.disconnect()
    story.connect("b2", events.JournalEntry(vend_id=vend_id, stage=events.JournalStage.MOTOR_ON))
    (vend,) = story.state.doubts
    assert (VendStatus.IN_REVIEW, FailureCause.CONTRADICTED) == (vend.status, vend.reason)
    assert 500 == story.money()["held"]

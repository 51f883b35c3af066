"""What keeps a command back is said, from its order to its end."""

import pytest

from actors.machine.command import CommandKind, CommandWait
from actors.machine.command_waits import may_go, waits_for
from actors.machine.state import Mode
from actors.machine.values import replace
from tests.support.commanded import FELL, answer, online, order, sent
from tests.support.story import Story, a_machine


def wait(story: Story, command_id: str = "c1") -> CommandWait:
    """Return what it waits for now."""
    return waits_for(story.state, command_id)


def test_a_command_waits_for_its_machine_then_for_its_answer() -> None:
    """Also once it was sent, if the machine is gone again."""
    story = Story(a_machine())
    order(story, CommandKind.REPORT)
    assert CommandWait.STREAM is wait(story)
    story.connect(commands=True)
    assert CommandWait.ANSWER is wait(story)
    story.disconnect()
    assert CommandWait.STREAM is wait(story)
    story.connect(commands=True)
    answer(story)
    assert CommandWait.NOTHING is wait(story)
    assert CommandWait.NOTHING is wait(story, "c9")


def test_a_command_waits_for_firmware_that_knows_it() -> None:
    """Ordered before the machine was ever heard of."""
    story = Story(a_machine())
    order(story, CommandKind.REPORT)
    story.connect()
    assert CommandWait.FIRMWARE is wait(story)


@pytest.mark.parametrize("kind", [CommandKind.REBOOT, CommandKind.TEST_VEND])
def test_a_command_waits_for_a_customer(kind: CommandKind) -> None:
    """And for a vend in doubt when their session is over; one that was sent before, too."""
    story = online(Mode.AUTHORIZATION_FIRST)
    story.pay(500)
    order(story, kind)
    order(story, CommandKind.REPORT, "c2")
    assert (CommandWait.SESSION, CommandWait.ANSWER) == (wait(story), wait(story, "c2"))
    story.select()
    story.disconnect()
    story.wait(61_000)
    story.connect("b2", lost=True, commands=True)
    assert story.state.session is None
    assert CommandWait.SESSION is wait(story)
    assert "c1" not in sent(story)


def test_a_command_waits_for_a_test_vend_that_is_out() -> None:
    """One motor turns at a time, and nothing restarts meanwhile."""
    story = online()
    for command_id, kind in (("c1", "TEST_VEND"), ("c2", "TEST_VEND"), ("c3", "REBOOT")):
        order(story, CommandKind(kind), command_id)
    assert [CommandWait.ANSWER, CommandWait.TEST_VEND, CommandWait.TEST_VEND] == [
        wait(story, one) for one in ("c1", "c2", "c3")
    ]
    answer(story, command_id="c1", evidence=FELL)
    assert [CommandWait.ANSWER, CommandWait.TEST_VEND] == [wait(story, one) for one in ("c2", "c3")]


def test_what_is_not_sent_again_waits_for_its_answer_alone() -> None:
    """A lock whose column was unlocked since; the later one goes when the machine is back."""
    story = online()
    order(story, CommandKind.LOCK_COLUMN)
    order(story, CommandKind.UNLOCK_COLUMN, "c2")
    story.disconnect()
    assert (CommandWait.ANSWER, CommandWait.STREAM) == (wait(story), wait(story, "c2"))


def test_what_nothing_keeps_back_waits_for_the_host() -> None:
    """As if its host had stopped between the order and the frame."""
    story = online()
    order(story, CommandKind.REPORT)
    (command,) = story.state.commands
    unsent = replace(command, told=False)
    assert may_go(story.state, unsent)
    assert CommandWait.HOST is waits_for(replace(story.state, commands=(unsent,)), "c1")

"""Commands that wait for their answers; with a link around them: test_batched_link."""

import pytest

from actors.link import CommandDone
from gateway.links.commands import HostUnavailable, OpenCommands


async def test_an_answer_reaches_who_asked() -> None:
    """Each answer goes to the command that it names, once; one that nobody waits for is nothing."""
    commands = OpenCommands()
    first, second = commands.ask("c1"), commands.ask("c2")
    for answer in (CommandDone(command_id="c2"), CommandDone(command_id="c3")):
        commands.done(answer)
        commands.done(answer)
    assert (False, CommandDone(command_id="c2")) == (first.done(), await second)
    commands.forget("c1")
    commands.forget("c2")
    assert 0 == len(commands)


async def test_only_what_was_sent_is_unknown_when_the_link_breaks() -> None:
    """A command that left has an unknown outcome; one that waits in the queue goes on waiting."""
    commands = OpenCommands()
    sent, queued = commands.ask("c1"), commands.ask("c2")
    commands.leave(["c1"])
    assert (True, False) == (commands.sent("c1"), commands.sent("c2"))
    commands.link_broke("the link broke")
    with pytest.raises(HostUnavailable, match="the link broke; its outcome is unknown") as unknown:
        await sent
    assert unknown.value.sent
    assert not queued.done()


def test_who_got_no_answer_hears_what_to_do() -> None:
    """What was not sent may be asked again; what was sent is looked at first."""
    assert "full; nothing was sent: ask again later" == str(HostUnavailable("full", sent=False))
    assert "look at the machine before asking again" in str(HostUnavailable("late", sent=True))

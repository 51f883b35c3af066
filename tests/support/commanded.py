"""A machine of which things are ordered, in a story of the core.

Flows in: what is ordered and answered. Flows out: what left for the machine, and what its rows say.
"""

from actors.machine import events
from actors.machine.command import (
    Command,
    CommandAnswered,
    CommandKind,
    CommandOutcome,
    CommandStatus,
)
from actors.machine.decision import Decision
from actors.machine.effects import SendCommand
from actors.machine.ids import BootId, StreamId
from actors.machine.policy import Policy
from actors.machine.state import Mode
from tests.support.every_event import ordered
from tests.support.story import Story, a_machine

FELL = "motor=RAN drop=SEEN"
MINUTE_MS = 60_000


def online(mode: Mode = Mode.BOTH, policy: Policy | None = None) -> Story:
    """A machine that knows commands, with three items in each column."""
    story = Story(a_machine(mode, stock=3), policy)
    story.connect(commands=True)
    return story


def hello(
    story: Story, boot: str, token: str, *, keeps_token: bool = True, stream: str = ""
) -> None:
    """A device that knows commands opens a stream, and returns no token."""
    story.stream = StreamId(stream or f"stream-{boot}")
    story.do(
        events.Connected(
            stream_id=story.stream,
            opened_at_ms=story.now_ms,
            boot_id=BootId(boot),
            token=token,
            keeps_token=keeps_token,
            knows_commands=True,
        )
    )


def order(story: Story, kind: CommandKind, command_id: str = "c1", column: str = "A1") -> Decision:
    """Somebody orders something."""
    return story.do(ordered(story, command_id, kind, column))


def answer(
    story: Story,
    outcome: CommandOutcome = CommandOutcome.APPLIED,
    command_id: str = "c1",
    evidence: str = "",
) -> Decision:
    """The machine says what became of it."""
    return story.frame(CommandAnswered(command_id=command_id, outcome=outcome, evidence=evidence))


def sent(story: Story) -> list[str]:
    """Which commands left for the machine, in their order."""
    return [one.command_id for one in story.effects(SendCommand) if isinstance(one, SendCommand)]


def status(story: Story, command_id: str = "c1") -> CommandStatus:
    """What the row of a command says: its last record."""
    return last(story, command_id).status


def last(story: Story, command_id: str = "c1") -> Command:
    """The last record of a command."""
    records = [record for decision in story.decisions for record in decision.records]
    return next(
        one
        for one in reversed(records)
        if isinstance(one, Command) and one.command_id == command_id
    )


def stock(story: Story, column: str = "A1") -> int:
    """What we believe to be in a column."""
    return next(one.stock for one in story.state.columns if one.column == column)

"""How what the actor would not take is told; the calls are made in ``test_commands``."""

from typing import Any

import grpc
import pytest

from actors.link import CommandDone
from actors.machine.command import CommandKind, CommandOrdered
from actors.machine.ids import MachineId
from actors.machine.ordering import Refusal, not_taken
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.office.command_calls import TRIES, CommandCalls, _refused
from storage.office.commands import Seen

ORDER = CommandOrdered(
    command_id="c1",
    kind=CommandKind.TEST_VEND,
    version=1,
    ordered_at_ms=1,
    expires_at_ms=2,
    column="A1",
)


@pytest.mark.parametrize("why", Refusal)
def test_each_refusal_says_what_to_do(why: Refusal) -> None:
    """With a reason for programs, its own; too many is not the request's fault."""
    refusal = _refused("VM-1", ORDER, why, "it is so").refusal
    assert why == refusal.reason
    assert "VM-1" in refusal.message
    exhausted = refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (why is Refusal.TOO_MANY_COMMANDS) == exhausted


class Forgetful:
    """SQL that never shows a command, nor a state, and a host that says these notes."""

    def __init__(self, *notes: str) -> None:
        self.notes = notes
        self.told: list[CommandOrdered] = []

    async def seen(self, _machine_id: str, _command_id: str) -> Seen:
        """Nothing is there."""
        return Seen(command=None, state=None)

    async def command(self, _machine_id: str, event: Any, *, timeout_s: float) -> CommandDone:
        """The host has decided."""
        assert timeout_s > 0
        self.told.append(event)
        return CommandDone(command_id="x", notes=self.notes)


def calls(over: Any) -> CommandCalls:
    """Calls over it, which ask nothing else."""
    nothing: Any = None
    return CommandCalls(
        registry=nothing,
        queries=nothing,
        answers=nothing,
        store=nothing,
        commands=over,
        clock=nothing,
        ordered=over,
        new_id=str,
    )


async def test_what_the_actor_does_not_take_is_told_in_its_words() -> None:
    """Though it seemed possible a moment ago."""
    why = f"{not_taken('c1')}TOO_MANY_COMMANDS: 4 are open"
    over = Forgetful("another note: of something", why)
    seen = await over.seen("VM-1", "c1")
    with pytest.raises(CallRefused) as caught:
        await calls(over)._taken(MachineId("VM-1"), ORDER, seen, Act(actor="ann", within_s=9))
    assert "TOO_MANY_COMMANDS" == caught.value.refusal.reason
    assert "4 are open" in caught.value.refusal.message
    assert 1 == len(over.told)


async def test_what_nobody_knows_is_said_so() -> None:
    """An actor that may have forgotten is asked again and again, within a bound."""
    over = Forgetful("command c1 was read at version 0: read again")
    seen = await over.seen("VM-1", "c1")
    with pytest.raises(CallRefused) as caught:
        await calls(over)._taken(MachineId("VM-1"), ORDER, seen, Act(actor="ann", within_s=9))
    assert "HOST_UNAVAILABLE" == caught.value.refusal.reason
    assert TRIES == len(over.told)

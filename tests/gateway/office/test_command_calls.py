"""How what the actor would not take is told; the calls are made in ``test_commands``."""

import grpc
import pytest

from actors.machine.command import CommandKind, CommandOrdered
from actors.machine.ordering import Refusal
from gateway.office.command_calls import _refused

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

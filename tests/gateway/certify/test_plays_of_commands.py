"""The plays of commands: what each orders, and what a machine without commands is asked."""

from pathlib import Path

import pytest

from gateway.certify import judges_of_commands, plays_of_commands
from gateway.certify.moments import Recording, RuleOutcome
from gateway.certify.rules_of_commands import OF_COMMANDS
from gateway.simulator.machine import Machine
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.certify.examined import examined

pytestmark = pytest.mark.virtual_time
NAMES = tuple(rule.name for rule in OF_COMMANDS)


async def test_each_kind_of_command_is_ordered(tmp_path: Path) -> None:
    """All that the protocol has, each again under its id, and each when its time is over."""
    examination = await examined(tmp_path, *NAMES)

    orders = [each.said_by_us.command for each in Recording(examination.moments).said("command")]
    kinds = {field.name for field in pb.Command.DESCRIPTOR.oneofs_by_name["order"].fields}
    ids = [order.command_id for order in orders]
    again = {order.WhichOneof("order") for order in orders if ids.count(order.command_id) > 1}
    late = {order.WhichOneof("order") for order in orders if not order.valid_for_ms}
    assert kinds == again == late


async def test_a_machine_without_commands_is_ordered_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so in Hello, and the rules are not tried."""
    sound = Machine.hello

    def without(self: Machine) -> service_pb.ConnectRequest:
        frame = sound(self)
        frame.hello.capabilities.commands = False
        return frame

    monkeypatch.setattr(Machine, "hello", without)
    examination = await examined(tmp_path, *NAMES)

    assert {RuleOutcome.NOT_TRIED} == {each.verdict.outcome for each in examination.findings}
    assert [] == Recording(examination.moments).said("command")


def test_each_play_has_its_judge() -> None:
    """Of the same name."""
    for module, known in (
        (plays_of_commands, {rule.play.__name__ for rule in OF_COMMANDS if rule.play}),
        (judges_of_commands, {rule.judge.__name__ for rule in OF_COMMANDS}),
    ):
        own = {
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", "") == module.__name__ and not name.startswith("_")
        }
        assert own == known == {rule.judge.__name__ for rule in OF_COMMANDS}

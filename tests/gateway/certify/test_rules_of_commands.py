"""The rules of commands."""

from gateway.certify.rule import COMMANDS
from gateway.certify.rules import RULES
from gateway.certify.rules_of_commands import OF_COMMANDS


def test_all_rules_of_commands_are_there() -> None:
    """In the order in which they are played, and none stands elsewhere."""
    assert OF_COMMANDS == tuple(rule for rule in RULES if rule.anchor == COMMANDS)
    assert all(rule.play is not None for rule in OF_COMMANDS)

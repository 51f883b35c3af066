"""The rules of a customer's stay."""

from gateway.certify.rules import RULES
from gateway.certify.rules_of_sessions import OF_SESSIONS


def test_all_rules_of_sessions_are_there() -> None:
    """In the order in which they are played, and each needs somebody at the machine."""
    assert OF_SESSIONS == tuple(rule for rule in RULES if rule in OF_SESSIONS)
    assert all(rule.play is not None and rule.needs for rule in OF_SESSIONS)

"""The rules that hold in each frame."""

from gateway.certify.rules import RULES
from gateway.certify.rules_of_all import OF_ALL


def test_each_is_judged_behind_all_plays() -> None:
    """None has a play of its own, and none is left out."""
    assert OF_ALL == tuple(rule for rule in RULES if rule.play is None)

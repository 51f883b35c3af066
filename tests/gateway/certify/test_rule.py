"""A rule as a value."""

from gateway.certify.judges_of_all import readers
from gateway.certify.plays_of_streams import at_rest
from gateway.certify.rule import STREAM, Rule


def test_a_machine_at_rest_shows_most_rules() -> None:
    """A rule needs nobody, and is shown at rest, unless it says otherwise."""
    rule = Rule("reader", "It says so.", STREAM, readers)

    assert (None, frozenset(), at_rest) == (rule.play, rule.needs, rule.shows)

"""What was seen, and how it is looked through."""

import pytest

from gateway.certify.moments import (
    MomentKind,
    NotSeen,
    RuleOutcome,
    broken,
    first,
    kept,
    last,
    same_words,
)
from tests.gateway.certify.told import Tale


def test_moments_are_found_by_what_they_say() -> None:
    """Frames are told apart by side, kind, stream and vend."""
    tale = Tale().connected().asked().approved().succeeded().connected("b2", stream=2)
    seen = tale.seen

    assert [1, 6] == [each.number for each in seen.hellos()]
    assert ["vend_request"] == [each.payload for each in seen.heard("vend_request")]
    assert [5] == [each.number for each in seen.results("v1")]
    assert [] == seen.results("")
    assert [6, 7] == [each.number for each in seen.on(2)]
    assert [1, 2, 3] == [each.number for each in seen.before(seen[3])]
    assert "b2" == seen.present_hello().said_by_machine.hello.boot_id


def test_turns_are_what_two_counts_differ_by() -> None:
    """Without two counts nobody knows."""
    tale = Tale().note(MomentKind.COUNTED, text="3")
    assert tale.seen.turned() is None
    assert 2 == tale.note(MomentKind.COUNTED, text="5").seen.turned()
    assert tale.note(MomentKind.COUNTED, text="not counted").seen.turned() is None


def test_an_acknowledgement_is_not_content() -> None:
    """A frame that is sent again may bear another ack, and nothing else."""
    seen = Tale().asked(2, ack=1).asked(2, ack=9).asked(3).seen
    assert same_words(seen[0], seen[1])
    assert not same_words(seen[0], seen[2])


def test_what_is_not_there_proves_nothing() -> None:
    """Who looks for a moment that was not seen is told so."""
    for look in (first, last):
        with pytest.raises(NotSeen):
            look([])


def test_a_verdict_names_its_moments() -> None:
    """So that a maker finds the frames."""
    seen = Tale().asked().seen
    assert (RuleOutcome.PASS, (1,)) == (kept("so", *seen).outcome, kept("so", *seen).at)
    assert RuleOutcome.FAIL is broken("not so").outcome

"""The judges of a customer's stay, on recordings by hand."""

import pytest

from gateway.certify import judges_of_sessions as judges
from gateway.certify.moments import MomentKind, NotSeen, RuleOutcome
from gateway.v1 import machine_pb2 as pb
from tests.gateway.certify.told import Tale


def test_nothing_is_left_of_a_session_that_is_over() -> None:
    """Whoever presses the button then asks for nothing; within a session they may."""
    rest = pb.SessionComplete(session_id="s1")

    def told(*, first: bool = False, within: bool = False, second: bool = False) -> RuleOutcome:
        tale = Tale().connected().note(MomentKind.HAND, text="complete")
        for number, asked in enumerate((first, within, second)):
            if number:
                tale.said(2, begin_session=pb.BeginSession(session_id="s1"))
            if number == 2:
                tale.note(MomentKind.HAND, text="complete")
            if asked:
                tale.heard(3, session_complete=rest)
        return judges.session_over(tale.seen).outcome

    assert RuleOutcome.PASS is told()
    assert RuleOutcome.FAIL is told(first=True)
    assert RuleOutcome.PASS is told(within=True)
    assert RuleOutcome.FAIL is told(second=True)
    with pytest.raises(NotSeen):
        judges.session_over(Tale().note(MomentKind.HAND).seen)


def test_whoever_wants_the_rest_is_told_of_the_session() -> None:
    """Silence, and the name of another one, are wrong."""

    def told(*named: str) -> RuleOutcome:
        tale = Tale().connected().said(2, begin_session=pb.BeginSession(session_id="s1"))
        for name in named:
            tale.heard(2, session_complete=pb.SessionComplete(session_id=name))
        return judges.session_complete(tale.seen).outcome

    assert RuleOutcome.PASS is told("s1")
    assert RuleOutcome.FAIL is told("s2")
    assert RuleOutcome.FAIL is told()


def test_a_session_goes_on_behind_a_cut() -> None:
    """What was said of it before the cut proves nothing."""
    rest = pb.SessionComplete(session_id="s1")

    def told(*, before: bool = False, named: str = "") -> RuleOutcome:
        tale = Tale().connected().said(2, begin_session=pb.BeginSession(session_id="s1"))
        if before:
            tale.heard(2, session_complete=rest)
        tale.connected(stream=2)
        if named:
            tale.heard(3, stream=2, session_complete=pb.SessionComplete(session_id=named))
        return judges.session_resumed(tale.seen).outcome

    assert RuleOutcome.PASS is told(named="s1")
    assert RuleOutcome.FAIL is told(named="s2")
    assert RuleOutcome.FAIL is told(before=True)
    assert RuleOutcome.NOT_TRIED is told()


def test_nobody_waits_for_an_answer_that_was_lost() -> None:
    """The next choice comes, and the lost one is neither repeated nor given up before it."""
    lost = Tale().connected().asked().connected(stream=2)
    assert RuleOutcome.FAIL is judges.answer_lost(lost.seen).outcome
    again = Tale().connected().asked().connected(stream=2).asked(stream=2)
    assert RuleOutcome.FAIL is judges.answer_lost(again.seen).outcome
    other = Tale().connected().asked().connected(stream=2).asked(3, "r2", stream=2)
    assert RuleOutcome.PASS is judges.answer_lost(other.seen).outcome
    late = Tale().connected().asked().connected(stream=2)
    late.heard(3, stream=2, vend_cancel=pb.VendCancel(request_id="r1")).asked(4, "r2", stream=2)
    assert RuleOutcome.FAIL is judges.answer_lost(late.seen).outcome

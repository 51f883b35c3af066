"""The rules of a customer's stay at the machine."""

from gateway.certify import judges_of_sessions as judges
from gateway.certify import plays_of_sessions as plays
from gateway.certify.rule import CHOOSE, COMPLETE, SELLING, STREAM, Rule

OF_SESSIONS: tuple[Rule, ...] = (
    Rule(
        "session-complete",
        "Whoever is finished and asks for the rest is told by SessionComplete.",
        SELLING,
        judges.session_complete,
        plays.session_complete,
        COMPLETE,
    ),
    Rule(
        "session-over",
        "After EndSession, or a Welcome that names none, the machine has no session.",
        SELLING,
        judges.session_over,
        plays.session_over,
        COMPLETE,
    ),
    Rule(
        "session-resumed",
        "A session that Welcome names goes on, and its rest can be asked for.",
        STREAM,
        judges.session_resumed,
        plays.session_resumed,
        COMPLETE,
    ),
    Rule(
        "answer-lost",
        "A request that is acknowledged is over with a Welcome that names no session.",
        STREAM,
        judges.answer_lost,
        plays.answer_lost,
        CHOOSE,
    ),
)

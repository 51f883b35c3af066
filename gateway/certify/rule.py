"""What a rule is: a sentence, its place in docs/firmware.md, a play, a judge, who must be there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.certify.desk import Desk
from gateway.certify.hands import HandAct
from gateway.certify.moments import Recording, RuleVerdict
from gateway.certify.plays_of_streams import at_rest

CHOOSE = frozenset({HandAct.SELECT})
CHANGE_MIND = frozenset({HandAct.SELECT, HandAct.CANCEL})
COMPLETE = frozenset({HandAct.COMPLETE})
CUT = frozenset({HandAct.POWER_CUT})
CHOOSE_AND_CUT = CHOOSE | CUT

IDENTITY = "1-identity"
STREAM = "2-the-stream"
TOKEN = "who-you-are"  # noqa: S105  a place in a document
NUMBERS = "3-numbers-and-acknowledgements"
SELLING = "4-selling"
JOURNAL = "5-the-journal"
DISPENSING = "6-dispensing"
CONNECTED = "7-staying-connected"
COMMANDS = "commands"
AFTER_A_CUT = "after-a-cut"


@dataclass(frozen=True, slots=True)
class Rule:
    """``name`` is for ``--only`` and for programs, ``says`` what the machine does, ``anchor`` the
    heading of docs/firmware.md, ``needs`` what hands must be able to do. ``shows`` is played for a
    rule without a play of its own if nothing that was played before showed it.
    """

    name: str
    says: str
    anchor: str
    judge: Callable[[Recording], RuleVerdict]
    play: Callable[[Desk], Awaitable[None]] | None = None
    needs: frozenset[HandAct] = frozenset()
    shows: Callable[[Desk], Awaitable[None]] = at_rest

"""The rules of what a person orders of a machine. A machine that knows no commands says so in its
Hello, and none of them is tried. What shows which kinds it knows comes first.
"""

from gateway.certify import judges_of_commands as judges
from gateway.certify import plays_of_commands as plays
from gateway.certify.hands import HandAct
from gateway.certify.rule import CHOOSE, COMMANDS, CUT, Rule

TURNS = frozenset({HandAct.TURNS})

OF_COMMANDS: tuple[Rule, ...] = (
    Rule(
        "command-again",
        "A command that comes again is answered again; one of an unknown kind is not answered.",
        COMMANDS,
        judges.told_again,
        plays.told_again,
    ),
    Rule(
        "lock-once",
        "A lock that comes again after it was ended is answered, and not obeyed again.",
        COMMANDS,
        judges.locked,
        plays.locked,
        CHOOSE,
    ),
    Rule(
        "test-vend-once",
        "A test vend turns once, whatever comes again, and no choice is taken meanwhile.",
        COMMANDS,
        judges.column_tried,
        plays.column_tried,
        CHOOSE | TURNS,
    ),
    Rule(
        "test-vend-cut",
        "A test vend in which the power failed is not carried out again.",
        COMMANDS,
        judges.column_tried_and_cut,
        plays.column_tried_and_cut,
        CUT | TURNS,
    ),
    Rule(
        "reboot-once",
        "A reboot that is ordered twice restarts once; the boot that follows says APPLIED.",
        COMMANDS,
        judges.reboot,
        plays.reboot,
    ),
    Rule(
        "command-late",
        "A command whose valid_for_ms is over is REJECTED, whatever its kind.",
        COMMANDS,
        judges.expired,
        plays.expired,
    ),
    Rule(
        "command-at-a-bad-time",
        "With a request, a vend or a session open a reboot, and with a request or a vend a test "
        "vend, is REJECTED, for good.",
        COMMANDS,
        judges.at_a_bad_time,
        plays.at_a_bad_time,
        CHOOSE,
    ),
)

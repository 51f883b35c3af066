"""The pure core: what a machine's actor remembers and decides. No clock, no randomness, no input or
output.
"""

from actors.machine.deadlines import next_deadline
from actors.machine.decide import decide
from actors.machine.decision import Decision
from actors.machine.invariants import InvariantBroken, check, check_decision
from actors.machine.owed import owed
from actors.machine.resuming import resumes
from actors.machine.state import MachineState, phase

__all__ = [
    "Decision",
    "InvariantBroken",
    "MachineState",
    "check",
    "check_decision",
    "decide",
    "next_deadline",
    "owed",
    "phase",
    "resumes",
]

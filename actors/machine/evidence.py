"""What the sensors said of a vend, in words, and whether it can be true.

The words are those of the wire: "motor=RAN drop=SEEN". What a newer firmware says stands there with
its number and proves nothing. The table of what a machine should report is in docs/firmware.md,
"Dispensing".
"""

from actors.machine.state import FailureCause

NEVER_STARTED = frozenset({FailureCause.NOT_WAITING, FailureCause.NOT_STARTED})
"""Causes that say that the motor never started."""


def sensor(evidence: str, name: str) -> str:
    """Return what one sensor said, empty if nothing."""
    if not evidence:
        return ""
    for word in evidence.split(" "):
        key, _, value = word.partition("=")
        if key == name:
            return value
    return ""


def fell(evidence: str, *, turned: bool) -> bool:
    """Tell whether an item fell: it was seen, or the motor ran and nothing says that none did.
    ``turned``: the machine says that it turned the motor.
    """
    motor, drop = sensor(evidence, "motor"), sensor(evidence, "drop")
    return drop == "SEEN" or (turned and motor == "RAN" and drop != "NOT_SEEN")


def contradiction(evidence: str, *, delivered: bool, cause: FailureCause | None = None) -> str:
    """Return why the evidence cannot be true of such a result, empty if it can."""
    motor, drop = sensor(evidence, "motor"), sensor(evidence, "drop")
    if delivered:
        if drop == "NOT_SEEN":
            return "delivered, and the drop sensor saw nothing"
        if drop != "SEEN" and motor in {"NOT_RUN", "JAMMED"}:
            return f"delivered, and the motor says {motor}"
        return ""
    if drop == "SEEN":
        return "not delivered, and the drop sensor saw something fall"
    if cause in NEVER_STARTED and motor in {"RAN", "JAMMED"} and drop != "NOT_SEEN":
        return f"{cause}, and the motor says {motor}"
    return ""

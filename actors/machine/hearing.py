"""Which vends and commands a fact settles, or may settle: the facts that count before their own
deadlines.

A deadline of a vend stands for "nobody told us". It must not come before somebody who tells,
however late that is heard: behind a database that was away, or in the next letter of the same
mailbox. A payment is no such fact; it is late by its deadline (``decide``).
"""

from actors.machine import events
from actors.machine.command import CommandAnswered
from actors.machine.policy import Policy
from actors.machine.state import MachineState, Vend, VendStatus, open_vends

UNHEARD = frozenset({VendStatus.APPROVED, VendStatus.IN_DOUBT})
"""A vend with one of these is ended by its deadline if nobody tells how it went."""
NOTHING: frozenset[str] = frozenset()


def unheard(state: MachineState) -> tuple[Vend, ...]:
    """Return the vends of which somebody must still tell how they went, or time will end them."""
    return tuple(vend for vend in open_vends(state) if vend.status in UNHEARD)


def overdue(state: MachineState, now_ms: int) -> bool:
    """Tell whether the deadline of such a vend, or of a command, has come."""
    for vend in open_vends(state):
        if vend.deadline_at_ms <= now_ms and vend.status in UNHEARD:
            return True
    for command in state.commands:
        if command.deadline_at_ms <= now_ms:
            return True
    return False


def settles(state: MachineState, event: events.Event) -> frozenset[str]:
    """Return the vends and commands whose end the event tells, or may tell: a Hello's journal tells
    of all vends.
    """
    match event:
        case events.FrameReceived():
            return _settled_by(state, event.fact)
        case events.VendSettled(vend_id=vend_id):
            return frozenset({vend_id})
        case events.Connected():
            return frozenset(vend.vend_id for vend in unheard(state))
        case _:
            return NOTHING


def _settled_by(state: MachineState, fact: events.MachineFact) -> frozenset[str]:
    match fact:
        case events.VendSucceeded() | events.VendFailed():
            return frozenset((fact.vend_id,))
        case CommandAnswered():
            return frozenset((fact.command_id,))
        case events.VendCancelled(request_id=request_id):
            return frozenset(
                vend.vend_id for vend in unheard(state) if vend.request_id == request_id
            )
        case _:
            return NOTHING


def within_bound(vend: Vend, wait_ms: int, now_ms: int, policy: Policy) -> int:
    """Return the end of a wait, but never later than all waits of one vend together.

    A machine that comes and goes must not hold money without an end.
    """
    return min(now_ms + wait_ms, _bound(vend, now_ms, policy))


def heard_out(vend: Vend, deadline_at_ms: int, now_ms: int, policy: Policy) -> int:
    """Return the deadline, put off until a machine that has just connected had time to send the
    rest; once, at the end of all waits, not for each time that it connects.
    """
    wait_ms = policy.report_wait_ms
    last_ms = _bound(vend, now_ms, policy) + wait_ms
    return max(deadline_at_ms, min(now_ms + wait_ms, last_ms))


def _bound(vend: Vend, now_ms: int, policy: Policy) -> int:
    since_ms = vend.requested_at_ms if vend.heard_from_ms is None else vend.heard_from_ms
    return (
        min(since_ms, now_ms)
        + policy.payment_wait_ms
        + policy.vend_result_ms
        + policy.doubt_window_ms
    )

"""When the core wants to be called next, if nothing else happens."""

from actors.machine import code_calls, hearing, paying
from actors.machine.policy import Policy
from actors.machine.state import MachineState, VendStatus

_IN_DOUBT = VendStatus.IN_DOUBT


def next_deadline(
    state: MachineState, policy: Policy, heard: frozenset[str] = hearing.NOTHING
) -> int | None:
    """Return the earliest time, in milliseconds since 1970, at which ``TimePassed`` would change
    something; None if never. The end of a doubt about a vend, or of a command, does not
    count if it was ``heard`` of.
    """
    times: list[int] = []  # a list: a generator of these costs three times as much, twice a turn
    session = state.session
    if session is not None:
        vend = session.vend
        in_doubt = vend is not None and vend.status is _IN_DOUBT
        if vend is not None and not (in_doubt and vend.vend_id in heard):
            times.append(vend.deadline_at_ms)
        if vend is None or in_doubt:
            times.append(
                paying.deadline_at_ms(session, policy.idle_refund_ms, policy.unavailable_grace_ms)
            )
    if state.doubts:
        times += [
            one.deadline_at_ms
            for one in state.doubts
            if one.status is _IN_DOUBT and one.vend_id not in heard
        ]
    if state.commands:
        times += [one.deadline_at_ms for one in state.commands if one.command_id not in heard]
    if state.refunds:
        known = (one.next_attempt_at_ms for one in state.refunds)
        times += [at_ms for at_ms in known if at_ms is not None]
    if (code_at_ms := code_calls.deadline_at_ms(state.code)) is not None:
        times.append(code_at_ms)
    return min(times) if times else None

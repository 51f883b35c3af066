"""When the core wants to be called next, if nothing else happens."""

from collections.abc import Iterator

from actors.machine import code_calls, hearing, paying
from actors.machine.policy import Policy
from actors.machine.state import MachineState, VendStatus


def next_deadline(
    state: MachineState, policy: Policy, heard: frozenset[str] = hearing.NOTHING
) -> int | None:
    """Return the earliest time, in milliseconds since 1970, at which ``TimePassed`` would change
    something; None if never. The end of a doubt about a vend, or of a command, does not
    count if it was ``heard`` of.
    """
    return min(_deadlines(state, policy, heard), default=None)


def _deadlines(state: MachineState, policy: Policy, heard: frozenset[str]) -> Iterator[int]:
    session = state.session
    if session is not None:
        if session.vend is not None and not (
            session.vend.status is VendStatus.IN_DOUBT and session.vend.vend_id in heard
        ):
            yield session.vend.deadline_at_ms
        if session.vend is None or session.vend.status is VendStatus.IN_DOUBT:
            yield paying.deadline_at_ms(session, policy.idle_refund_ms, policy.unavailable_grace_ms)
    for vend in state.doubts:
        if vend.status is VendStatus.IN_DOUBT and vend.vend_id not in heard:
            yield vend.deadline_at_ms
    for command in state.commands:
        if command.command_id not in heard:
            yield command.deadline_at_ms
    for refund in state.refunds:
        if refund.next_attempt_at_ms is not None:
            yield refund.next_attempt_at_ms
    if (code_at_ms := code_calls.deadline_at_ms(state.code)) is not None:
        yield code_at_ms

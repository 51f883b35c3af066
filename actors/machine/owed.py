"""The state is the outbox: which calls to Alipay were ordered and never answered.

What is owed to the machine itself is sent when it connects (``connecting``).
"""

from collections.abc import Iterator

from actors.machine import code_calls, refunding
from actors.machine.effects import ProviderCall
from actors.machine.state import MachineState


def owed(state: MachineState) -> tuple[ProviderCall, ...]:
    """Return the calls to make after a restart. Each carries the id that it had before, so that
    twice is once. Of a refund it is asked first: a no to the request might be the echo of one that
    was done.
    """
    return tuple(_owed(state))


def _owed(state: MachineState) -> Iterator[ProviderCall]:
    for refund in state.refunds:
        if refunding.under_way(refund):
            yield refunding.question_about(refund)
    if code_calls.under_way(state.code):
        yield code_calls.order(state.code)

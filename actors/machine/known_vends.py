"""Which vends a state knows of, by the names that machines give them."""

from actors.machine.ids import RequestId, VendId
from actors.machine.state import MachineState, Vend, VendStatus, open_vends

_AWAITING_PAYMENT = VendStatus.AWAITING_PAYMENT


def was_asked(state: MachineState, request_id: RequestId) -> bool:
    """Tell whether a vend that is remembered, or open, was asked for under this id."""
    for vend in state.settled_vends:
        if vend.request_id == request_id:
            return True
    for vend in open_vends(state):
        if vend.request_id == request_id:
            return True
    return False


def find(state: MachineState, wanted: VendId) -> Vend | None:
    """Return an approved or doubtful vend, of the open session or of one that is over."""
    for vend in open_vends(state):
        if vend.vend_id == wanted and vend.status is not _AWAITING_PAYMENT:
            return vend
    return None

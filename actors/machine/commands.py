"""Commands that tell a machine about itself: made from the state alone, so that they can be sent
again at any time.
"""

from actors.machine import locking
from actors.machine.code import CodeStatus
from actors.machine.effects import UpdatePlanogram, UpdateService, Welcome
from actors.machine.ids import VendId
from actors.machine.paying import funds
from actors.machine.state import MachineState, VendStatus, newest_token


def sells(state: MachineState) -> bool:
    """Tell whether machine and administrator accept customers."""
    return state.configuration.enabled and state.link.reader_enabled


def qr_payload(state: MachineState) -> str:
    """Return the code that may be shown: a code that cannot be paid is hidden."""
    return state.code.qr_payload if state.code.status is CodeStatus.ACTIVE else ""


def welcome(state: MachineState) -> Welcome:
    """Return the answer to Hello."""
    session = state.session
    vend_id: VendId | None = None
    if (
        session is not None
        and session.vend is not None
        and session.vend.status is not VendStatus.AWAITING_PAYMENT
    ):
        vend_id = session.vend.vend_id
    return Welcome(
        session_id=None if session is None else session.session_id,
        funds_minor=funds(state),
        vend_id=vend_id,
        planogram_version=state.configuration.planogram_version,
        last_seq=state.link.last_seq,
        currency=state.currency,
        qr_payload=qr_payload(state),
        mode=state.configuration.mode,
        in_service=state.configuration.enabled,
        resume_token=newest_token(state),
    )


def planogram(state: MachineState) -> UpdatePlanogram:
    """Return the machine's columns, whole."""
    return UpdatePlanogram(
        planogram_version=state.configuration.planogram_version, columns=locking.shown(state)
    )


def service(state: MachineState) -> UpdateService:
    """Return whether and how the machine may sell."""
    return UpdateService(
        in_service=state.configuration.enabled,
        qr_payload=qr_payload(state),
        mode=state.configuration.mode,
    )

"""How far customers came, made of a batch of lines. Pure.

Each stage is counted once by what is entered once, whatever is told again: a code that is shown for
a selection, a payment that fed a session, a vend whose price was reserved, a vend whose item fell.
"""

from enum import StrEnum

from actors.machine.events import VendRequested
from actors.machine.ledger import TransferKind
from storage import codec
from storage.insight.facts import vend_of
from storage.insight.local_time import local_hour
from storage.insight.places import Where, where
from storage.insight.reading import Batch, Line
from storage.insight.rollups import Sums, scopes
from storage.tables import funnel_days, scope_funnels


class Stage(StrEnum):
    """The stages, in their order. Who pays first is shown no code of ours: theirs is on the
    machine.
    """

    CODE_SHOWN = "CODE_SHOWN"
    PAID = "PAID"
    APPROVED = "APPROVED"
    DELIVERED = "DELIVERED"


_REQUEST = VendRequested.__name__
_TOP_UP, _RESERVE = TransferKind.TOP_UP.value, TransferKind.RESERVE.value
_DELIVERED = (TransferKind.SETTLE.value, TransferKind.WRITE_OFF.value)


def add_funnel(sums: Sums, batch: Batch) -> None:
    """Add what the lines of a batch say of how far customers came."""
    for line in batch.lines:
        # A code that is shown again to a machine that comes back stands in another kind of line.
        if line.kind == _REQUEST and '"ShowQr"' in line.orders and _shows(line):
            there = where(batch.stays.get(line.machine_id, ()), line.at_ms)
            mode = batch.modes.get(line.session_id or "", "")
            _count(sums, line.machine_id, line.at_ms, there, mode, Stage.CODE_SHOWN)
    counted: set[tuple[Stage, str]] = set()
    for one in batch.moved:
        payment = batch.payments.get(one.trade_id)
        session_id = None if payment is None else payment.session_id
        if one.kind == _TOP_UP:
            if session_id is None:  # late money, which goes back
                continue
            stage, of = Stage.PAID, one.trade_id
        elif one.kind == _RESERVE:
            stage, of = Stage.APPROVED, one.cause.removesuffix(f"/{one.trade_id}")
        elif one.kind in _DELIVERED:
            stage, of = Stage.DELIVERED, vend_of(one)
        else:
            continue
        if (stage, of) in counted:
            continue
        counted.add((stage, of))
        there = where(batch.stays.get(one.machine_id, ()), one.at_ms)
        mode = batch.modes.get(session_id or "", "")
        _count(sums, one.machine_id, one.at_ms, there, mode, stage)


def _shows(line: Line) -> bool:
    return any(order.kind == "ShowQr" for order in codec.decode_orders(line.orders))


def _count(sums: Sums, machine_id: str, at_ms: int, there: Where, mode: str, stage: Stage) -> None:
    key = (local_hour(at_ms, there.time_zone).d, mode, str(stage))
    sums.add(funnel_days, (machine_id, *key), (1,))
    for scope in scopes(there.district, there.site_type):
        sums.add(scope_funnels, (*scope, *key), (1,))

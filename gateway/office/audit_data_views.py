"""Read-outs as administrators read them: frozen views in, messages of ``gateway.office.v1`` out.
Pure and total.
"""

from gateway.fleet import enums
from gateway.fleet.pages import wrong_token
from gateway.fleet.views import timestamp
from gateway.office.v1 import audit_data_pb2
from gateway.office.v1 import audit_data_service_pb2 as wire
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.office.audit_data import AuditReset
from storage.office.audit_figures import Meter
from storage.office.readout_rows import DifferenceView, ReadoutView

_SAYS = enums.descriptor_of(audit_data_pb2.AlipaySays)
_ID_LENGTH = 64
_DIGITS_MAX = 15


def reset(view: AuditReset) -> audit_data_pb2.AuditReset:
    """Return when an interval began anew."""
    return audit_data_pb2.AuditReset(
        machine_id=view.machine_id,
        number=view.number,
        reset_at=timestamp(view.reset_at_ms),
        actor=plain(view.actor),
        reason=plain(view.reason),
    )


def readout(view: ReadoutView, *, listed: bool = False) -> audit_data_pb2.Readout:
    """Return a read-out without what differs; in a list without its findings, so that 500 of them
    fit a client's 4 MiB.
    """
    return audit_data_pb2.Readout(
        readout_id=view.readout_id,
        machine_id=view.machine_id,
        serial=plain(view.serial),
        asset=plain(view.asset),
        said_at=plain(view.said_at),
        read_at=timestamp(view.read_at_ms),
        imported_at=timestamp(view.imported_at_ms),
        actor=plain(view.actor),
        baseline=view.baseline,
        damaged=view.damaged,
        findings=[
            audit_data_pb2.ReadoutFinding(
                line=one.line, defect=one.defect, sentence=plain(one.sentence)
            )
            for one in (() if listed else view.findings)
        ],
        span=_span(view),
        difference_count=view.difference_count,
        size=view.size,
    )


def _span(view: ReadoutView) -> audit_data_pb2.ReadoutSpan:
    span = view.span
    made = audit_data_pb2.ReadoutSpan(
        compared=span.compared,
        previous_readout_id=view.previous_id,
        day_count=span.days,
        day_read_count=span.days_read,
        alipay_difference_count=span.alipay_differences,
        column_count=span.columns_compared,
    )
    if span.compared:
        made.alipay = enums.number_of(_SAYS, span.alipay)  # type: ignore[assignment]  # of this very enum
    if span.from_ms is not None:
        getattr(made, "from").CopyFrom(timestamp(span.from_ms))
    return made


def difference(view: DifferenceView) -> audit_data_pb2.ReadoutDifference:
    """Return a counter that differs."""
    one = view.difference
    return audit_data_pb2.ReadoutDifference(
        item_id=view.item_id,
        counter=plain(one.counter),
        machine=_counted(one.machine, view.currency),
        books=_counted(one.ours, view.currency),
        said=plain(one.said),
        cause=plain(one.cause),
        closed_by=plain(view.closed_by),
        closed_reason=plain(view.closed_reason),
    )


def _counted(told: Meter, currency: str) -> audit_data_pb2.Counted:
    value = None
    if told.minor is not None:
        value = money_pb2.Money(minor=told.minor, currency=currency)
    return audit_data_pb2.Counted(number=told.number, value=value)


def imported(view: ReadoutView) -> wire.ImportedReadout:
    """Return what became of one transmission of a file."""
    return wire.ImportedReadout(
        readout=readout(view),
        differences=map(difference, view.differences),
        already_there=view.again,
    )


def after(position: str) -> tuple[int, str] | None:
    """Return the read-out behind which a page begins, None for the first one. Raises
    CallRefused.
    """
    if not position:
        return None
    at, _, name = position.partition(":")
    if not (at.isascii() and at.isdecimal() and len(at) <= _DIGITS_MAX) or len(name) != _ID_LENGTH:
        raise wrong_token()
    return int(at), name

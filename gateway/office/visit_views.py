"""Visits as administrators read them: views in, messages of ``gateway.office.v1`` out."""

from gateway.fleet.views import timestamp
from gateway.office.v1 import visit_pb2
from gateway.process.texts import plain
from storage.fleet.changes import etag_of
from storage.office.visit_rows import VisitView
from storage.office.visits import VisitLine


def visit(view: VisitView) -> visit_pb2.Visit:
    """Return a visit."""
    return visit_pb2.Visit(
        visit=view.visit,
        machine_id=view.machine_id,
        van=plain(view.van),
        opened_by=plain(view.opened_by),
        opened_at=timestamp(view.opened_at_ms),
        closed_by=plain(view.closed_by),
        closed_at=None if view.closed_at_ms is None else timestamp(view.closed_at_ms),
        reason=plain(view.reason),
        etag=etag_of(view.revision),
    )


def line(view: VisitLine) -> visit_pb2.VisitLine:
    """Return what was done with one product."""
    return visit_pb2.VisitLine(
        product=plain(view.product),
        taken=view.taken,
        loaded=view.loaded,
        unloaded=view.unloaded,
        returned=view.returned,
        missing=view.missing,
        found=view.found,
        lost=view.lost,
        wasted=view.wasted,
    )

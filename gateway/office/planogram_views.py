"""Planograms of many machines as administrators read them: views in, messages of
``gateway.office.v1`` out. Pure and total.
"""

from gateway.fleet import enums
from gateway.fleet import views as fleet_views
from gateway.fleet.views import timestamp
from gateway.office.application_calls import Applied, Planned
from gateway.office.v1 import planogram_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from gateway.process.texts import plain
from storage.fleet.changes import etag_of
from storage.fleet.planogram_words import shown
from storage.office.convergence import ConvergenceView
from storage.office.imports import ImportLine, ImportState, ImportView
from storage.office.templates import TemplateView, read

CHANGES_SHOWN_MAX = 200
_STATE = enums.descriptor_of(planogram_pb2.ApplicationState)
_LINE_STATE = enums.descriptor_of(planogram_pb2.ApplicationLineState)
_WAIT = enums.descriptor_of(planogram_pb2.PlanogramWait)


def convergence(view: ConvergenceView) -> planogram_pb2.Convergence:
    """Return which planogram a machine shall have, and how far that is."""
    made = planogram_pb2.Convergence(
        machine_id=view.machine_id,
        wanted_version=view.wanted_version,
        version_in_force=view.version_in_force,
        shown_version=view.shown_version,
        online=view.online,
        waits_for=enums.number_of(_WAIT, view.waits_for),  # type: ignore[arg-type]  # of this very enum
    )
    if view.since_at_ms is not None:
        made.since.CopyFrom(timestamp(view.since_at_ms))
    return made


def template(view: TemplateView) -> planogram_pb2.PlanogramTemplate:
    """Return a template."""
    content = view.content
    made = planogram_pb2.PlanogramTemplate(
        code=plain(view.template),
        name=plain(content.name),
        price_list=plain(content.price_list),
        currency=content.currency,
        columns=[
            planogram_pb2.TemplateColumn(
                column=plain(one.column),
                product=plain(one.product),
                price_minor=one.price_minor,
                capacity=one.capacity,
                par=one.par,
            )
            for one in content.columns
        ],
        created_at=timestamp(view.created_at_ms),
        updated_at=timestamp(view.updated_at_ms),
        etag=etag_of(view.revision),
    )
    if view.archived_at_ms is not None:
        made.archived_at.CopyFrom(timestamp(view.archived_at_ms))
    return made


def application(view: ImportView) -> planogram_pb2.PlanogramApplication:
    """Return how far an application is."""
    of = read(view.about)
    waits = view.state is ImportState.RUNNING and view.started_at_ms is None
    word = "WAITING" if waits else view.state.value
    made = planogram_pb2.PlanogramApplication(
        application_id=view.import_id,
        state=enums.number_of(_STATE, word),  # type: ignore[arg-type]  # of this very enum
        template=plain(of.template),
        template_etag=etag_of(of.revision),
        actor=plain(view.actor.name),
        effective_time=timestamp(view.from_ms),
        machine_count=view.line_count,
        done_count=view.done_count,
        failed_count=view.failed_count,
        machines_per_second=view.lines_per_s,
        failures_max=view.failures_max,
        created_at=timestamp(view.created_at_ms),
        machines_fixed_at=timestamp(view.created_at_ms),
        reason=plain(view.reason),
    )
    if view.started_at_ms is not None:
        made.started_at.CopyFrom(timestamp(view.started_at_ms))
    if view.ended_at_ms is not None:
        made.ended_at.CopyFrom(timestamp(view.ended_at_ms))
    return made


def line(view: ImportLine) -> planogram_pb2.ApplicationLine:
    """Return one machine of an application."""
    return planogram_pb2.ApplicationLine(
        machine_id=view.machine_id,
        state=enums.number_of(_LINE_STATE, view.state),  # type: ignore[arg-type]  # of this very enum
        problem=plain(view.said),
        waits_for_application=view.waits_for,
    )


def applied(done: Applied) -> wire.ApplyPlanogramResponse:
    """Return what became of an application: what it is, or what it would be."""
    refused = sum(1 for one in done.planned if one.problem)
    changed = sum(1 for one in done.planned if one.differences)
    failing = sum(1 for one in done.planned if one.fails and not one.problem)
    made = wire.ApplyPlanogramResponse(
        changed_count=changed,
        same_count=len(done.planned) - refused - changed,
        refused_count=refused,
        failing_count=failing,
    )
    if done.view is not None:
        made.application.CopyFrom(application(done.view))
        return made
    told = [one for one in done.planned if one.problem or one.differences]
    first = sorted(told, key=lambda one: (not one.problem, not one.fails))[:CHANGES_SHOWN_MAX]
    made.changes.extend(map(_planned, first))
    return made


def _planned(one: Planned) -> planogram_pb2.PlannedChange:
    return planogram_pb2.PlannedChange(
        machine_id=one.machine_id,
        differences=map(plain, shown(one.differences)),
        problem=plain(one.fails),
        removed=map(fleet_views.removed, one.removed),
    )

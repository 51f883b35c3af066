"""Imports of machines, as administrators read them: frozen views in, messages of
``gateway.office.v1`` out. Pure and total.
"""

from gateway.fleet import enums
from gateway.fleet.views import timestamp
from gateway.office.import_calls import Taken
from gateway.office.machine_csv import MachineFileLine
from gateway.office.v1 import machine_import_pb2
from gateway.office.v1 import machine_import_service_pb2 as wire
from gateway.process.texts import plain
from storage.office.imports import ImportLine, ImportView

LINES_SHOWN_MAX = 500
PROBLEMS_SHOWN_MAX = 5
SAID_LENGTH_MAX = 200
DIFFERENCE_LENGTH_MAX = 2_000
_STATE = enums.descriptor_of(machine_import_pb2.MachineImportState)
_LINE_STATE = enums.descriptor_of(machine_import_pb2.MachineLineState)


def machine_import(view: ImportView) -> machine_import_pb2.MachineImport:
    """Return how far an import is."""
    made = machine_import_pb2.MachineImport(
        import_id=view.import_id,
        state=enums.number_of(_STATE, view.state),  # type: ignore[arg-type]  # of this very enum
        actor=plain(view.actor.name),
        line_count=view.line_count,
        done_count=view.done_count,
        failed_count=view.failed_count,
        lines_per_second=view.lines_per_s,
        failures_max=view.failures_max,
        created_at=timestamp(view.created_at_ms),
        reason=plain(view.reason),
    )
    if view.ended_at_ms is not None:
        made.ended_at.CopyFrom(timestamp(view.ended_at_ms))
    return made


def line(view: ImportLine) -> machine_import_pb2.MachineLine:
    """Return one line of an import."""
    return machine_import_pb2.MachineLine(
        line=view.line,
        machine_id=view.machine_id,
        state=enums.number_of(_LINE_STATE, view.state),  # type: ignore[arg-type]  # of this very enum
        problem=plain(view.said),
    )


def taken(done: Taken) -> wire.ImportMachinesResponse:
    """Return what became of a file: an import, or what it would be."""
    new = sum(1 for one in done.lines if one.wish.machine_id in done.new)
    made = wire.ImportMachinesResponse(
        new_count=new,
        known_count=len(done.lines) - new,
        refused_count=sum(1 for one in done.lines if one.problems),
        changed_count=sum(1 for one in done.lines if one.difference and not one.problems),
    )
    if done.view is not None:
        made.machine_import.CopyFrom(machine_import(done.view))
        return made
    shown = sorted(done.lines, key=lambda one: _rank(one, done))[:LINES_SHOWN_MAX]
    made.lines.extend(_checked(one, done) for one in shown)
    return made


def _rank(one: MachineFileLine, done: Taken) -> int:
    if one.problems:
        return 0
    return 1 if one.difference or one.wish.machine_id in done.new else 2


def _checked(one: MachineFileLine, done: Taken) -> wire.CheckedMachineLine:
    return wire.CheckedMachineLine(
        line=one.number,
        machine_id=plain(one.wish.machine_id)[:SAID_LENGTH_MAX],
        new=one.wish.machine_id in done.new,
        problems=[plain(said)[:SAID_LENGTH_MAX] for said in one.problems[:PROBLEMS_SHOWN_MAX]],
        difference=plain(one.difference)[:DIFFERENCE_LENGTH_MAX],
    )

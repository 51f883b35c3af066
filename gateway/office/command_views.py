"""Commands as administrators read them: views in, messages of ``gateway.office.v1`` out."""

from actors.machine.command import MachineReport
from gateway.fleet import enums
from gateway.fleet.views import timestamp
from gateway.office.v1 import command_pb2
from gateway.process.texts import plain
from storage.office.commands import CommandView

KIND = enums.descriptor_of(command_pb2.CommandKind)
WAIT = enums.descriptor_of(command_pb2.CommandWait)
STATUS = enums.descriptor_of(command_pb2.CommandStatus)


def command(view: CommandView) -> command_pb2.Command:
    """Return a command."""
    return command_pb2.Command(
        command_id=view.command_id,
        machine_id=view.machine_id,
        kind=enums.number_of(KIND, view.kind),  # type: ignore[arg-type]  # of this very enum
        column=plain(view.column),
        show_for_s=view.show_for_ms // 1_000,
        status=enums.number_of(STATUS, view.status),  # type: ignore[arg-type]  # of this very enum
        ordered_by=plain(view.ordered_by),
        ordered_at=timestamp(view.ordered_at_ms),
        expires_at=timestamp(view.expires_at_ms),
        sent_at=None if view.sent_at_ms is None else timestamp(view.sent_at_ms),
        ended_at=None if view.ended_at_ms is None else timestamp(view.ended_at_ms),
        detail=plain(view.detail),
        evidence=plain(view.evidence),
        dropped=view.dropped,
        report=None if view.report is None else _report(view.report),
        waits_for=enums.number_of(WAIT, view.waits_for),  # type: ignore[arg-type]  # of this very enum
    )


def _report(said: MachineReport) -> command_pb2.MachineReport:
    """Return what the machine said; what it does not know stays unset."""
    return command_pb2.MachineReport(
        uptime_s=said.uptime_s,
        firmware=plain(said.firmware),
        free_flash_bytes=said.free_flash_bytes,
        signal_dbm=said.signal_dbm,
        temperature_c=said.temperature_c,
        door_open=said.door_open,
    )

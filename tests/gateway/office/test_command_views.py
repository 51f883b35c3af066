"""Commands in the words of the wire."""

from dataclasses import replace

import pytest

from actors.machine.command import CommandKind, CommandStatus, CommandWait, MachineReport
from gateway.office import command_views as views
from gateway.office.v1 import command_pb2
from storage.office.commands import CommandView

REBOOT = CommandView(
    command_id="c1",
    machine_id="VM-1",
    kind="REBOOT",
    column="",
    show_for_ms=2_000,
    status="QUEUED",
    ordered_by="ann",
    ordered_at_ms=1,
    expires_at_ms=2,
    sent_at_ms=None,
    ended_at_ms=None,
    dropped=False,
    detail="",
    evidence="",
    report=None,
)


@pytest.mark.parametrize("kind", CommandKind)
def test_each_kind_has_a_number(kind: CommandKind) -> None:
    """And seconds where the machine counts milliseconds."""
    message = views.command(replace(REBOOT, kind=kind))
    assert f"COMMAND_KIND_{kind}" == command_pb2.CommandKind.Name(message.kind)
    assert 2 == message.show_for_s


@pytest.mark.parametrize("status", CommandStatus)
def test_each_status_has_a_number(status: CommandStatus) -> None:
    """What has not happened has no time."""
    message = views.command(replace(REBOOT, status=status))
    assert f"COMMAND_STATUS_{status}" == command_pb2.CommandStatus.Name(message.status)
    assert not message.HasField("sent_at")
    assert not message.HasField("ended_at")
    message = views.command(replace(REBOOT, sent_at_ms=3, ended_at_ms=4))
    assert (3_000_000, 4_000_000) == (message.sent_at.nanos, message.ended_at.nanos)


@pytest.mark.parametrize("wait", CommandWait)
def test_each_wait_has_a_number(wait: CommandWait) -> None:
    """What keeps it back is said in a word of the wire."""
    message = views.command(replace(REBOOT, waits_for=wait.value))
    assert f"COMMAND_WAIT_{wait}" == command_pb2.CommandWait.Name(message.waits_for)


def test_what_a_machine_does_not_know_is_not_0() -> None:
    """No report is none; one with zeros has them."""
    assert not views.command(REBOOT).HasField("report")
    said = views.command(replace(REBOOT, report=MachineReport(temperature_c=0))).report
    assert said.HasField("temperature_c")
    assert not said.HasField("uptime_s")

"""CommandService over a real server, real SQL, a real actor and a machine's real stream."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from gateway.fleet.v1 import fleet_service_pb2
from gateway.links.commands import HostUnavailable
from gateway.office.v1 import (
    command_pb2,
    goods_service_pb2,
    incident_pb2,
    incident_service_pb2,
)
from gateway.office.v1 import command_service_pb2 as wire
from gateway.v1 import machine_pb2 as machines_wire
from tests.support.edge import MachineCall
from tests.support.fleet_calls import answers_forgotten, cut_off, refusal, registered
from tests.support.goods_calls import COLUMNS
from tests.support.site import Site, found
from tests.support.site_machine import a_door, a_machine, heard

KNOWS = machines_wire.Capabilities(commands=True)


@pytest.fixture
async def machine(site: Site) -> AsyncIterator[MachineCall]:
    """A machine that knows commands."""
    await registered(site, columns=COLUMNS)
    async with a_door(site) as open_stream:
        machine = open_stream()
        await machine.hello("VM-1", planogram_version=1, capabilities=KNOWS)
        yield machine


def ordering(kind: str = "REPORT", **more: Any) -> wire.OrderCommandRequest:
    """Return the request that orders something of the machine."""
    number = command_pb2.CommandKind.Value(f"COMMAND_KIND_{kind}")
    return wire.OrderCommandRequest(machine_id="VM-1", kind=number, **more)


async def order(site: Site, kind: str = "REPORT", **more: Any) -> command_pb2.Command:
    """Order it, and return the command."""
    answer: wire.OrderCommandResponse = await site.commands.OrderCommand(ordering(kind, **more))
    return answer.command


async def ended(site: Site, command_id: str, status: str) -> command_pb2.Command | None:
    """Return the command as soon as it has this status."""
    asked = wire.GetCommandRequest(command_id=command_id)
    command: command_pb2.Command = (await site.commands.GetCommand(asked)).command
    return command if command_pb2.CommandStatus.Name(command.status).endswith(status) else None


async def test_a_report_is_ordered_and_told(site: Site, machine: MachineCall) -> None:
    """Sent to the machine, answered by it, and kept with the command."""
    made = await order(site, request_id="c-1", reason="slow", valid_for_s=60)
    assert command_pb2.COMMAND_STATUS_SENT == made.status
    assert 60 == made.expires_at.seconds - made.ordered_at.seconds
    command = (await heard(machine, "command")).command
    assert (made.command_id, "report") == (command.command_id, command.WhichOneof("order"))
    result = machines_wire.CommandResult(
        command_id=made.command_id,
        outcome=machines_wire.COMMAND_OUTCOME_APPLIED,
        report=machines_wire.MachineReport(uptime_s=0, temperature_c=-3, firmware="7"),
    )
    await machine.say(1, command_result=result)
    done = await found(lambda: ended(site, made.command_id, "APPLIED"))
    assert (True, 0, -3, "7") == (
        done.report.HasField("uptime_s"),
        done.report.uptime_s,
        done.report.temperature_c,
        done.report.firmware,
    )
    assert not done.report.HasField("door_open")
    assert done.ended_at.seconds
    assert made == await order(site, request_id="c-1", reason="slow", valid_for_s=60)


async def test_a_test_vend_takes_an_item_to_test(site: Site, machine: MachineCall) -> None:
    """The stock has one less, and the move says why."""
    made = await order(site, "TEST_VEND", column="A1")
    assert "A1" == (await heard(machine, "command")).command.test_vend.column
    evidence = machines_wire.Evidence(
        motor=machines_wire.MOTOR_EVIDENCE_RAN, drop=machines_wire.DROP_EVIDENCE_SEEN
    )
    applied = machines_wire.COMMAND_OUTCOME_APPLIED
    result = machines_wire.CommandResult(
        command_id=made.command_id, outcome=applied, evidence=evidence
    )
    await machine.say(1, command_result=result)
    done = await found(lambda: ended(site, made.command_id, "APPLIED"))
    assert (True, "motor=RAN drop=SEEN") == (done.dropped, done.evidence)
    asked = goods_service_pb2.ListGoodsMovesRequest(machine_id="VM-1", page_size=1)
    (move,) = (await site.goods.ListGoodsMoves(asked)).moves
    assert ("TEST", "COLUMN:VM-1/A1", 1) == (move.to_place, move.from_place, move.quantity)


async def test_what_a_command_waits_for_is_said(site: Site, machine: MachineCall) -> None:
    """By the answer to the order, and by each look at it."""
    made = await order(site, "TEST_VEND", column="A1")
    assert command_pb2.COMMAND_WAIT_ANSWER == made.waits_for
    await order(site, "REBOOT")
    told = (await site.commands.ListCommands(wire.ListCommandsRequest())).commands
    assert {command_pb2.COMMAND_WAIT_ANSWER, command_pb2.COMMAND_WAIT_TEST_VEND} == {
        one.waits_for for one in told
    }
    assert machine is not None


async def test_a_lock_of_a_command_is_seen_with_its_time(site: Site, machine: MachineCall) -> None:
    """At the machine, and in its health."""
    made = await order(site, "LOCK_COLUMN", column="A1")
    asked = fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    (lock,) = (await site.fleet.GetMachine(asked)).machine.locks
    assert ("A1", "", made.ordered_at) == (lock.column, lock.recall_id, lock.since)
    health = incident_service_pb2.GetMachineHealthRequest(machine_id="VM-1")
    troubles = (await site.incidents.GetMachineHealth(health)).troubles
    locked = [one for one in troubles if one.kind == incident_pb2.TROUBLE_KIND_LOCKED]
    assert [("A1", made.ordered_at)] == [(one.column, one.since) for one in locked]
    await order(site, "UNLOCK_COLUMN", column="A1")
    assert not (await site.fleet.GetMachine(asked)).machine.locks
    assert machine is not None


async def test_pages_and_filters(site: Site, machine: MachineCall) -> None:
    """The newest first; by kind, by status, by machine."""
    made = [await order(site, kind) for kind in ("REPORT", "SHOW_IDENTITY", "REBOOT")]
    names = [one.command_id for one in reversed(made)]
    first = await site.commands.ListCommands(wire.ListCommandsRequest(page_size=2))
    rest = await site.commands.ListCommands(
        wire.ListCommandsRequest(page_size=2, page_token=first.next_page_token)
    )
    told = [*first.commands, *rest.commands]
    assert sorted(names) == sorted(one.command_id for one in told)
    assert {60, 0} == {one.show_for_s for one in told}
    for filters, wanted in (
        ({"kind": command_pb2.COMMAND_KIND_REBOOT}, {names[0]}),
        ({"status": command_pb2.COMMAND_STATUS_SENT, "machine_id": "VM-1"}, set(names)),
        ({"status": command_pb2.COMMAND_STATUS_APPLIED}, set()),
    ):
        page = await site.commands.ListCommands(wire.ListCommandsRequest(**filters))
        assert wanted == {one.command_id for one in page.commands}
    assert "report" == (await heard(machine, "command")).command.WhichOneof("order")


@pytest.mark.usefixtures("machine")
async def test_four_are_open_at_most(site: Site) -> None:
    """The fifth is refused at once; a check says the same."""
    for _ in range(4):
        await order(site)
    for only_check in (False, True):
        one_more = ordering(validate_only=only_check)
        code, reason, _ = await refusal(site.commands.OrderCommand(one_more))
        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_COMMANDS") == (code, reason)


async def test_what_waits_is_taken_back_and_nothing_else(site: Site) -> None:
    """A machine that is away has not got it; a lock holds here; a sent one may be done."""
    await registered(site, columns=COLUMNS)
    waits = await order(site, "REBOOT")
    assert command_pb2.COMMAND_STATUS_QUEUED == waits.status
    cancel = wire.CancelCommandRequest(command_id=waits.command_id, reason="no need")
    rehearsed = wire.CancelCommandRequest(command_id=waits.command_id, validate_only=True)
    assert waits == (await site.commands.CancelCommand(rehearsed)).command
    done = (await site.commands.CancelCommand(cancel)).command
    assert command_pb2.COMMAND_STATUS_CANCELLED == done.status
    _, reason, _ = await refusal(site.commands.CancelCommand(cancel))
    assert "COMMAND_NOT_QUEUED" == reason
    lock = await order(site, "LOCK_COLUMN", column="A1")
    cancel = wire.CancelCommandRequest(command_id=lock.command_id)
    _, reason, _ = await refusal(site.commands.CancelCommand(cancel))
    assert "COMMAND_IN_FORCE" == reason
    cancel = wire.CancelCommandRequest(command_id="nobody")
    _, reason, _ = await refusal(site.commands.CancelCommand(cancel))
    assert "COMMAND_NOT_FOUND" == reason


@pytest.mark.usefixtures("machine")
async def test_what_cannot_be_ordered_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """With what is wrong, and nothing is ordered."""
    for request_, reason, wrong in [
        (ordering("TEST_VEND"), "INVALID_REQUEST", ["column"]),
        (ordering("REBOOT", column="A1"), "INVALID_REQUEST", ["column"]),
        (ordering("REPORT", show_for_s=5), "INVALID_REQUEST", ["show_for_s"]),
        (ordering("SHOW_IDENTITY", show_for_s=3_601), "INVALID_REQUEST", ["show_for_s"]),
        (ordering("REPORT", valid_for_s=604_801), "INVALID_REQUEST", ["valid_for_s"]),
        (wire.OrderCommandRequest(), "INVALID_REQUEST", ["machine_id", "kind"]),
        (ordering("TEST_VEND", column="Z9"), "COLUMN_NOT_FOUND", []),
        (ordering("UNLOCK_COLUMN", column="A1"), "COLUMN_NOT_LOCKED", []),
    ]:
        with subtests.test(wrong=wrong):
            _, said, fields = await refusal(site.commands.OrderCommand(request_))
            assert (reason, wrong) == (said, fields)
            assert not (await site.commands.ListCommands(wire.ListCommandsRequest())).commands


async def test_firmware_without_commands_is_refused_at_once(site: Site) -> None:
    """Once it was heard of; a list cannot be filtered by everything at once."""
    await registered(site, columns=COLUMNS)
    async with a_machine(site):
        code, reason, _ = await refusal(site.commands.OrderCommand(ordering()))
        assert (grpc.StatusCode.FAILED_PRECONDITION, "COMMANDS_UNKNOWN") == (code, reason)
    both = wire.ListCommandsRequest(
        kind=command_pb2.COMMAND_KIND_REBOOT, status=command_pb2.COMMAND_STATUS_SENT
    )
    _, _, wrong = await refusal(site.commands.ListCommands(both))
    assert ["status"] == wrong


@pytest.mark.usefixtures("machine")
async def test_a_check_leaves_nothing(site: Site) -> None:
    """It says what would be ordered, without a name."""
    made = await order(site, validate_only=True)
    assert ("", command_pb2.COMMAND_STATUS_QUEUED) == (made.command_id, made.status)
    assert not (await site.commands.ListCommands(wire.ListCommandsRequest())).commands


async def test_an_id_of_long_ago_orders_nothing_twice(site: Site, machine: MachineCall) -> None:
    """The same again would be taken for done, and is refused. Something else has a name of its own,
    by which no machine takes it for what it obeyed.
    """
    first = await order(site, request_id="morning")
    await answers_forgotten(site)
    _, reason, _ = await refusal(site.commands.OrderCommand(ordering(request_id="morning")))
    assert "REQUEST_ID_USED" == reason
    other = await order(site, "LOCK_COLUMN", column="A1", request_id="morning")
    assert ("A1", True) == (other.column, first.command_id != other.command_id)
    assert machine is not None


async def test_an_id_of_long_ago_orders_nothing_also_where_its_first_call_was_cut_off(
    site: Site, machine: MachineCall
) -> None:
    """What goes on is a call that has ordered nothing yet, and the order of long ago is not its."""
    await order(site, request_id="morning")
    await answers_forgotten(site)
    with cut_off():
        code, _, _ = await refusal(site.commands.OrderCommand(ordering(request_id="morning")))
        assert grpc.StatusCode.UNAVAILABLE == code
    _, reason, _ = await refusal(site.commands.OrderCommand(ordering(request_id="morning")))
    assert "REQUEST_ID_USED" == reason
    assert machine is not None


async def test_an_order_whose_answer_was_lost_is_answered_by_the_same_request_again(
    site: Site, machine: MachineCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine got it once."""
    tell = site.links.command

    async def lost(*about: Any, **more: Any) -> Any:
        await tell(*about, **more)
        raise HostUnavailable("its answer is lost", sent=True)

    with monkeypatch.context() as patched:
        patched.setattr(site.links, "command", lost)
        await refusal(site.commands.OrderCommand(ordering(request_id="c-1")))
    made = await order(site, request_id="c-1")
    assert made.command_id == (await heard(machine, "command")).command.command_id
    assert 1 == len((await site.commands.ListCommands(wire.ListCommandsRequest())).commands)

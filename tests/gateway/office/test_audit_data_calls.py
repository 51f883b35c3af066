"""A request about audit data is checked before anything is asked of storage."""

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.office.v1 import audit_data_service_pb2 as wire
from tests.gateway.office.evadts.files import counted
from tests.support.fleet_calls import refusal, registered
from tests.support.site import Site

ANN = [("x-actor", "ann")]


async def test_what_is_wrong_is_said(site: Site, subtests: pytest.Subtests) -> None:
    """By the name of its field."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"machine_id": "a b"}, "machine_id"),
        ({"read_at": Timestamp(seconds=-1)}, "read_at"),
        ({"read_at": Timestamp(seconds=4_000_000_000)}, "read_at"),
        ({"eva_dts": b""}, "eva_dts"),
        ({"eva_dts": b"x" * 300_000}, "eva_dts"),
    ]
    for wrong, field in cases:
        with subtests.test(field=field):
            request = wire.ImportReadoutRequest(**{"eva_dts": counted(1), **wrong})
            assert [field] == (await refusal(site.audit_data.ImportReadout(request)))[2]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"machine_id": ""}, "machine_id"), ({"reason": ""}, "reason")],
)
async def test_a_reset_needs_a_machine_and_a_reason(
    site: Site, wrong: dict[str, Any], field: str
) -> None:
    """For the audit log."""
    request = wire.ResetMachineAuditRequest(**{"machine_id": "VM-1", "reason": "x", **wrong})
    assert [field] == (await refusal(site.audit_data.ResetMachineAudit(request)))[2]


async def test_what_is_not_there_is_not_found(site: Site) -> None:
    """A machine, and a read-out; a name that none can have is wrong."""
    calls = site.audit_data
    for call, reason in (
        (calls.ExportMachineAudit(wire.ExportMachineAuditRequest(machine_id="VM-9")), "MACHINE"),
        (
            calls.ResetMachineAudit(
                wire.ResetMachineAuditRequest(machine_id="VM-9", reason="x"), metadata=ANN
            ),
            "MACHINE",
        ),
        (
            calls.ImportReadout(
                wire.ImportReadoutRequest(machine_id="VM-9", eva_dts=counted(1)), metadata=ANN
            ),
            "MACHINE",
        ),
        (calls.GetReadout(wire.GetReadoutRequest(readout_id="a" * 64)), "READOUT"),
    ):
        code, said, _ = await refusal(call)
        assert (grpc.StatusCode.NOT_FOUND, f"{reason}_NOT_FOUND") == (code, said)
    wrong = calls.GetReadout(wire.GetReadoutRequest(readout_id="a"))
    assert ["readout_id"] == (await refusal(wrong))[2]


async def test_when_it_was_read_is_when_it_was_brought_unless_it_is_said(site: Site) -> None:
    """To the millisecond."""
    await registered(site)
    said = Timestamp(seconds=1_600_000_000, nanos=5_000_000)
    request = wire.ImportReadoutRequest(eva_dts=counted(0), read_at=said)
    (one,) = (await site.audit_data.ImportReadout(request, metadata=ANN)).readouts
    assert said == one.readout.read_at
    request = wire.ImportReadoutRequest(eva_dts=counted(1), validate_only=True)
    (other,) = (await site.audit_data.ImportReadout(request)).readouts
    assert other.readout.imported_at == other.readout.read_at


async def test_a_token_of_another_list_is_refused(site: Site) -> None:
    """And one that is none."""
    await registered(site)
    for token in ("x", "WyJhIiwgImIiXQ"):
        request = wire.ListReadoutsRequest(page_token=token)
        assert ["page_token"] == (await refusal(site.audit_data.ListReadouts(request)))[2]


async def test_who_keeps_something_has_a_name(site: Site) -> None:
    """For the audit log; who only tries it needs none."""
    await registered(site)
    for tried in (False, True):
        bring = wire.ImportReadoutRequest(eva_dts=counted(0), validate_only=tried)
        reset = wire.ResetMachineAuditRequest(machine_id="VM-1", reason="x", validate_only=tried)
        for call, request in (
            (site.audit_data.ImportReadout, bring),
            (site.audit_data.ResetMachineAudit, reset),
        ):
            if tried:
                await call(request)
            else:
                assert ["x-actor"] == (await refusal(call(request)))[2]

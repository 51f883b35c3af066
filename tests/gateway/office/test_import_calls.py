"""A request about an import is checked before anything is asked of storage."""

from typing import Any

import pytest

from gateway.fleet.idempotence import LEASE_MS
from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import machine_import_service_pb2 as wire
from storage.fleet.answers import Answers
from tests.gateway.office.importing import a_file, a_pier, begun, worker
from tests.support.fleet_calls import refusal, registration
from tests.support.site import Site


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lines_per_second": 101}, "lines_per_second"),
        ({"failures_max": 10_001}, "failures_max"),
        ({"reason": "x" * 501}, "reason"),
        ({"csv": b""}, "csv"),
    ],
)
async def test_what_is_wrong_is_said(site: Site, wrong: dict[str, Any], field: str) -> None:
    """By the name of its field."""
    request = wire.ImportMachinesRequest(**{"csv": a_file("VM-1"), **wrong})
    assert [field] == (await refusal(site.machine_imports.ImportMachines(request)))[2]


async def test_an_import_that_is_not_there_is_not_found(site: Site) -> None:
    """And a name that none can have is wrong."""
    for import_id, reason in (("abc", "MACHINE_IMPORT_NOT_FOUND"), ("a b", "INVALID_REQUEST")):
        get = wire.GetMachineImportRequest(import_id=import_id)
        stop = wire.StopMachineImportRequest(import_id=import_id)
        listing = wire.ListMachineLinesRequest(import_id=import_id)
        for call in (
            site.machine_imports.GetMachineImport(get),
            site.machine_imports.StopMachineImport(stop),
            site.machine_imports.ListMachineLines(listing),
        ):
            assert reason == (await refusal(call))[1]


async def test_a_past_day_needs_a_reason(site: Site) -> None:
    """Which is said before anything is done."""
    await a_pier(site)
    past = a_file("VM-1").replace(b"2199", b"2001")
    request = wire.ImportMachinesRequest(csv=past, validate_only=True)
    told = await site.machine_imports.ImportMachines(request)
    assert ["from_day: is over there, which needs a reason"] == list(told.lines[0].problems)
    request.reason = "they were always there"
    assert 0 == (await site.machine_imports.ImportMachines(request)).refused_count


async def test_a_file_renames_a_machine_that_has_a_code(site: Site) -> None:
    """As UpdateMachine does: Alipay's code follows."""
    await a_pier(site)
    await site.fleet.RegisterMachine(registration("VM-1", store_name="Lobby"))
    request = wire.ImportMachinesRequest(csv=a_file("VM-1", name="Hall"), validate_only=True)
    assert 0 == (await site.machine_imports.ImportMachines(request)).refused_count
    await begun(site, a_file("VM-1", name="Hall"))
    assert await worker(site).once()
    asked = fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    assert "Hall" == (await site.fleet.GetMachine(asked)).machine.store_name


async def _nothing(*_: object) -> None:
    """What a process does that was killed."""


async def test_a_file_that_is_kept_is_answered_though_its_gateway_died(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commit and the answer: by the time somebody may ask again one of its lines
    would be refused, and the import is there all the same.
    """
    await a_pier(site)
    with monkeypatch.context() as killed:
        killed.setattr(Answers, "finish", _nothing)
        first = await begun(site, a_file("VM-1"), request_id="r-1")
    await site.fleet.RegisterMachine(registration("VM-1", currency="JPY"))
    assert "IMPORT_REFUSED" == (await refusal(begun(site, a_file("VM-1"), request_id="r-2")))[1]
    site.clock.ahead_ms += LEASE_MS
    assert first == await begun(site, a_file("VM-1"), request_id="r-1")

"""A request about an import is checked before anything is asked of storage."""

import sqlite3
import threading
from contextlib import closing
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from gateway.fleet.idempotence import LEASE_MS
from gateway.fleet.v1 import fleet_service_pb2
from gateway.office import audit_data_calls, machine_csv, price_csv, product_csv
from gateway.office.v1 import (
    audit_data_service_pb2,
    machine_profile_pb2,
    machine_profile_service_pb2,
    price_service_pb2,
    product_service_pb2,
    selector_pb2,
)
from gateway.office.v1 import machine_import_service_pb2 as wire
from storage.fleet import alike
from storage.fleet.answers import Answers
from storage.fleet.queries import Queries
from tests.gateway.office.importing import FROM, a_file, a_pier, begun, looked_at, worker
from tests.support.fleet_calls import refusal, registration
from tests.support.site import Site


async def test_what_is_wrong_is_said(site: Site, subtests: pytest.Subtests) -> None:
    """By the name of its field."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"lines_per_second": 101}, "lines_per_second"),
        ({"failures_max": 10_001}, "failures_max"),
        ({"reason": "x" * 501}, "reason"),
        ({"csv": b""}, "csv"),
    ]
    for wrong, field in cases:
        with subtests.test(field=field):
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
    no_day = past.replace(b"2001-01-01", b"2001-02-30")
    assert past != no_day
    told = await site.machine_imports.ImportMachines(
        wire.ImportMachinesRequest(csv=no_day, validate_only=True)
    )
    assert ["from_day: must be a day of 2000 to 2199, such as 2026-11-28"] == list(
        told.lines[0].problems
    )
    request.reason = "they were always there"
    assert 0 == (await site.machine_imports.ImportMachines(request)).refused_count


async def test_a_day_is_checked_as_it_will_be_placed(site: Site) -> None:
    """The placement that an export shows is no change and needs no reason, although its day is
    over; that a machine stood nowhere from a past day on needs one, as PlaceMachine says.
    """
    await a_pier(site)
    await site.fleet.RegisterMachine(registration("VM-1"))
    await site.profiles.PlaceMachine(
        machine_profile_service_pb2.PlaceMachineRequest(
            machine_id="VM-1", site="pier", from_day="2001-01-01", reason="it was always there"
        )
    )
    everything = wire.ExportMachinesRequest(selector=selector_pb2.Selector(all=True))
    exported = (await site.machine_imports.ExportMachines(everything)).csv
    assert b"pier,2001-01-01" in exported
    made = await begun(site, exported)
    assert await worker(site).once()
    assert 1 == (await looked_at(site, made.import_id)).done_count
    nowhere = b"machine_id,site,from_day\nVM-1,,2005-01-01"
    request = wire.ImportMachinesRequest(csv=nowhere, validate_only=True)
    told = await site.machine_imports.ImportMachines(request)
    assert ["from_day: is over there, which needs a reason"] == list(told.lines[0].problems)


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


async def test_a_rehearsal_says_what_each_line_changes(site: Site) -> None:
    """Column by column, before and after; what is so already is not said, and comes last."""
    await a_pier(site)
    await site.fleet.RegisterMachine(registration("VM-1", store_name="Lobby"))
    await begun(site, a_file("VM-1"))
    await worker(site).once()
    same = wire.ImportMachinesRequest(csv=a_file("VM-1", "VM-2"), validate_only=True)
    told = await site.machine_imports.ImportMachines(same)
    assert ([("VM-2", True, ""), ("VM-1", False, "")], 0) == (
        [(one.machine_id, one.new, one.difference) for one in told.lines],
        told.changed_count,
    )
    head = "machine_id,store_name,site,from_day,label route,model,policy idle_refund_ms,mode"
    line = "VM-1,Hall,,2199-01-01,,Snack 9,9000,SELECTION_FIRST"
    other = wire.ImportMachinesRequest(csv=f"{head}\n{line}".encode(), validate_only=True)
    told = await site.machine_imports.ImportMachines(other)
    said = (
        "store_name 'Lobby' -> 'Hall'; mode 'BOTH' -> 'SELECTION_FIRST'; "
        "policy idle_refund_ms none -> '9000'; model 'Snack' -> 'Snack 9'; "
        "label route '7' -> none; site 'pier' -> none from 2199-01-01 on"
    )
    assert (said, 1) == (told.lines[0].difference, told.changed_count)


async def test_a_serial_is_one_machines(site: Site) -> None:
    """A read-out that names it would be of either: two lines of one file, and one that another
    machine has. UpdateMachineProfile says the same; a retired machine leaves its serial.
    """
    await site.fleet.RegisterMachine(registration("VM-1"))
    await site.fleet.RegisterMachine(registration("VM-2"))
    set_serial = machine_profile_service_pb2.UpdateMachineProfileRequest(
        profile=machine_profile_pb2.MachineProfile(machine_id="VM-1", serial="S-1"),
        update_mask=FieldMask(paths=["serial"]),
    )
    await site.profiles.UpdateMachineProfile(set_serial)
    csv = b"machine_id,serial\nVM-1,S-1\nVM-2,S-1"
    rehearsed = wire.ImportMachinesRequest(csv=csv, validate_only=True)
    told = await site.machine_imports.ImportMachines(rehearsed)
    twice = "serial: is in the file more than once, in lines 2, 3"
    taken = "serial: is that of machine VM-1"
    assert [[twice], [twice, taken]] == [list(one.problems) for one in told.lines]
    set_serial.profile.machine_id = "VM-2"
    refused = await refusal(site.profiles.UpdateMachineProfile(set_serial))
    assert "SERIAL_TAKEN" == refused[1]
    await site.fleet.RetireMachine(
        fleet_service_pb2.RetireMachineRequest(machine_id="VM-1", reason="scrap"),
        metadata=(("x-actor", "ann"),),
    )
    await site.profiles.UpdateMachineProfile(set_serial)


async def test_of_two_machines_with_one_serial_each_may_keep_it(site: Site) -> None:
    """Two may have it from before, and a line that leaves it as it is says nothing new."""
    for name in ("VM-1", "VM-2", "VM-3"):
        await site.fleet.RegisterMachine(registration(name))
        profile = machine_profile_pb2.MachineProfile(machine_id=name, serial=f"of {name}")
        await site.profiles.UpdateMachineProfile(
            machine_profile_service_pb2.UpdateMachineProfileRequest(
                profile=profile, update_mask=FieldMask(paths=["serial"])
            )
        )
    with closing(sqlite3.connect(site.path)) as books, books:
        books.execute("UPDATE machine_profiles SET serial = 'S' WHERE machine_id != 'VM-3'")
    for name, problems in (
        ("VM-1", []),
        ("VM-2", []),
        ("VM-3", ["serial: is that of machine VM-1"]),
    ):
        csv = f"machine_id,serial,model\n{name},S,Snack".encode()
        request = wire.ImportMachinesRequest(csv=csv, validate_only=True)
        told = await site.machine_imports.ImportMachines(request)
        assert problems == list(told.lines[0].problems)


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


async def test_a_file_is_read_beside_the_loop(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand lines take about a second, in which machines wait for their approvals."""
    readers = (machine_csv, product_csv, price_csv, audit_data_calls)
    on: dict[ModuleType, threading.Thread] = {}

    def watched(module: ModuleType) -> Any:
        read = module.read

        def call(*given: Any, **named: Any) -> Any:
            on[module] = threading.current_thread()
            return read(*given, **named)

        return call

    for module in readers:
        monkeypatch.setattr(module, "read", watched(module))
    for call in (
        site.machine_imports.ImportMachines(wire.ImportMachinesRequest(csv=b"x")),
        site.products.ImportProducts(product_service_pb2.ImportProductsRequest(csv=b"x")),
        site.prices.ImportPrices(price_service_pb2.ImportPricesRequest(price_list="p", csv=b"x")),
        site.audit_data.ImportReadout(audit_data_service_pb2.ImportReadoutRequest(eva_dts=b"x")),
    ):
        assert "INVALID_ARGUMENT" == (await refusal(call))[0].name
    assert set(readers) == set(on)
    assert threading.current_thread() not in on.values()


async def test_an_id_that_people_take_for_another_is_refused(site: Site) -> None:
    """By its line, whether the other one is registered or stands in the file; by RegisterMachine
    too. What is there from before is changed as ever.
    """
    await a_pier(site)
    await site.register("VM-0017")
    file = a_file("vm-0017", "VM-OO17", "VM-0017", "vm-l", "vm-I", "vm-2")
    rehearsed = await site.machine_imports.ImportMachines(
        wire.ImportMachinesRequest(csv=file, validate_only=True)
    )
    told = {one.machine_id: list(one.problems) for one in rehearsed.lines}
    wrong = {name: said for name, said in told.items() if said}
    assert {"vm-0017", "VM-OO17", "vm-l", "vm-I"} == set(wrong)
    assert wrong["vm-0017"][0].startswith("machine_id: is taken for VM-0017: the ids differ only")
    assert wrong["vm-l"][0].startswith("machine_id: is taken for vm-I:")
    reason = (await refusal(begun(site, file)))[1]
    assert "IMPORT_REFUSED" == reason
    again = site.fleet.RegisterMachine(registration("vm-0017"))
    assert "MACHINE_LOOKS_LIKE_ANOTHER" == (await refusal(again))[1]
    await site.fleet.RegisterMachine(registration("VM-0018"))


async def test_what_an_import_brings_is_looked_at_too(site: Site) -> None:
    """A machine whose line waits is as good as there, until somebody stops the import."""
    await a_pier(site)
    brings = await begun(site, a_file("VM-0017"))
    one, other = registration("VM-0017"), registration("vm-0017")
    assert "MACHINE_LOOKS_LIKE_ANOTHER" == (await refusal(site.fleet.RegisterMachine(other)))[1]
    stop = wire.StopMachineImportRequest(import_id=brings.import_id)
    await site.machine_imports.StopMachineImport(stop)
    await site.fleet.RegisterMachine(other)
    assert "MACHINE_LOOKS_LIKE_ANOTHER" == (await refusal(site.fleet.RegisterMachine(one)))[1]


async def test_of_two_that_are_registered_at_once_and_look_alike_one_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is there when it is looked for what the other one looks like."""

    async def nobody(*_: Any) -> dict[str, str]:
        return {}

    monkeypatch.setattr(Queries, "taken_for", nobody)
    await site.fleet.RegisterMachine(registration("VM-0017"))
    second = site.fleet.RegisterMachine(registration("vm-0017"))
    assert "MACHINE_LOOKS_LIKE_ANOTHER" == (await refusal(second))[1]


async def test_a_cell_is_not_repeated_whole(site: Site, subtests: pytest.Subtests) -> None:
    """What is wrong with ten thousand characters is said in a sentence that has an end."""
    await a_pier(site)
    for column in ["site", "model", "policy idle_refund_ms", "label route"]:
        with subtests.test(column=column):
            days = column.startswith("site")
            head, rest = (
                (f"machine_id,{column},from_day", f",{FROM}")
                if days
                else (f"machine_id,{column}", "")
            )
            file = f"{head}\nVM-1,{'x' * 10_000}{rest}\n".encode()
            request = wire.ImportMachinesRequest(csv=file, validate_only=True)
            (line,) = (await site.machine_imports.ImportMachines(request)).lines
            assert [] == [said for said in line.problems if "x" * 41 in said]
            assert [] != [said for said in line.problems if said.startswith(column)]


async def test_what_can_be_no_id_is_looked_for_nowhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand letters can be written in so many ways that counting them would take a
    gateway's seconds, and two of them that are alike are not told of one another.
    """
    await a_pier(site)
    asked: list[str] = []

    def named(key: Any, names: list[str]) -> Any:
        asked.extend(names)
        return looked_for(key, names)

    looked_for = alike.named
    monkeypatch.setattr(alike, "named", named)
    request = wire.ImportMachinesRequest(csv=a_file("VM-1", "x" * 100_000, "X" * 100_000))
    request.validate_only = True
    told = (await site.machine_imports.ImportMachines(request)).lines
    assert {"VM-1"} == set(asked)
    said = [said for line in told for said in line.problems if said.startswith("machine_id")]
    assert ["machine_id: must be 1 to 32 letters, digits, '_' or '-'"] * 2 == said

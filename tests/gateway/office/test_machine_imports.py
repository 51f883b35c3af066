"""MachineImportService over a real server, real SQL and real actors."""

import grpc
import grpc.aio
import pytest

from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import machine_import_pb2
from gateway.office.v1 import machine_import_service_pb2 as wire
from gateway.office.v1 import machine_profile_service_pb2 as profile_wire
from gateway.office.v1.selector_pb2 import Selector
from tests.gateway.office.importing import a_file, a_pier, begun, looked_at, worker
from tests.support.fleet_calls import answers_forgotten, refusal, registration
from tests.support.site import Site

DONE = machine_import_pb2.MACHINE_IMPORT_STATE_DONE
STOPPED = machine_import_pb2.MACHINE_IMPORT_STATE_STOPPED


async def test_a_file_registers_and_changes_machines(site: Site) -> None:
    """As many a second as was asked for; machines that are there are changed, and a second time
    nothing is.
    """
    await a_pier(site)
    await site.fleet.RegisterMachine(registration("VM-1", store_name="Lobby"))
    made = await begun(site, a_file("VM-1", "VM-2", "VM-3"), lines_per_second=2, request_id="r-1")
    assert made == await begun(
        site, a_file("VM-1", "VM-2", "VM-3"), lines_per_second=2, request_id="r-1"
    )
    assert (3, 0, "ann") == (made.line_count, made.done_count, made.actor)
    working = worker(site)
    assert await working.once()
    assert 2 == (await looked_at(site, made.import_id)).done_count
    assert await working.once()
    assert not await working.once()
    ended = await looked_at(site, made.import_id)
    assert (DONE, 3, 0) == (ended.state, ended.done_count, ended.failed_count)
    for machine_id in ("VM-1", "VM-3"):
        asked = fleet_service_pb2.GetMachineRequest(machine_id=machine_id)
        assert "Lobby" == (await site.fleet.GetMachine(asked)).machine.store_name
        wanted = profile_wire.GetMachineProfileRequest(machine_id=machine_id)
        profile = (await site.profiles.GetMachineProfile(wanted)).profile
        assert ("Snack", {"route": "7"}) == (profile.model, dict(profile.labels))
        placed = profile_wire.ListPlacementsRequest(machine_id=machine_id)
        there = (await site.profiles.ListPlacements(placed)).placements
        assert ["pier"] == [one.site for one in there]
    request = fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    before = (await site.fleet.GetMachine(request)).machine.etag
    again = await begun(site, a_file("VM-1", "VM-2", "VM-3"))
    await worker(site).once()
    assert DONE == (await looked_at(site, again.import_id)).state
    assert before == (await site.fleet.GetMachine(request)).machine.etag


async def test_a_file_is_checked_whole(site: Site) -> None:
    """Against what is there too: nothing of it is done if anything is wrong."""
    await site.fleet.RegisterMachine(registration("VM-1", currency="JPY"))
    head = "machine_id,store_name,site,from_day"
    csv = f"{head}\nVM-1,,pier,2199-01-01\nVM-2,Lobby,,\nVM-3,Lobby,,".encode()
    asked = wire.ImportMachinesRequest(csv=csv, validate_only=True)
    told = await site.machine_imports.ImportMachines(asked)
    assert ([2, 3, 4], 3, 2, 1) == (
        [one.line for one in told.lines],
        told.refused_count,
        told.new_count,
        told.known_count,
    )
    assert "site: there is no site 'pier'" in told.lines[0].problems[-1]
    assert ["currency: is needed, because the machine is not registered yet"] == list(
        told.lines[1].problems
    )
    asked.validate_only = False
    refused = await refusal(site.machine_imports.ImportMachines(asked))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "IMPORT_REFUSED") == refused[:2]
    assert not await worker(site).once()


async def test_a_site_that_is_not_there_is_said_once(site: Site) -> None:
    """With its lines, so that what else is wrong is among the problems that are shown."""
    names = [f"VM-{number}" for number in range(1, 31)]
    csv = a_file(*names, site="peer").replace(b"VM-30,Lobby,HKD", b"VM-30,,HKD")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.machine_imports.ImportMachines(wire.ImportMachinesRequest(csv=csv))
    said = str(refused.value.details())
    assert "lines 2-31: site: there is no site 'peer': CreateSite makes it" in said
    assert "line 31: store_name: must have 1 to 64 characters" in said


async def test_an_import_is_found_without_its_id(site: Site) -> None:
    """The newest first, of one state or of all."""
    await a_pier(site)
    first = await begun(site, a_file("VM-1"))
    await worker(site).once()
    await begun(site, a_file("VM-2"))
    told = await site.machine_imports.ListMachineImports(
        wire.ListMachineImportsRequest(page_size=1)
    )
    assert [1] == [one.line_count for one in told.machine_imports]
    assert first.import_id != told.machine_imports[0].import_id
    more = wire.ListMachineImportsRequest(page_size=1, page_token=told.next_page_token)
    told = await site.machine_imports.ListMachineImports(more)
    assert ([first.import_id], "") == (
        [one.import_id for one in told.machine_imports],
        told.next_page_token,
    )
    done = wire.ListMachineImportsRequest(state=machine_import_pb2.MACHINE_IMPORT_STATE_DONE)
    told = await site.machine_imports.ListMachineImports(done)
    assert [first.import_id] == [one.import_id for one in told.machine_imports]
    unknown = wire.ListMachineImportsRequest(state=9)  # type: ignore[arg-type]  # what a newer client may say
    assert ["state"] == (await refusal(site.machine_imports.ListMachineImports(unknown)))[2]


async def test_a_file_of_a_spreadsheet_may_be_parted_by_semicolons(site: Site) -> None:
    """As one that is parted by commas."""
    await a_pier(site)
    made = await begun(site, a_file("VM-1").replace(b",", b";"))
    await worker(site).once()
    assert 1 == (await looked_at(site, made.import_id)).done_count


async def test_a_person_stops_an_import(site: Site) -> None:
    """What waits is not carried out, and another one can begin."""
    await a_pier(site)
    made = await begun(site, a_file("VM-1", "VM-2"), lines_per_second=1)
    second = wire.ImportMachinesRequest(csv=a_file("VM-3"))
    call = site.machine_imports.ImportMachines(second, metadata=(("x-actor", "bob"),))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "IMPORT_RUNNING", []) == await refusal(call)
    await worker(site).once()
    stop = wire.StopMachineImportRequest(import_id=made.import_id, reason="the wrong file")
    stopped = (await site.machine_imports.StopMachineImport(stop)).machine_import
    assert (STOPPED, 1, "the wrong file") == (stopped.state, stopped.done_count, stopped.reason)
    assert not await worker(site).once()
    listing = wire.ListMachineLinesRequest(
        import_id=made.import_id, state=machine_import_pb2.MACHINE_LINE_STATE_WAITING
    )
    lines = (await site.machine_imports.ListMachineLines(listing)).lines
    assert ["VM-2"] == [one.machine_id for one in lines]
    await begun(site, a_file("VM-3"))


async def test_an_import_is_somebodys(site: Site) -> None:
    """Its lines are in the audit log under a name."""
    await a_pier(site)
    nameless = site.machine_imports.ImportMachines(wire.ImportMachinesRequest(csv=a_file("VM-1")))
    assert ["x-actor"] == (await refusal(nameless))[2]


async def test_what_is_exported_changes_nothing_when_it_is_imported(site: Site) -> None:
    """Page by page, of the machines that a selector holds."""
    await a_pier(site)
    await begun(site, a_file("VM-1", "VM-2", "VM-3"))
    await worker(site).once()
    token, pages = "", []
    while True:
        page = await site.machine_imports.ExportMachines(
            wire.ExportMachinesRequest(
                page_size=2, page_token=token, selector=Selector(labels={"route": "7"})
            )
        )
        pages.append(page.csv)
        if not (token := page.next_page_token):
            break
    assert [3, 2] == [len(one.splitlines()) for one in pages]
    request = fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    before = (await site.fleet.GetMachine(request)).machine.etag
    made = await begun(site, pages[0])
    await worker(site).once()
    assert DONE == (await looked_at(site, made.import_id)).state
    assert before == (await site.fleet.GetMachine(request)).machine.etag


async def test_an_id_of_long_ago_imports_nothing_and_says_so(site: Site) -> None:
    """Another id does. The database is not blamed."""
    await a_pier(site)
    await begun(site, a_file("VM-1"), request_id="r-1")
    assert await worker(site).once()
    await answers_forgotten(site)
    refused = await refusal(begun(site, a_file("VM-2"), request_id="r-1"))
    assert "REQUEST_ID_USED" == refused[1]
    assert 1 == (await begun(site, a_file("VM-2"), request_id="r-2")).line_count

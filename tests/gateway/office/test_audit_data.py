"""AuditDataService over a real server, real SQL and real machines: what is exported is what the
ledger says, what machines counted is held against it, and what differs is a person's work.
"""

import grpc
import pytest

from gateway.fleet.v1 import trade_service_pb2, work_item_pb2, work_item_service_pb2
from gateway.office.audit_data_calls import OURS
from gateway.office.evadts.checksums import crc16
from gateway.office.evadts.reading import read
from gateway.office.evadts.writing import SENDER
from gateway.office.v1 import audit_data_pb2
from gateway.office.v1 import audit_data_service_pb2 as wire
from gateway.v1 import machine_pb2 as machines_wire
from storage.office.audit_figures import Meter
from tests.gateway.office.evadts.files import a_file, counted
from tests.support.fleet_calls import refusal, registered
from tests.support.site import Site
from tests.support.site_machine import a_machine, approved, heard

ANN = [("x-actor", "ann")]


@pytest.fixture
async def sold(site: Site) -> None:
    """Have a machine that sold one for 5.00."""
    machine = await registered(site)
    async with a_machine(site) as stream:
        vend_id = await approved(site, stream, machine.qr_payload)
        await stream.say(2, vend_success=machines_wire.VendSuccess(vend_id=vend_id))
        await heard(stream, "end_session")


async def exported(site: Site) -> bytes:
    """Return what the books have of the machine, as a file."""
    request = wire.ExportMachineAuditRequest(machine_id="VM-1")
    content: bytes = (await site.audit_data.ExportMachineAudit(request)).eva_dts
    return content


async def brought(site: Site, content: bytes, **more: object) -> wire.ImportedReadout:
    """Bring a file, and return its only read-out."""
    request = wire.ImportReadoutRequest(eva_dts=content, **more)  # type: ignore[arg-type]
    (one,) = (await site.audit_data.ImportReadout(request, metadata=ANN)).readouts
    found: wire.ImportedReadout = one
    return found


@pytest.mark.usefixtures("sold")
async def test_an_export_is_the_ledger(site: Site) -> None:
    """To the cent, with its trailer right, and read again without a finding."""
    content = await exported(site)
    (found,) = read(content)
    assert () == found.findings
    balances = await site.trades.GetBalances(trade_service_pb2.GetBalancesRequest())
    (balance,) = balances.balances
    assert Meter(number=1, minor=balance.money_sold_minor) == found.counters.cashless
    assert balance.money_in_minor == int(_line(content, "DA4")[1])
    assert {"A1": Meter(number=1, minor=500)} == found.counters.columns
    start, end = content.index(b"ST*"), content.index(b"G85*")
    assert f"{crc16(content[start:end]):04X}" == _line(content, "G85")[1]
    segments = content[start : content.index(b"DXE")].count(b"\r\n")
    assert str(segments) == _line(content, "SE")[1]


def _line(content: bytes, name: str) -> list[str]:
    """Return the fields of the segment of this name."""
    (line,) = (one for one in content.decode().splitlines() if one.startswith(f"{name}*"))
    return line.split("*")


@pytest.mark.usefixtures("sold")
async def test_a_machine_that_counted_what_the_books_say_differs_in_nothing(site: Site) -> None:
    """The round trip: books, file, read-out, books. Our own export is no read-out of a machine."""
    content = await exported(site)
    ours = wire.ImportReadoutRequest(eva_dts=content)
    with pytest.raises(grpc.aio.AioRpcError, match=OURS) as caught:
        await site.audit_data.ImportReadout(ours, metadata=ANN)
    assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code()
    kept = await brought(site, content.replace(SENDER.encode(), b"MEI0000001"))
    assert ("VM-1", 0, True, 1) == (
        kept.readout.machine_id,
        kept.readout.difference_count,
        kept.readout.span.compared,
        kept.readout.span.column_count,
    )
    listed = await site.work_items.ListWorkItems(work_item_service_pb2.ListWorkItemsRequest())
    assert [] == list(listed.work_items)


@pytest.mark.usefixtures("sold")
async def test_a_reset_begins_the_interval_anew(site: Site) -> None:
    """What is since installation stays; a look resets nothing."""
    for _ in range(2):
        assert ["500", "1", "500", "1"] == _line(await exported(site), "DA2")[1:]
    request = wire.ResetMachineAuditRequest(machine_id="VM-1", reason="new route", request_id="r")
    both = [await site.audit_data.ResetMachineAudit(request, metadata=ANN) for _ in range(2)]
    assert both[0] == both[1]
    assert (1, "new route") == (both[0].reset.number, both[0].reset.reason)
    assert ["500", "1", "0", "0"] == _line(await exported(site), "DA2")[1:]


@pytest.mark.usefixtures("sold")
async def test_what_differs_is_closed_by_a_person_with_a_reason(site: Site) -> None:
    """Which the read-out and the audit log tell."""
    kept = await brought(site, counted(3))
    assert ["DA2", "PA2*A1"] == [one.counter for one in kept.differences]
    first = kept.differences[0]
    assert (3, 1_500, 1, 500) == (
        first.machine.number,
        first.machine.value.minor,
        first.books.number,
        first.books.value.minor,
    )
    kinds = [work_item_pb2.WORK_ITEM_KIND_READOUT_DIFFERENCE]
    listing = work_item_service_pb2.ListWorkItemsRequest(kinds=kinds)
    waiting = (await site.work_items.ListWorkItems(listing)).work_items
    assert [one.item_id for one in kept.differences] == [one.item_id for one in waiting]
    assert "GetReadout shows both sides" in waiting[0].next_step
    close = work_item_service_pb2.CloseWorkItemRequest(
        item_id=first.item_id, reason="two test vends"
    )
    await site.work_items.CloseWorkItem(close, metadata=ANN)
    got = await site.audit_data.GetReadout(
        wire.GetReadoutRequest(readout_id=kept.readout.readout_id)
    )
    assert [("ann", "two test vends"), ("", "")] == [
        (one.closed_by, one.closed_reason) for one in got.differences
    ]
    assert counted(3) == got.eva_dts
    assert 1 == len((await site.work_items.ListWorkItems(listing)).work_items)


@pytest.mark.usefixtures("sold")
async def test_the_same_file_again_is_the_same_readout(site: Site) -> None:
    """With or without a request id, and whatever stands around it."""
    first = await brought(site, counted(3), request_id="a")
    assert first == await brought(site, counted(3), request_id="a")
    for content in (counted(3), counted(3).replace(b"\r\n", b"\n"), b"MC5*x\n" + counted(3)):
        again = await brought(site, content)
        assert (True, first.readout) == (again.already_there, again.readout)
    listed = await site.audit_data.ListReadouts(wire.ListReadoutsRequest(machine_id="VM-1"))
    assert [first.readout] == list(listed.readouts)


@pytest.mark.usefixtures("sold")
async def test_a_file_with_defects_is_kept_with_what_is_wrong(site: Site) -> None:
    """Nothing of it, not even of a terminal's language, comes out as it is."""
    content = counted(1).replace(b"Lobby", b"\x1b[2J\xff").replace(b"SE*", b"SE*9")
    kept = await brought(site, content)
    assert ["CHARACTERS", "CHECKSUM", "SEGMENT_COUNT"] == [
        one.defect for one in kept.readout.findings
    ]
    assert (True, False) == (kept.readout.damaged, kept.readout.span.compared)
    assert str(kept).isascii()
    assert "\x1b" not in str(kept)


async def test_a_file_that_is_none_is_refused_with_a_sentence(site: Site) -> None:
    """Before anything is kept."""
    await registered(site)
    request = wire.ImportReadoutRequest(eva_dts=b"hello", machine_id="VM-1")
    code, reason, fields = await refusal(site.audit_data.ImportReadout(request))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "READOUT_REFUSED", ["eva_dts"]) == (
        code,
        reason,
        fields,
    )


async def test_several_machines_in_one_file(site: Site) -> None:
    """Each gets its own read-out; if one of them is nobody's, none does."""
    for name in ("VM-1", "VM-2"):
        await registered(site, name)
    both = counted(0, machine_id="VM-1") + counted(0, machine_id="VM-2")
    strange = wire.ImportReadoutRequest(eva_dts=both + a_file("ID1*nobody"))
    assert (
        "READOUT_OF_NO_MACHINE"
        == (await refusal(site.audit_data.ImportReadout(strange, metadata=ANN)))[1]
    )
    assert [] == list((await site.audit_data.ListReadouts(wire.ListReadoutsRequest())).readouts)
    answer = await site.audit_data.ImportReadout(
        wire.ImportReadoutRequest(eva_dts=both), metadata=ANN
    )
    assert ["VM-1", "VM-2"] == [one.readout.machine_id for one in answer.readouts]


@pytest.mark.usefixtures("sold")
async def test_a_rehearsal_shows_what_would_differ(site: Site) -> None:
    """And keeps nothing."""
    tried = await brought(site, counted(3), validate_only=True)
    assert ["", ""] == [one.item_id for one in tried.differences]
    assert audit_data_pb2.ALIPAY_SAYS_NOT_READ == tried.readout.span.alipay
    assert [] == list((await site.audit_data.ListReadouts(wire.ListReadoutsRequest())).readouts)


async def test_readouts_come_in_pages(site: Site) -> None:
    """The newest first, each once."""
    await registered(site)
    for number in range(3):
        await brought(site, counted(number), baseline=True)
    seen: list[str] = []
    token = ""
    while True:
        page = await site.audit_data.ListReadouts(
            wire.ListReadoutsRequest(page_size=2, page_token=token)
        )
        seen += [one.readout_id for one in page.readouts]
        token = page.next_page_token
        if not token:
            break
    assert 3 == len(set(seen)) == len(seen)

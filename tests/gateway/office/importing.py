"""A file of machines, and the gateway that carries it out, for tests."""

from typing import Any

from gateway.office.import_worker import ImportWorker
from gateway.office.v1 import machine_import_service_pb2 as wire
from tests.gateway.office.placing import a_district, a_site
from tests.support.site import Site

HEAD = "machine_id,store_name,currency,site,from_day,label route,model"
FROM = "2199-01-01"


def a_file(*machine_ids: str, site: str = "pier", head: str = HEAD, **more: str) -> bytes:
    """Return a file of machines that are to stand at a site."""
    rest = f"{more.get('route', '7')},{more.get('model', 'Snack')}"
    lines = [f"{one},{more.get('name', 'Lobby')},HKD,{site},{FROM},{rest}" for one in machine_ids]
    return "\n".join([head, *lines]).encode()


async def begun(site: Site, csv: bytes, **asked: Any) -> Any:
    """Send a file."""
    answer = await site.machine_imports.ImportMachines(
        wire.ImportMachinesRequest(csv=csv, **asked), metadata=(("x-actor", "ann"),)
    )
    return answer.machine_import


async def looked_at(site: Site, import_id: str) -> Any:
    """Return how far an import is."""
    request = wire.GetMachineImportRequest(import_id=import_id)
    return (await site.machine_imports.GetMachineImport(request)).machine_import


async def no_time(_: float) -> None:
    """Do not wait."""


def worker(site: Site, holder: str = "gw-1") -> ImportWorker:
    """Return a gateway's own, which waits for nothing."""
    parts = site.gateway.office
    return ImportWorker(
        imports=parts.imports,
        lines=parts.importing.lines,
        clock=parts.fleet.acts.clock,
        holder=holder,
        sleep=no_time,
    )


async def a_pier(site: Site) -> None:
    """Make the site that files name."""
    await a_district(site)
    await a_site(site)

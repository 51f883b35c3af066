"""Templates and the gateways that apply them, for tests."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.import_worker import ImportWorker
from gateway.office.v1 import planogram_pb2, price_service_pb2, product_pb2, product_service_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from gateway.office.v1.selector_pb2 import Selector
from tests.gateway.office.importing import no_time
from tests.support.site import Site

ANN = (("x-actor", "ann"),)
EVERYONE = Selector(all=True)


async def products(site: Site, *codes: str) -> None:
    """Put products into the catalogue."""
    for code in codes:
        product = product_pb2.Product(code=code)
        await site.products.CreateProduct(product_service_pb2.CreateProductRequest(product=product))


async def listed(site: Site, price_minor: int, *, currency: str = "HKD") -> None:
    """Let cola cost so much in the price list of the city."""
    await site.prices.CreatePriceList(price_service_pb2.CreatePriceListRequest(price_list="city"))
    price = price_service_pb2.NewPrice(product="cola", currency=currency, price_minor=price_minor)
    await site.prices.SetPrices(
        price_service_pb2.SetPricesRequest(price_list="city", prices=[price])
    )


def template(price_minor: int | None = 600, **more: Any) -> planogram_pb2.PlanogramTemplate:
    """One column of cola, for so much; None: for what the city's list says."""
    own = {"currency": "HKD"} if price_minor is not None else {"price_list": "city"}
    column = planogram_pb2.TemplateColumn(
        column="A1", product="cola", price_minor=price_minor, capacity=10, par=more.pop("par", None)
    )
    return planogram_pb2.PlanogramTemplate(code="summer", columns=[column], **(own | more))


async def made(site: Site, price_minor: int | None = 600, **more: Any) -> Any:
    """Make the template."""
    request = wire.CreatePlanogramTemplateRequest(template=template(price_minor, **more))
    return (await site.planograms.CreatePlanogramTemplate(request)).template


async def changed(site: Site, price_minor: int, **more: Any) -> None:
    """Let the template be another one."""
    request = wire.UpdatePlanogramTemplateRequest(template=template(price_minor, **more))
    await site.planograms.UpdatePlanogramTemplate(request)


async def applied(site: Site, *, at_ms: int | None = None, **asked: Any) -> Any:
    """Apply the template to all machines."""
    asked.setdefault("selector", EVERYONE)
    if at_ms is not None:
        asked["effective_time"] = Timestamp(seconds=at_ms // 1_000, nanos=at_ms % 1_000 * 1_000_000)
    request = wire.ApplyPlanogramRequest(template="summer", **asked)
    return await site.planograms.ApplyPlanogram(request, metadata=ANN)


async def looked_at(site: Site, application_id: str) -> Any:
    """Return how far an application is."""
    request = wire.GetPlanogramApplicationRequest(application_id=application_id)
    return (await site.planograms.GetPlanogramApplication(request)).application


def worker(site: Site, holder: str = "gw-1") -> ImportWorker:
    """Return a gateway's own, which waits for nothing."""
    parts = site.gateway.office
    return ImportWorker(
        imports=parts.applications,
        lines=parts.applying.lines,
        clock=parts.fleet.acts.clock,
        holder=holder,
        sleep=no_time,
    )


@dataclass
class Set:
    """A clock that somebody sets."""

    at_ms: int

    def now_ms(self) -> int:
        return self.at_ms


async def price(site: Site, machine_id: str = "VM-1") -> tuple[int, int]:
    """What cola costs in the machine, and the version of its planogram."""
    request = fleet_service_pb2.GetMachineRequest(machine_id=machine_id)
    machine = (await site.fleet.GetMachine(request)).machine
    return machine.columns[0].price_minor, machine.planogram_version


async def carried_out(here: ImportWorker) -> int:
    """Carry out what is due, and return in how many turns."""
    turns = 0
    while await here.once():
        turns += 1
    return turns

"""Experiments over a real server: ann's calls, machines that do as they are told, and days that
pass at once.
"""

from functools import partial
from typing import Any

from gateway.office.v1 import experiment_pb2, experiment_service_pb2_grpc, selector_pb2
from gateway.office.v1 import experiment_service_pb2 as wire
from gateway.screens.compile import compiled
from storage.insight import days
from storage.machines.rows import DAY_MS
from storage.office.playlists import Playlists
from storage.office.screens import ScreenTold
from tests.storage.experiments.fleets import begins, names, sell, told_until
from tests.storage.office.places import by
from tests.storage.office.showing import A, items, some_assets
from tests.support.site import Site

ANN = (("x-actor", "ann"),)


def experiments_of(site: Site) -> Any:
    """The service."""
    stub: Any = experiment_service_pb2_grpc.ExperimentServiceStub(site.channel)

    class Ann:
        """Ann's calls."""

        def __getattr__(self, name: str) -> Any:
            return partial(getattr(stub, name), metadata=ANN)

    return Ann()


def today(site: Site) -> int:
    """Today's date in Greenwich."""
    return days.moved(19700101, site.clock.now_ms() // DAY_MS)


def go_to(site: Site, d: int) -> None:
    """Let it be one in the morning of a day."""
    site.clock.ahead_ms += begins(d) + DAY_MS // 24 - site.clock.now_ms()


def wanted(**more: Any) -> experiment_pb2.ExperimentContent:
    """What ann wants to know."""
    said: dict[str, Any] = {
        "hypothesis": "who sees it buys more",
        "channel": experiment_pb2.EXPERIMENT_CHANNEL_PLAYLIST,
        "design": experiment_pb2.EXPERIMENT_DESIGN_PAIRED,
        "measure": experiment_pb2.EXPERIMENT_MEASURE_UNITS,
        "selector": selector_pb2.Selector(all=True),
        "sought_permille": 300,
        "playlist": "all",
    }
    return experiment_pb2.ExperimentContent(**(said | more))


def of_prices(price_minor: int = 400, **more: Any) -> experiment_pb2.ExperimentContent:
    """Cola for so much."""
    price = experiment_pb2.TriedPrice(product="cola", price_minor=price_minor)
    said: dict[str, Any] = {
        "channel": experiment_pb2.EXPERIMENT_CHANNEL_PRICE,
        "currency": "HKD",
        "playlist": "",
        "prices": [price],
    }
    return wanted(**(said | more))


def create(code: str = "summer", **more: Any) -> wire.CreateExperimentRequest:
    """Ann wants to know whether a playlist sells more."""
    return wire.CreateExperimentRequest(code=code, content=wanted(**more))


async def have_a_past(site: Site, count: int = 16, length: int = 60) -> list[str]:
    """Machines with screens that have sold colas for so many days before today."""
    machines = names(count)
    for machine_id in machines:
        await site.register(machine_id)
    await some_assets(site.database, "a")
    await Playlists(site.database).create("all", items(A), by(action="made"))
    told = [ScreenTold(machine_id=one, heard_at_ms=1, applied="") for one in machines]
    await site.gateway.office.screens.heard(told, [])
    over = days.moved(today(site), -1)
    await sell(site.database, machines, days.moved(over, 1 - length), over)
    await told_until(site.database, over)
    return machines


async def screens_obey(site: Site, *deaf: str) -> None:
    """Let every screen have on its disk what is planned for it, but for those of some machines."""
    screens, now_ms = site.gateway.office.screens, site.clock.now_ms()
    material = await screens.material(now_ms)
    made = compiled(material)
    texts = {sha256: (one.body, one.shown) for sha256, one in made.manifests.items()}
    await screens.want(made.of, texts, now_ms)
    told = [
        ScreenTold(machine_id=one, heard_at_ms=now_ms, applied=manifest)
        for one, manifest in made.of.items()
        if one not in deaf
    ]
    await screens.heard(told, [])


async def work(site: Site) -> None:
    """Let the gateway do for experiments what is due."""
    await site.gateway.office.experimenting.once()


async def units_of(site: Site, code: str = "summer") -> dict[str, experiment_pb2.ExperimentUnit]:
    """The machines of an experiment."""
    request = wire.ListExperimentUnitsRequest(code=code, page_size=500)
    told = await experiments_of(site).ListExperimentUnits(request)
    return {one.machine_id: one for one in told.units}

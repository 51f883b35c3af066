"""PlanogramService over a real server, real SQL, a real actor and a real stream."""

from typing import Any

from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office.v1 import planogram_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from gateway.office.v1.selector_pb2 import Selector
from gateway.v1.machine_pb2 import Heartbeat
from gateway.v1.machine_service_pb2 import ConnectRequest
from tests.support.site import Site, found
from tests.support.site_machine import a_machine, heard


async def converging(site: Site, **asked: Any) -> list[planogram_pb2.Convergence]:
    """What machines show and shall show."""
    request = wire.ListConvergenceRequest(selector=Selector(all=True), **asked)
    return list((await site.planograms.ListConvergence(request)).machines)


def priced(price_minor: int, machine_id: str = "VM-1") -> fleet_service_pb2.SetPlanogramRequest:
    """One column at a price."""
    column = machine_pb2.Column(column="A1", product="cola", price_minor=price_minor, capacity=10)
    return fleet_service_pb2.SetPlanogramRequest(machine_id=machine_id, columns=[column])


async def test_a_machine_converges_when_it_acknowledges(site: Site) -> None:
    """Until then it is listed with what it waits for; a heartbeat is enough to acknowledge."""
    await site.register("VM-1")
    await site.register("VM-2")
    async with a_machine(site) as machine:

        async def waiting() -> list[tuple[str, bool]]:
            told = planogram_pb2.PLANOGRAM_WAIT_ACKNOWLEDGEMENT
            listed = await converging(site, converged=False)
            return [(one.machine_id, one.waits_for == told) for one in listed]

        assert ("VM-1", planogram_pb2.PLANOGRAM_WAIT_NOTHING) == (
            (one := (await converging(site, converged=True))[0]).machine_id,
            one.waits_for,
        )
        await site.fleet.SetPlanogram(priced(600))
        update = await heard(machine, "planogram_update")
        waits = [("VM-1", True), ("VM-2", False)]
        assert waits == (await waiting())
        await machine.call.write(_heartbeat(update.seq - 1))
        await machine.call.write(_heartbeat(update.seq))

        async def converged() -> bool | None:
            return [("VM-2", False)] == await waiting() or None

        assert await found(converged)
        shown = (await converging(site))[0]
        assert (2, 2, 2, True) == (
            shown.wanted_version,
            shown.version_in_force,
            shown.shown_version,
            shown.online,
        )


def _heartbeat(ack: int) -> ConnectRequest:
    return ConnectRequest(ack=ack, heartbeat=Heartbeat())

"""MachineProfileService over a real server, real SQL and a real actor."""

from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import (
    machine_import_service_pb2,
    planogram_service_pb2,
    stock_service_pb2,
)
from gateway.office.v1 import machine_profile_pb2 as profile_wire
from gateway.office.v1 import machine_profile_service_pb2 as wire
from gateway.office.v1.selector_pb2 import Selector
from tests.gateway.office.placing import a_district, a_site
from tests.support.fleet_calls import refusal, registration
from tests.support.site import Site

REFUSED = grpc.StatusCode.FAILED_PRECONDITION
WORKSHOP = profile_wire.MAINTENANCE_MAINTENANCE
SERVICE = profile_wire.MAINTENANCE_IN_SERVICE
LATER, EARLIER = "2199-01-01", "2001-01-01"


async def registered(site: Site, *machine_ids: str) -> None:
    """Register machines."""
    for machine_id in machine_ids:
        await site.fleet.RegisterMachine(registration(machine_id))


async def update(site: Site, machine_id: str, *paths: str, **profile: Any) -> Any:
    """Change a profile."""
    answer = await site.profiles.UpdateMachineProfile(
        wire.UpdateMachineProfileRequest(
            profile=profile_wire.MachineProfile(machine_id=machine_id, **profile),
            update_mask=FieldMask(paths=paths),
        )
    )
    return answer.profile


async def listed(here: Site, **selector: Any) -> list[str]:
    """Return the machines that a selector holds."""
    found: list[str] = []
    token = ""
    while True:
        page = await here.profiles.ListMachineProfiles(
            wire.ListMachineProfilesRequest(
                page_size=1, page_token=token, selector=Selector(**selector)
            )
        )
        found += [one.machine_id for one in page.profiles]
        if not (token := page.next_page_token):
            return found


async def sells(site: Site, machine_id: str = "VM-1") -> bool:
    """Return whether the machine is enabled."""
    request = fleet_service_pb2.GetMachineRequest(machine_id=machine_id)
    return bool((await site.fleet.GetMachine(request)).machine.enabled)


async def test_a_name_that_nobody_knows_is_refused_by_every_selector(site: Site) -> None:
    """A typo left out would look as if all was well with the machine; the names are told, a few of
    them. A machine that is only not held is no typo.
    """
    await registered(site, "VM-1")
    await a_district(site, "hk")
    names = ["VM-1", *(f"X-{number}" for number in range(8))]
    for given, reason in (
        (Selector(machine_ids=["VM-1", "VM-9"]), "MACHINE_NOT_FOUND"),
        (Selector(machine_ids=["VM-1"], district="hg"), "DISTRICT_NOT_FOUND"),
        (Selector(site="peer"), "SITE_NOT_FOUND"),
    ):
        for call in (
            site.profiles.ListMachineProfiles(wire.ListMachineProfilesRequest(selector=given)),
            site.stock.ListLowStock(stock_service_pb2.ListLowStockRequest(selector=given)),
            site.stock.GetPickList(stock_service_pb2.GetPickListRequest(selector=given)),
            site.machine_imports.ExportMachines(
                machine_import_service_pb2.ExportMachinesRequest(selector=given)
            ),
            site.planograms.ListConvergence(
                planogram_service_pb2.ListConvergenceRequest(selector=given, converged=False)
            ),
        ):
            assert reason == (await refusal(call))[1]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await listed(site, machine_ids=names)
    assert "'X-0, X-1, X-2, X-3, X-4 and 3 more'" in str(refused.value.details())
    assert [] == await listed(site, machine_ids=["VM-1"], district="hk")


async def test_a_machine_out_of_service_does_not_sell(site: Site) -> None:
    """It is disabled with its profile, cannot be enabled meanwhile, and sells when it is back."""
    await registered(site, "VM-1")
    out = wire.SetMaintenanceRequest(
        machine_id="VM-1", maintenance=WORKSHOP, reason="jammed", etag="0", request_id="r-1"
    )
    rehearsed = wire.SetMaintenanceRequest(
        machine_id="VM-1", maintenance=WORKSHOP, reason="jammed", validate_only=True
    )
    shown = (await site.profiles.SetMaintenance(rehearsed)).profile
    assert (WORKSHOP, True) == (shown.maintenance, await sells(site))
    answer = await site.profiles.SetMaintenance(out)
    assert answer == await site.profiles.SetMaintenance(out)
    assert (WORKSHOP, "jammed", "1") == (
        answer.profile.maintenance,
        answer.profile.maintenance_reason,
        answer.profile.etag,
    )
    assert not await sells(site)
    enable = fleet_service_pb2.EnableMachineRequest(machine_id="VM-1")
    assert (REFUSED, "MACHINE_OUT_OF_SERVICE", []) == await refusal(
        site.fleet.EnableMachine(enable)
    )
    stale = wire.SetMaintenanceRequest(machine_id="VM-1", maintenance=SERVICE, etag="0")
    assert (grpc.StatusCode.ABORTED, "ETAG_STALE", []) == await refusal(
        site.profiles.SetMaintenance(stale)
    )
    back = wire.SetMaintenanceRequest(machine_id="VM-1", maintenance=SERVICE)
    assert SERVICE == (await site.profiles.SetMaintenance(back)).profile.maintenance
    assert await sells(site)


async def test_a_machine_stands_where_it_is_put(site: Site) -> None:
    """From a day on; a day that is over needs a reason."""
    await a_district(site)
    await a_site(site)
    await registered(site, "VM-1")
    later = wire.PlaceMachineRequest(machine_id="VM-1", site="pier", from_day=LATER)
    assert ["pier"] == [one.site for one in (await site.profiles.PlaceMachine(later)).placements]
    earlier = wire.PlaceMachineRequest(machine_id="VM-1", site="pier", from_day=EARLIER)
    assert (REFUSED, "PAST_NEEDS_REASON", []) == await refusal(site.profiles.PlaceMachine(earlier))
    earlier.reason = "it was always there"
    assert 2 == len((await site.profiles.PlaceMachine(earlier)).placements)
    profile = (
        await site.profiles.GetMachineProfile(wire.GetMachineProfileRequest(machine_id="VM-1"))
    ).profile
    assert ("pier", "hk") == (profile.site, profile.district)
    nowhere = wire.PlaceMachineRequest(machine_id="VM-1", nowhere=True, from_day=LATER)
    await site.profiles.PlaceMachine(nowhere)
    removed = wire.RemovePlacementRequest(machine_id="VM-1", from_day=LATER)
    left = (await site.profiles.RemovePlacement(removed)).placements
    assert [("pier", EARLIER)] == [(one.site, one.from_day) for one in left]
    listing = wire.ListPlacementsRequest(machine_id="VM-1")
    assert left == (await site.profiles.ListPlacements(listing)).placements


async def test_a_selector_shows_what_it_holds(site: Site) -> None:
    """By label, by place and by model, page by page; nothing given is refused."""
    await a_district(site)
    await a_district(site, "kln", "hk")
    await a_site(site, district="kln")
    names = ["VM-1", "VM-2", "VM-3"]
    await registered(site, *names)
    await update(site, "VM-1", "labels", labels={"route": "7"})
    profile = await update(
        site, "VM-2", "labels", "model", "serial", labels={"route": "7"}, model="Snack", serial="S1"
    )
    assert ("Snack", "S1", {"route": "7"}) == (
        profile.model,
        profile.serial,
        dict(profile.labels),
    )
    place = wire.PlaceMachineRequest(
        machine_id="VM-2", site="pier", from_day=EARLIER, reason="always"
    )
    await site.profiles.PlaceMachine(place)
    for selector, expected in (
        ({"all": True}, names),
        ({"labels": {"route": "7"}}, ["VM-1", "VM-2"]),
        ({"district": "hk"}, ["VM-2"]),
        ({"site_type": "STATION"}, ["VM-2"]),
        ({"model": "Snack", "site": "pier"}, ["VM-2"]),
        ({"machine_ids": ["VM-3"]}, ["VM-3"]),
    ):
        assert expected == await listed(site, **selector)
    nothing = wire.ListMachineProfilesRequest()
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["selector"]) == await refusal(
        site.profiles.ListMachineProfiles(nothing)
    )


async def test_what_is_wrong_is_said_at_once(site: Site) -> None:
    """Every problem of the request, by its field; an unknown machine is not found."""
    wrong = wire.PlaceMachineRequest(machine_id="", site="a b", from_day="x", nowhere=True)
    assert (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        ["machine_id", "from_day", "site", "nowhere"],
    ) == await refusal(site.profiles.PlaceMachine(wrong))
    no_reason = wire.SetMaintenanceRequest(machine_id="VM-1", maintenance=WORKSHOP)
    assert ["reason"] == (await refusal(site.profiles.SetMaintenance(no_reason)))[2]
    unknown = wire.SetMaintenanceRequest(machine_id="VM-9", maintenance=SERVICE)
    assert (grpc.StatusCode.NOT_FOUND, "MACHINE_NOT_FOUND", []) == await refusal(
        site.profiles.SetMaintenance(unknown)
    )

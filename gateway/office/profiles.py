# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# machine_profile_service.proto
"""MachineProfileService: what machines are, and where they stand."""

from collections.abc import Sequence

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.requests import Fields
from gateway.office import place_views as views
from gateway.office.errors import in_words
from gateway.office.place_fields import PlaceFields
from gateway.office.profile_calls import ProfileCalls
from gateway.office.v1 import machine_profile_service_pb2 as wire
from gateway.office.v1 import machine_profile_service_pb2_grpc
from storage.office.profiles import Profiles, ProfileView
from storage.office.selectors import Selectors
from storage.office.stays import Stay, Stays


class MachineProfileService(machine_profile_service_pb2_grpc.MachineProfileServiceServicer):
    """One method for each call."""

    def __init__(
        self, parts: Parts, profiles: Profiles, stays: Stays, selectors: Selectors
    ) -> None:
        self.parts = parts
        self._profiles = profiles
        self._stays = stays
        self._selectors = selectors
        self._clock = parts.acts.clock
        self._calls = ProfileCalls(
            profiles=profiles, stays=stays, acts=parts.acts, clock=parts.acts.clock
        )

    @answered
    async def GetMachineProfile(
        self, request: wire.GetMachineProfileRequest, context: Context
    ) -> wire.GetMachineProfileResponse:
        Fields().machine_id(request.machine_id).done()
        with in_words():
            view = await self._profiles.get(request.machine_id, self._clock.now_ms())
        return wire.GetMachineProfileResponse(profile=views.profile(view))

    @answered
    async def ListMachineProfiles(
        self, request: wire.ListMachineProfilesRequest, context: Context
    ) -> wire.ListMachineProfilesResponse:
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        asked = fields.done_page(request, "profiles", selector)
        now_ms = self._clock.now_ms()
        with in_words():
            held = await self._selectors.page(
                selector, now_ms, position=asked.position, limit=asked.limit
            )
        rows = await self._profiles.some(held.machine_ids, now_ms)
        return wire.ListMachineProfilesResponse(
            profiles=map(views.profile, rows),
            next_page_token=pages.next_token(asked, held.position),
        )

    @answered
    async def ListPlacements(
        self, request: wire.ListPlacementsRequest, context: Context
    ) -> wire.ListPlacementsResponse:
        Fields().machine_id(request.machine_id).done()
        with in_words():
            stays = await self._stays.list(request.machine_id)
        return wire.ListPlacementsResponse(placements=views.placements(stays))

    @answered
    async def UpdateMachineProfile(
        self, request: wire.UpdateMachineProfileRequest, context: Context
    ) -> wire.UpdateMachineProfileResponse:
        def answer(view: ProfileView) -> wire.UpdateMachineProfileResponse:
            return wire.UpdateMachineProfileResponse(profile=views.profile(view))

        return await self.parts.change(
            request, context, self._calls.update, answer, wire.UpdateMachineProfileResponse
        )

    @answered
    async def SetMaintenance(
        self, request: wire.SetMaintenanceRequest, context: Context
    ) -> wire.SetMaintenanceResponse:
        def answer(view: ProfileView) -> wire.SetMaintenanceResponse:
            return wire.SetMaintenanceResponse(profile=views.profile(view))

        return await self.parts.change(
            request, context, self._calls.set_maintenance, answer, wire.SetMaintenanceResponse
        )

    @answered
    async def PlaceMachine(
        self, request: wire.PlaceMachineRequest, context: Context
    ) -> wire.PlaceMachineResponse:
        def answer(view: Sequence[Stay]) -> wire.PlaceMachineResponse:
            return wire.PlaceMachineResponse(placements=views.placements(view))

        return await self.parts.change(
            request, context, self._calls.place, answer, wire.PlaceMachineResponse
        )

    @answered
    async def RemovePlacement(
        self, request: wire.RemovePlacementRequest, context: Context
    ) -> wire.RemovePlacementResponse:
        def answer(view: Sequence[Stay]) -> wire.RemovePlacementResponse:
            return wire.RemovePlacementResponse(placements=views.placements(view))

        return await self.parts.change(
            request, context, self._calls.remove, answer, wire.RemovePlacementResponse
        )

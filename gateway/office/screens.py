# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of screen_service.proto
"""ScreenService: what machines show between customers."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import screen_views as views
from gateway.office.errors import in_words, no_manifest
from gateway.office.place_fields import PlaceFields
from gateway.office.screen_calls import ScreenCalls
from gateway.office.v1 import screen_service_pb2 as wire
from gateway.office.v1 import screen_service_pb2_grpc
from storage.office.assets import AssetView
from storage.office.deeds import NotThere
from storage.office.meant import Meant
from storage.office.playlists import PlaylistView
from storage.office.screen_plans import PlanView
from storage.office.screens import Screens


class ScreenService(screen_service_pb2_grpc.ScreenServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, calls: ScreenCalls, screens: Screens) -> None:
        self.parts = parts
        self._calls = calls
        self._screens = screens

    @answered
    async def AddAsset(
        self, request: wire.AddAssetRequest, context: Context
    ) -> wire.AddAssetResponse:
        def answer(view: AssetView) -> wire.AddAssetResponse:
            return wire.AddAssetResponse(asset=views.asset(view))

        return await self.parts.change(
            request, context, self._calls.add_asset, answer, wire.AddAssetResponse
        )

    @answered
    async def RecallAsset(
        self, request: wire.RecallAssetRequest, context: Context
    ) -> wire.RecallAssetResponse:
        def answer(view: AssetView) -> wire.RecallAssetResponse:
            return wire.RecallAssetResponse(asset=views.asset(view))

        return await self.parts.change(
            request, context, self._calls.recall_asset, answer, wire.RecallAssetResponse
        )

    @answered
    async def CreatePlaylist(
        self, request: wire.CreatePlaylistRequest, context: Context
    ) -> wire.CreatePlaylistResponse:
        def answer(view: PlaylistView) -> wire.CreatePlaylistResponse:
            return wire.CreatePlaylistResponse(playlist=views.playlist(view))

        return await self.parts.change(
            request, context, self._calls.create_playlist, answer, wire.CreatePlaylistResponse
        )

    @answered
    async def UpdatePlaylist(
        self, request: wire.UpdatePlaylistRequest, context: Context
    ) -> wire.UpdatePlaylistResponse:
        def answer(view: PlaylistView) -> wire.UpdatePlaylistResponse:
            return wire.UpdatePlaylistResponse(playlist=views.playlist(view))

        return await self.parts.change(
            request, context, self._calls.update_playlist, answer, wire.UpdatePlaylistResponse
        )

    @answered
    async def CreateScreenPlan(
        self, request: wire.CreateScreenPlanRequest, context: Context
    ) -> wire.CreateScreenPlanResponse:
        def answer(made: tuple[PlanView, Meant | None]) -> wire.CreateScreenPlanResponse:
            return wire.CreateScreenPlanResponse(plan=views.plan(*made))

        return await self.parts.change(
            request, context, self._calls.create_plan, answer, wire.CreateScreenPlanResponse
        )

    @answered
    async def EndScreenPlan(
        self, request: wire.EndScreenPlanRequest, context: Context
    ) -> wire.EndScreenPlanResponse:
        def answer(view: PlanView) -> wire.EndScreenPlanResponse:
            return wire.EndScreenPlanResponse(plan=views.plan(view, None))

        return await self.parts.change(
            request, context, self._calls.end_plan, answer, wire.EndScreenPlanResponse
        )

    @answered
    async def ListAssets(
        self, request: wire.ListAssetsRequest, context: Context
    ) -> wire.ListAssetsResponse:
        asked = PlaceFields().done_page(request, "assets", request.recalled)
        rows = await self._calls.assets.page(
            recalled=request.recalled, after=asked.position, limit=asked.rows
        )
        page = pages.page(rows, asked, lambda row: row.content.sha256)
        return wire.ListAssetsResponse(
            assets=map(views.asset, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListPlaylists(
        self, request: wire.ListPlaylistsRequest, context: Context
    ) -> wire.ListPlaylistsResponse:
        asked = PlaceFields().done_page(request, "playlists")
        rows = await self._calls.playlists.page(after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.playlist)
        return wire.ListPlaylistsResponse(
            playlists=map(views.playlist, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListScreenPlans(
        self, request: wire.ListScreenPlansRequest, context: Context
    ) -> wire.ListScreenPlansResponse:
        asked = PlaceFields().done_page(request, "screen plans", request.show_ended)
        rows = await self._calls.plans.page(
            ended=request.show_ended, after=asked.position, limit=asked.rows
        )
        page = pages.page(rows, asked, lambda row: row.plan)
        meant = await self._calls.meant(page.rows)
        return wire.ListScreenPlansResponse(
            plans=map(views.plan, page.rows, meant), next_page_token=page.next_page_token
        )

    @answered
    async def ListScreens(
        self, request: wire.ListScreensRequest, context: Context
    ) -> wire.ListScreensResponse:
        asked = PlaceFields().done_page(
            request, "screens", request.not_converged, request.shows_recalled
        )
        rows = await self._screens.page(
            not_converged=request.not_converged,
            not_obeyed=request.shows_recalled,
            after=asked.position,
            limit=asked.rows,
        )
        page = pages.page(rows, asked, lambda row: row.machine_id)
        return wire.ListScreensResponse(
            screens=map(views.screen, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListPlays(
        self, request: wire.ListPlaysRequest, context: Context
    ) -> wire.ListPlaysResponse:
        asked = (
            PlaceFields()
            .machine_id(request.machine_id)
            .done_page(request, "plays", request.machine_id)
        )
        rows = await self._screens.plays(
            request.machine_id, after=views.play_key(asked.position), limit=asked.rows
        )
        if not rows:
            await self.parts.check_known(request.machine_id)
        page = pages.page(rows, asked, views.position_of)
        return wire.ListPlaysResponse(
            plays=map(views.play, page.rows),
            next_page_token=page.next_page_token,
            kept_days=self._calls.plays_days,
        )

    @answered
    async def GetPlaylist(
        self, request: wire.GetPlaylistRequest, context: Context
    ) -> wire.GetPlaylistResponse:
        PlaceFields().code("playlist", request.playlist).done()
        with in_words():
            view = await self._calls.playlists.get(request.playlist)
        return wire.GetPlaylistResponse(playlist=views.playlist(view))

    @answered
    async def GetScreen(
        self, request: wire.GetScreenRequest, context: Context
    ) -> wire.GetScreenResponse:
        PlaceFields().machine_id(request.machine_id).done()
        with in_words():
            view = await self._screens.get(request.machine_id)
        return wire.GetScreenResponse(screen=views.screen(view))

    @answered
    async def GetManifest(
        self, request: wire.GetManifestRequest, context: Context
    ) -> wire.GetManifestResponse:
        PlaceFields().code("manifest", request.manifest).done()
        try:
            body = await self._screens.manifest(request.manifest)
        except NotThere:
            raise no_manifest(request.manifest, self._calls.plays_days) from None
        return wire.GetManifestResponse(body=body)

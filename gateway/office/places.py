# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# place_service.proto
"""PlaceService: districts and sites."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import place_views as views
from gateway.office.errors import in_words
from gateway.office.place_calls import DistrictCalls, SiteCalls
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import place_pb2, place_service_pb2_grpc
from gateway.office.v1 import place_service_pb2 as wire
from storage.office.districts import Districts, DistrictView
from storage.office.sites import Sites, SitesWanted, SiteView


class PlaceService(place_service_pb2_grpc.PlaceServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, districts: Districts, sites: Sites) -> None:
        self.parts = parts
        self._districts = districts
        self._sites = sites
        self._of_districts = DistrictCalls(districts=districts, clock=parts.acts.clock)
        self._of_sites = SiteCalls(sites=sites, clock=parts.acts.clock)

    @answered
    async def GetDistrict(
        self, request: wire.GetDistrictRequest, context: Context
    ) -> wire.GetDistrictResponse:
        PlaceFields().code("district", request.district).done()
        with in_words():
            view = await self._districts.get(request.district)
        return wire.GetDistrictResponse(district=views.district(view))

    @answered
    async def ListDistricts(
        self, request: wire.ListDistrictsRequest, context: Context
    ) -> wire.ListDistrictsResponse:
        fields = PlaceFields().code("parent", request.parent, needed=False)
        if request.at_top and request.parent:
            fields.wrong("at_top", "must not be set beside a parent")
        parent = "" if request.at_top else request.parent or None
        archived = request.show_archived
        asked = fields.done_page(request, "districts", parent, archived)
        rows = await self._districts.list(
            parent=parent, archived=archived, after=asked.position, limit=asked.rows
        )
        if request.parent and not rows:
            with in_words():
                await self._districts.get(request.parent)
        page = pages.page(rows, asked, lambda row: row.district)
        return wire.ListDistrictsResponse(
            districts=map(views.district, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def CreateDistrict(
        self, request: wire.CreateDistrictRequest, context: Context
    ) -> wire.CreateDistrictResponse:
        def answer(view: DistrictView) -> wire.CreateDistrictResponse:
            return wire.CreateDistrictResponse(district=views.district(view))

        return await self.parts.change(
            request, context, self._of_districts.create, answer, wire.CreateDistrictResponse
        )

    @answered
    async def UpdateDistrict(
        self, request: wire.UpdateDistrictRequest, context: Context
    ) -> wire.UpdateDistrictResponse:
        def answer(view: DistrictView) -> wire.UpdateDistrictResponse:
            return wire.UpdateDistrictResponse(district=views.district(view))

        return await self.parts.change(
            request, context, self._of_districts.update, answer, wire.UpdateDistrictResponse
        )

    @answered
    async def ArchiveDistrict(
        self, request: wire.ArchiveDistrictRequest, context: Context
    ) -> wire.ArchiveDistrictResponse:
        def answer(view: DistrictView) -> wire.ArchiveDistrictResponse:
            return wire.ArchiveDistrictResponse(district=views.district(view))

        return await self.parts.change(
            request, context, self._of_districts.archive, answer, wire.ArchiveDistrictResponse
        )

    @answered
    async def RestoreDistrict(
        self, request: wire.RestoreDistrictRequest, context: Context
    ) -> wire.RestoreDistrictResponse:
        def answer(view: DistrictView) -> wire.RestoreDistrictResponse:
            return wire.RestoreDistrictResponse(district=views.district(view))

        return await self.parts.change(
            request, context, self._of_districts.restore, answer, wire.RestoreDistrictResponse
        )

    @answered
    async def GetSite(self, request: wire.GetSiteRequest, context: Context) -> wire.GetSiteResponse:
        PlaceFields().code("site", request.site).done()
        with in_words():
            view = await self._sites.get(request.site)
        return wire.GetSiteResponse(site=views.site(view))

    @answered
    async def ListSites(
        self, request: wire.ListSitesRequest, context: Context
    ) -> wire.ListSitesResponse:
        fields = PlaceFields().code("district", request.district, needed=False)
        wanted = SitesWanted(
            district=request.district,
            site_type=fields.word("type", place_pb2.SiteType, request.type),
            archived=request.show_archived,
        )
        asked = fields.done_page(request, "sites", wanted)
        district, _, site = asked.position.partition(" ")
        rows = await self._sites.list(wanted, after=(district, site), limit=asked.rows)
        if request.district and not rows:
            with in_words():
                await self._districts.get(request.district)
        page = pages.page(rows, asked, lambda row: f"{row.content.district} {row.site}")
        return wire.ListSitesResponse(
            sites=map(views.site, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def CreateSite(
        self, request: wire.CreateSiteRequest, context: Context
    ) -> wire.CreateSiteResponse:
        def answer(view: SiteView) -> wire.CreateSiteResponse:
            return wire.CreateSiteResponse(site=views.site(view))

        return await self.parts.change(
            request, context, self._of_sites.create, answer, wire.CreateSiteResponse
        )

    @answered
    async def UpdateSite(
        self, request: wire.UpdateSiteRequest, context: Context
    ) -> wire.UpdateSiteResponse:
        def answer(view: SiteView) -> wire.UpdateSiteResponse:
            return wire.UpdateSiteResponse(site=views.site(view))

        return await self.parts.change(
            request, context, self._of_sites.update, answer, wire.UpdateSiteResponse
        )

    @answered
    async def ArchiveSite(
        self, request: wire.ArchiveSiteRequest, context: Context
    ) -> wire.ArchiveSiteResponse:
        def answer(view: SiteView) -> wire.ArchiveSiteResponse:
            return wire.ArchiveSiteResponse(site=views.site(view))

        return await self.parts.change(
            request, context, self._of_sites.archive, answer, wire.ArchiveSiteResponse
        )

    @answered
    async def RestoreSite(
        self, request: wire.RestoreSiteRequest, context: Context
    ) -> wire.RestoreSiteResponse:
        def answer(view: SiteView) -> wire.RestoreSiteResponse:
            return wire.RestoreSiteResponse(site=views.site(view))

        return await self.parts.change(
            request, context, self._of_sites.restore, answer, wire.RestoreSiteResponse
        )

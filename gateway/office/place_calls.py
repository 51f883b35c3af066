"""The changing calls of PlaceService: each request is checked whole, then done.

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: the district or the site, or
CallRefused with every problem of the request. What no mask names stays as it is.
"""

from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office.errors import deed_of, in_words
from gateway.office.place_fields import NAME_LENGTH_MAX, PlaceFields
from gateway.office.v1 import place_service_pb2 as wire
from storage.office.deeds import Deed
from storage.office.districts import DistrictContent, Districts, DistrictView
from storage.office.sites import SiteContent, Sites, SiteView

DISTRICT_PATHS = ("name", "parent")
SITE_PATHS = (
    *("name", "district", "type", "type_word", "position"),
    *("time_zone", "address_lines", "contact"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistrictCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    districts: Districts
    clock: Clock

    async def create(self, request: wire.CreateDistrictRequest, act: Act) -> DistrictView:
        """CreateDistrict."""
        given = request.district
        fields = PlaceFields().code("district.code", given.code)
        fields.line("district.name", given.name, least=1, most=NAME_LENGTH_MAX)
        fields.code("district.parent", given.parent, needed=False).done()
        content = DistrictContent(name=given.name, parent=given.parent)
        with in_words():
            return await self.districts.create(
                given.code, content, self._deed(act, "CreateDistrict")
            )

    async def update(self, request: wire.UpdateDistrictRequest, act: Act) -> DistrictView:
        """UpdateDistrict."""
        given = request.district
        fields = PlaceFields().code("district.code", given.code)
        paths = fields.mask(request.update_mask.paths, DISTRICT_PATHS)
        if "name" in paths:
            fields.line("district.name", given.name, least=1, most=NAME_LENGTH_MAX)
        if "parent" in paths:
            fields.code("district.parent", given.parent, needed=False)
        etag = fields.etag_of(request.etag, given.etag, field="district.etag")
        fields.done()
        with in_words():
            return await self.districts.change(
                given.code,
                self._deed(act, "UpdateDistrict"),
                name=given.name if "name" in paths else None,
                parent=given.parent if "parent" in paths else None,
                etag=etag,
            )

    async def archive(self, request: wire.ArchiveDistrictRequest, act: Act) -> DistrictView:
        """ArchiveDistrict."""
        PlaceFields().code("district", request.district).etag(request.etag).done()
        with in_words():
            return await self.districts.archive(
                request.district, self._deed(act, "ArchiveDistrict"), etag=request.etag
            )

    async def restore(self, request: wire.RestoreDistrictRequest, act: Act) -> DistrictView:
        """RestoreDistrict."""
        PlaceFields().code("district", request.district).etag(request.etag).done()
        with in_words():
            return await self.districts.archive(
                request.district, self._deed(act, "RestoreDistrict"), back=True, etag=request.etag
            )

    def _deed(self, act: Act, action: str) -> Deed:
        return deed_of(act, action, self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    sites: Sites
    clock: Clock

    async def create(self, request: wire.CreateSiteRequest, act: Act) -> SiteView:
        """CreateSite."""
        fields = PlaceFields().code("site.code", request.site.code)
        content = SiteContent(**fields.site_content(request.site, SITE_PATHS))
        fields.done()
        with in_words():
            return await self.sites.create(
                request.site.code, content, self._deed(act, "CreateSite")
            )

    async def update(self, request: wire.UpdateSiteRequest, act: Act) -> SiteView:
        """UpdateSite."""
        fields = PlaceFields().code("site.code", request.site.code)
        paths = fields.mask(request.update_mask.paths, SITE_PATHS)
        changes = fields.site_content(request.site, paths)
        etag = fields.etag_of(request.etag, request.site.etag, field="site.etag")
        fields.done()
        with in_words():
            return await self.sites.change(
                request.site.code, changes, self._deed(act, "UpdateSite"), etag=etag
            )

    async def archive(self, request: wire.ArchiveSiteRequest, act: Act) -> SiteView:
        """ArchiveSite."""
        PlaceFields().code("site", request.site).etag(request.etag).done()
        with in_words():
            return await self.sites.archive(
                request.site, self._deed(act, "ArchiveSite"), etag=request.etag
            )

    async def restore(self, request: wire.RestoreSiteRequest, act: Act) -> SiteView:
        """RestoreSite."""
        PlaceFields().code("site", request.site).etag(request.etag).done()
        with in_words():
            return await self.sites.archive(
                request.site, self._deed(act, "RestoreSite"), back=True, etag=request.etag
            )

    def _deed(self, act: Act, action: str) -> Deed:
        return deed_of(act, action, self.clock)

"""Districts and sites that tests of the administrators' side make."""

from typing import Any

from gateway.office.v1 import place_pb2
from gateway.office.v1 import place_service_pb2 as wire
from tests.support.site import Site

PIER: dict[str, Any] = {
    "code": "pier",
    "name": "Pier 7",
    "district": "hk",
    "type": place_pb2.SITE_TYPE_STATION,
    "position": place_pb2.Position(latitude_e6=22_287_600, longitude_e6=114_158_900),
    "time_zone": "Asia/Hong_Kong",
    "address_lines": ["1 Man Kwong Street", "Central"],
    "contact": place_pb2.Contact(name="Lee", phone="+852 2131 8181"),
}


async def a_district(site: Site, code: str = "hk", parent: str = "", **asked: Any) -> Any:
    """Make a district."""
    district = place_pb2.District(code=code, name=code.upper(), parent=parent)
    request = wire.CreateDistrictRequest(district=district, **asked)
    return (await site.places.CreateDistrict(request)).district


async def a_site(site: Site, **changes: Any) -> Any:
    """Make a site that is right but for ``changes``."""
    request = wire.CreateSiteRequest(site=place_pb2.Site(**{**PIER, **changes}))
    return (await site.places.CreateSite(request)).site

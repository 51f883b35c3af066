"""PlaceService over a real server and real SQL."""

from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

from gateway.office.v1 import place_pb2
from gateway.office.v1 import place_service_pb2 as wire
from tests.gateway.office.placing import PIER, a_district, a_site
from tests.support.fleet_calls import refusal
from tests.support.site import Site


async def test_districts_read_well(site: Site) -> None:
    """Made once for each request id, changed, listed by what they are in, archived and back."""
    first = await a_district(site, request_id="r-1")
    assert first == await a_district(site, request_id="r-1")
    await a_district(site, "kln", "hk")
    await a_district(site, "mk", "kln")
    read = await site.places.GetDistrict(wire.GetDistrictRequest(district="mk"))
    told = json_format.MessageToDict(read.district)
    assert ("mk", "MK", "kln", "1") == tuple(
        told[one] for one in ("code", "name", "parent", "etag")
    )
    moved = await site.places.UpdateDistrict(
        wire.UpdateDistrictRequest(
            district=place_pb2.District(code="mk", parent="hk"),
            update_mask=FieldMask(paths=["parent"]),
            etag="1",
        )
    )
    assert ("hk", "MK", "2") == (moved.district.parent, moved.district.name, moved.district.etag)

    async def listed(**wanted: Any) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            asked = wire.ListDistrictsRequest(page_size=1, page_token=token, **wanted)
            page = await site.places.ListDistricts(asked)
            found += [one.code for one in page.districts]
            if not (token := page.next_page_token):
                return found

    assert ["kln", "mk"] == await listed(parent="hk")
    assert ["hk"] == await listed(at_top=True)
    archived = await site.places.ArchiveDistrict(wire.ArchiveDistrictRequest(district="mk"))
    assert archived.district.HasField("archived_at")
    assert ["hk", "kln"] == await listed()
    assert ["hk", "kln", "mk"] == await listed(show_archived=True)
    back = await site.places.RestoreDistrict(wire.RestoreDistrictRequest(district="mk"))
    assert not back.district.HasField("archived_at")


async def test_a_site_reads_well(site: Site) -> None:
    """What was given comes back, and what a mask names is changed."""
    await a_district(site)
    made = await a_site(site)
    read = (await site.places.GetSite(wire.GetSiteRequest(site="pier"))).site
    assert made == read
    told = json_format.MessageToDict(read)
    assert ("SITE_TYPE_STATION", ["1 Man Kwong Street", "Central"], "+852 2131 8181") == (
        told["type"],
        told["addressLines"],
        told["contact"]["phone"],
    )
    assert {"latitudeE6": 22_287_600, "longitudeE6": 114_158_900} == told["position"]
    changed = await site.places.UpdateSite(
        wire.UpdateSiteRequest(
            site=place_pb2.Site(code="pier"), update_mask=FieldMask(paths=["position", "contact"])
        )
    )
    assert (False, "", "Pier 7", "2") == (
        changed.site.HasField("position"),
        changed.site.contact.name,
        changed.site.name,
        changed.site.etag,
    )
    await site.places.ArchiveSite(wire.ArchiveSiteRequest(site="pier", etag="2"))
    listed = await site.places.ListSites(wire.ListSitesRequest(district="hk"))
    assert [] == list(listed.sites)
    await site.places.RestoreSite(wire.RestoreSiteRequest(site="pier"))


async def test_sites_are_listed_page_by_page(site: Site) -> None:
    """In a district with all below it, of one type if that is asked for."""
    await a_district(site)
    await a_district(site, "kln", "hk")
    for code, district in (("a", "kln"), ("b", "hk"), ("c", "kln")):
        await a_site(site, code=code, district=district)
    await a_site(site, code="d", type=place_pb2.SITE_TYPE_SHOP)

    async def listed(**wanted: Any) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            asked = wire.ListSitesRequest(page_size=1, page_token=token, **wanted)
            page = await site.places.ListSites(asked)
            found += [one.code for one in page.sites]
            if not (token := page.next_page_token):
                return found

    assert ["b", "d", "a", "c"] == await listed(district="hk")
    assert ["a", "c"] == await listed(district="kln")
    assert ["d"] == await listed(type=place_pb2.SITE_TYPE_SHOP)


async def test_what_cannot_be_is_refused_with_its_reason(site: Site) -> None:
    """Each in words that say what to do."""
    await a_district(site)
    await a_district(site, "kln", "hk")
    loop = wire.UpdateDistrictRequest(
        district=place_pb2.District(code="hk", parent="kln"),
        update_mask=FieldMask(paths=["parent"]),
    )
    used = wire.ArchiveDistrictRequest(district="hk")
    unknown = wire.CreateSiteRequest(site=place_pb2.Site(**{**PIER, "district": "none"}))
    wrong = wire.CreateSiteRequest(site=place_pb2.Site(**{**PIER, "time_zone": "HKT"}))
    for call, code, reason, fields in (
        (site.places.UpdateDistrict(loop), "FAILED_PRECONDITION", "DISTRICT_IN_ITSELF", []),
        (site.places.ArchiveDistrict(used), "FAILED_PRECONDITION", "DISTRICT_IN_USE", []),
        (site.places.CreateSite(unknown), "NOT_FOUND", "DISTRICT_NOT_FOUND", []),
        (site.places.CreateSite(wrong), "INVALID_ARGUMENT", "INVALID_REQUEST", ["site.time_zone"]),
    ):
        assert (grpc.StatusCode[code], reason, fields) == await refusal(call)


async def test_a_rehearsal_makes_nothing(site: Site) -> None:
    """It shows what there would be."""
    shown = await a_district(site, validate_only=True)
    assert "hk" == shown.code
    assert (grpc.StatusCode.NOT_FOUND, "DISTRICT_NOT_FOUND", []) == await refusal(
        site.places.GetDistrict(wire.GetDistrictRequest(district="hk"))
    )

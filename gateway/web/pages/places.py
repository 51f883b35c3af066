"""Places: districts, sites on a map that is drawn without tiles, and what stands there."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from gateway.office.v1 import (
    machine_profile_service_pb2,
    place_pb2,
    place_service_pb2,
    selector_pb2,
)
from gateway.web.charts import dots
from gateway.web.tables import Link, Table
from gateway.web.view import ConsolePage, Looking
from gateway.web.waiting import machine_link
from gateway.web.words import said

PAGE = 500
"""Of more machines than this it is not counted where they stand, unless a district or a site is
chosen.
"""


async def places(looking: Looking) -> ConsolePage:
    """Return the page; of one site or district, if the query names it."""
    site, district = looking.word("site"), looking.word("district")
    districts, sites = await looking.all(
        place_service_pb2.ListDistrictsRequest(page_size=PAGE),
        place_service_pb2.ListSitesRequest(page_size=PAGE, district=district),
    )
    found = await looking.ask(
        machine_profile_service_pb2.ListMachineProfilesRequest(
            page_size=PAGE,
            page_token=looking.token("page"),
            selector=selector_pb2.Selector(
                site=site, district=district, all=not (site or district)
            ),
        )
    )
    profiles, more = found.profiles, found.next_page_token
    # Of a part of the machines nobody counts where they stand: it would look like all of them.
    is_counted = not (more or looking.token("page"))
    counts = Counter(one.site for one in profiles if one.site) if is_counted else None
    placed = [one for one in sites.sites if one.HasField("position")]
    return ConsolePage(
        title="Places",
        template="places.html",
        tables=(
            _districts(districts.districts),
            _sites(sites.sites, counts),
            _machines(profiles),
        ),
        values={
            "dots": dots(
                [
                    (one.name, one.code, one.position.latitude_e6, one.position.longitude_e6)
                    for one in placed
                ],
                counts or {},
            ),
            "words": {"site": site, "district": district},
            "is_counted": is_counted,
            "is_whole": not (districts.next_page_token or sites.next_page_token),
            "unplaced": len(sites.sites) - len(placed),
        },
        more={"machines": {"site": site, "district": district, "page": more}} if more else {},
    )


def _districts(of: Iterable[place_pb2.District]) -> Table:
    return Table(
        name="districts",
        title="Districts",
        heads=("District", "Name", "Within"),
        rows=[(Link(one.code, f"/places?district={one.code}"), one.name, one.parent) for one in of],
        empty="No district has been made yet.",
    )


def _sites(of: Iterable[place_pb2.Site], counts: Counter[str] | None) -> Table:
    return Table(
        name="sites",
        title="Sites",
        heads=("Site", "Name", "District", "Type", "Time zone", "Machines"),
        rows=[
            (
                Link(one.code, f"/places?site={one.code}"),
                one.name,
                one.district,
                one.type_word or said(place_pb2.SiteType, one.type),
                one.time_zone,
                None if counts is None else counts[one.code],
            )
            for one in of
        ],
        empty="No site has been made yet.",
    )


def _machines(of: Iterable[Any]) -> Table:
    return Table(
        name="machines",
        title="Machines and where they stand",
        heads=("Machine", "Site", "District", "Model", "Serial"),
        rows=[
            (machine_link(one.machine_id), one.site, one.district, one.model, one.serial)
            for one in of
        ],
        empty="No machine stands there.",
    )

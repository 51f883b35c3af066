"""Where machines stand."""

import re
from typing import Any

import pytest

from gateway.office.v1 import machine_profile_service_pb2, place_pb2, sales_service_pb2
from gateway.v1 import money_pb2
from gateway.web.pages import places
from gateway.web.pages.places import (
    DrawnCell,
    HotTold,
    cells_around,
    hot_districts,
    labels_of,
    sites_in,
)
from gateway.web.tables import Amount, Link
from gateway.web.view import Missing
from storage.insight.follower import lag_of
from storage.insight.hot import Hot, HotBooks, HotWanted
from storage.office.deeds import NotPossible
from tests.gateway.office.placing import a_district, a_site
from tests.gateway.web.signed_in import cells, signed_in
from tests.support.fleet_calls import registered
from tests.support.site import Site


async def test_sites_are_drawn_and_counted(site: Site) -> None:
    """A site with a position is a dot that leads to its machines; one without is not drawn."""
    await a_district(site)
    await a_site(site)
    await a_site(site, code="depot", name="Depot", position=None)
    await registered(site)
    await site.profiles.PlaceMachine(
        machine_profile_service_pb2.PlaceMachineRequest(
            machine_id="VM-1", site="pier", from_day="2001-01-01", reason="always there"
        )
    )
    async with signed_in(site) as browser:
        page = await browser.get("/places")
        pier = await browser.get("/places", params={"site": "pier"})
        nowhere = await browser.get("/places", params={"site": "moon"})
    assert 1 == page.text.count("<circle")
    assert 'href="/places?site=pier"' in page.text
    assert "1 sites have no position" in page.text
    assert ["pier", "Pier 7", "hk", "station", "Asia/Hong_Kong", "1"] in cells(page)
    assert [["VM-1", "pier", "hk"]] == [row[:3] for row in cells(pier) if row[0] == "VM-1"]
    assert 404 == nowhere.status_code


async def test_more_machines_are_told_of_as_somebody_chose(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same currency, and by the same cells."""
    monkeypatch.setattr(places, "PAGE", 1)
    for machine_id in ("VM-1", "VM-2"):
        await registered(site, machine_id)
    async with signed_in(site) as browser:
        page = await browser.get("/places?currency=HKD&cells=7")
    (more,) = re.findall(r'href="([^"]*)">More of Machines', page.text)
    assert {"currency=HKD", "cells=7"} <= set(re.split(r"[?&#]|amp;", more))


async def test_no_place_is_no_map(site: Site) -> None:
    """It says that there is nothing to draw."""
    async with signed_in(site) as browser:
        page = await browser.get("/places")
    assert "there is nothing to draw" in page.text
    assert "<circle" not in page.text


def hkd(minor: int) -> money_pb2.Money:
    """An amount."""
    return money_pb2.Money(currency="HKD", minor=minor)


def worth(middle: int, **more: Any) -> sales_service_pb2.HotDistrict:
    """What a district or cell of two machines is worth."""
    about = sales_service_pb2.SalesRange(
        middle=hkd(middle), low=hkd(middle - 1), high=hkd(middle + 1)
    )
    return sales_service_pb2.HotDistrict(
        label=sales_service_pb2.DISTRICT_LABEL_NOT_KNOWN,
        above_percent=60,
        machines=2,
        raw=hkd(7),
        believed=about,
        new_machine=about,
        **more,
    )


def a_cell(index: str, latitude_e6: int, longitude_e6: int) -> sales_service_pb2.HotCell:
    """A cell around a place, which is a square here."""
    return sales_service_pb2.HotCell(
        index=index,
        middle=place_pb2.Position(latitude_e6=latitude_e6, longitude_e6=longitude_e6),
        corners=[
            place_pb2.Position(
                latitude_e6=latitude_e6 + north,
                longitude_e6=(longitude_e6 + east + 180_000_000) % 360_000_000 - 180_000_000,
            )
            for north, east in ((-9, -9), (9, -9), (9, 9), (-9, 9))
        ],
    )


def test_districts_stand_with_their_intervals() -> None:
    """The one of which most is believed first; a refusal stands where they should."""
    told = [worth(100, district="pier"), worth(200, district="")]
    answer = sales_service_pb2.GetHotDistrictsResponse(districts=told)
    table = hot_districts(HotTold(answer=answer))
    assert ["nowhere", "pier"] == [row[0].text for row in table.rows if isinstance(row[0], Link)]
    assert "Above the fleet: how sure, %" == table.heads[2]
    assert "not by how much" in table.note
    assert ("not known", 60, 2, Amount(7, "HKD"), Amount(100, "HKD")) == table.rows[1][1:6]
    assert "away" == hot_districts(HotTold(answer=Missing("away"))).empty


def test_cells_stand_by_their_index() -> None:
    """With the sites in them, because nobody knows a place by an index; how large they are is said,
    and who has no position.
    """
    told = [worth(100, cell=a_cell("a7", 0, 0)), worth(200, cell=a_cell("b7", 90, 90))]
    answer = sales_service_pb2.GetHotDistrictsResponse(districts=told, unplaced=3)
    table = hot_districts(HotTold(answer=answer, cells=7), {"a7": ["P", "Q", "R", "S", "T"]})
    assert ("Cell", "Sites") == table.heads[:2]
    assert [("b7", ""), ("a7", "P; Q; R and 2 more")] == [row[:2] for row in table.rows]
    assert "What cells of 5.2 square kilometres sell" in table.title
    assert table.note.endswith("3 machines stand at sites without a position, and are in no cell.")


def test_cells_of_which_nothing_is_told_say_why() -> None:
    """They are too few, or machines have no position; nothing is said of districts there."""
    answer = sales_service_pb2.GetHotDistrictsResponse(unplaced=1)
    table = hot_districts(HotTold(answer=answer, cells=9))
    assert (
        "There are too few cells of 0.11 square kilometres, or too few machines in them, to say "
        "how they differ. Larger ones may do. 1 machine stands at a site without a position, and "
        "is in no cell."
    ) == table.empty
    assert "What cells of 0.11 square kilometres sell" in table.title
    assert "What cells sell" in hot_districts(HotTold(answer=Missing("no such"), cells=3)).title


def test_a_site_is_as_its_cell_is() -> None:
    """Also across the line where days begin, and not if it is in the box around the cell alone;
    without cells, as its district.
    """
    diamond = [(10, 179_999_999), (0, 180_000_009), (-10, 179_999_999), (0, 179_999_989)]
    cells_drawn = [DrawnCell(index="a7", label="hot", corners=diamond)]
    assert {"a7": ["P", "Q"]} == sites_in(
        cells_drawn, [("P", (0, 179_999_998)), ("Q", (1, -179_999_996)), ("R", (8, 179_999_991))]
    )
    sites = [
        place_pb2.Site(
            code=code,
            district="pier",
            position=place_pb2.Position(latitude_e6=north, longitude_e6=179_999_999),
        )
        for code, north in (("in", 0), ("out", 20))
    ]
    answer = sales_service_pb2.GetHotDistrictsResponse(districts=[worth(1, district="pier")])
    assert {"in": "hot"} == labels_of(Missing("away"), cells_drawn, sites)
    assert {"in": "not known", "out": "not known"} == labels_of(answer, [], sites)


def test_cells_are_drawn_around_sites() -> None:
    """Those alone in which one is that is shown; one on the line where days begin is not torn."""
    told = sales_service_pb2.GetHotDistrictsResponse(
        districts=[
            worth(1, cell=a_cell("a7", 5, 179_999_999)),
            worth(2, cell=a_cell("b7", 900, 900)),
            worth(3, district="pier"),
        ]
    )
    (drawn,) = cells_around(told, [(0, 179_999_998)])
    assert ("a7", "not known") == (drawn.index, drawn.label)
    easts = [east for _, east in drawn.corners]
    assert 18 == max(easts) - min(easts)
    (beyond,) = cells_around(told, [(0, -179_999_998)])
    assert [(north, east - 360_000_000) for north, east in drawn.corners] == list(beyond.corners)
    assert 2 == len(cells_around(told, [(0, -179_999_998), (0, 179_999_998)]))
    assert [] == cells_around(Missing("away"), [(0, 0)])


async def test_cells_are_told_where_districts_are_too_few(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the query says by what; the page leads to either."""
    asked: list[int] = []

    async def hot(wanted: HotWanted) -> Hot:
        asked.append(wanted.cell_resolution)
        lag = await lag_of(site.database)
        return Hot(districts=(), fleet_minor=0, elsewhere=None, left_out=0, lag=lag)

    monkeypatch.setattr(HotBooks, "hot", lambda self, wanted: hot(wanted))
    async with signed_in(site) as browser:
        for query in ("&cells=0", "&cells=8"):
            assert 200 == (await browser.get(f"/places?currency=HKD{query}")).status_code
        page = await browser.get("/places?currency=HKD")
        for wrong in "abc", "7.5", "7000":
            said = await browser.get(f"/places?currency=HKD&cells={wrong}")
            assert f"{wrong} is no size of cells: choose one below, or districts." in said.text
    assert [0, 8, 0, 7] == asked
    assert "/places?currency=HKD&amp;cells=9" in page.text
    assert "There are too few districts, or" in page.text
    assert "There are too few cells of 5.2 square kilometres, or" in page.text


async def test_a_gateway_that_knows_no_cells_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they would be told instead of districts that are too few: else somebody looks for what
    is wrong with their machines.
    """

    async def hot(wanted: HotWanted) -> Hot:
        if wanted.cell_resolution:
            raise NotPossible("NO_CELLS", "what cuts the earth is not installed")
        lag = await lag_of(site.database)
        return Hot(districts=(), fleet_minor=0, elsewhere=None, left_out=0, lag=lag)

    monkeypatch.setattr(HotBooks, "hot", lambda self, wanted: hot(wanted))
    async with signed_in(site) as browser:
        page = await browser.get("/places?currency=HKD")
    assert "Nor are cells told instead: what cuts the earth is not installed" in page.text

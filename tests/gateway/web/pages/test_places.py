"""Where machines stand."""

from typing import Any

import pytest

from gateway.office.v1 import machine_profile_service_pb2, place_pb2, sales_service_pb2
from gateway.v1 import money_pb2
from gateway.web.pages.places import cells_around, hot_districts
from gateway.web.tables import Amount, Link
from gateway.web.view import Missing
from storage.insight.follower import lag_of
from storage.insight.hot import Hot, HotBooks, HotWanted
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
    table = hot_districts(sales_service_pb2.GetHotDistrictsResponse(districts=told))
    assert ["nowhere", "pier"] == [row[0].text for row in table.rows if isinstance(row[0], Link)]
    assert ("not known", 60, 2, Amount(7, "HKD"), Amount(100, "HKD")) == table.rows[1][1:6]
    assert "away" == hot_districts(Missing("away")).empty


def test_cells_stand_by_their_index() -> None:
    """No page is theirs; who has no position is said to be in none."""
    told = [worth(100, cell=a_cell("a7", 0, 0)), worth(200, cell=a_cell("b7", 90, 90))]
    table = hot_districts(sales_service_pb2.GetHotDistrictsResponse(districts=told, unplaced=3))
    assert ("Cell", ["b7", "a7"]) == (table.heads[0], [row[0] for row in table.rows])
    assert "What cells sell" in table.title
    assert table.note.endswith("3 machines stand at sites without a position, and are in no cell.")


def test_cells_are_drawn_around_sites() -> None:
    """Those alone in which one is that is shown; one on the line where days begin is not torn."""
    told = sales_service_pb2.GetHotDistrictsResponse(
        districts=[
            worth(1, cell=a_cell("a7", 5, 179_999_999)),
            worth(2, cell=a_cell("b7", 900, 900)),
            worth(3, district="pier"),
        ]
    )
    ((label, corners),) = cells_around(told, [(0, 179_999_998)])
    assert "not known" == label
    assert 18 == max(east for _, east in corners) - min(east for _, east in corners)
    ((_, beyond),) = cells_around(told, [(0, -179_999_998)])
    assert [(north, east - 360_000_000) for north, east in corners] == beyond
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
        for query in ("&cells=0", "&cells=8", "&cells=x"):
            assert 200 == (await browser.get(f"/places?currency=HKD{query}")).status_code
        page = await browser.get("/places?currency=HKD")
    assert [0, 8, 0, 0, 7] == asked
    assert "/places?currency=HKD&amp;cells=9" in page.text
    assert "too few districts or cells" in page.text

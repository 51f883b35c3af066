"""Where machines stand."""

from gateway.office.v1 import machine_profile_service_pb2, sales_service_pb2
from gateway.v1 import money_pb2
from gateway.web.pages.places import hot_districts
from gateway.web.tables import Amount, Link
from gateway.web.view import Missing
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


def test_districts_stand_with_their_intervals() -> None:
    """The one of which most is believed first; a refusal stands where they should."""

    def hkd(minor: int) -> money_pb2.Money:
        return money_pb2.Money(currency="HKD", minor=minor)

    def district(name: str, middle: int) -> sales_service_pb2.HotDistrict:
        about = sales_service_pb2.SalesRange(
            middle=hkd(middle), low=hkd(middle - 1), high=hkd(middle + 1)
        )
        return sales_service_pb2.HotDistrict(
            district=name,
            label=sales_service_pb2.DISTRICT_LABEL_NOT_KNOWN,
            above_percent=60,
            machines=2,
            raw=hkd(7),
            believed=about,
            new_machine=about,
        )

    told = [district("pier", 100), district("", 200)]
    table = hot_districts(sales_service_pb2.GetHotDistrictsResponse(districts=told))
    assert ["nowhere", "pier"] == [row[0].text for row in table.rows if isinstance(row[0], Link)]
    assert ("not known", 60, 2, Amount(7, "HKD"), Amount(100, "HKD")) == table.rows[1][1:6]
    assert "away" == hot_districts(Missing("away")).empty

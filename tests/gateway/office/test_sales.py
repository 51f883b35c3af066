"""SalesService over a real server and real SQL: what was sold, and how complete that is."""

import pytest

from gateway.office.sales import _cell, _district
from gateway.office.v1 import sales_service_pb2 as wire
from gateway.office.v1 import tag_service_pb2
from storage.insight.cells import cells_of
from storage.insight.hot import DistrictWorth
from storage.insight.rollups import Sums, save
from storage.tables import scope_days, scope_exposures, scope_hours
from tests.support.fleet_calls import refusal
from tests.support.goods_calls import twenty_in_a_van
from tests.support.site import Site

DAY = 20260108


@pytest.fixture
async def sold(site: Site) -> Site:
    """A site whose fleet sold two items on one day, and one a week before."""
    sums = Sums()
    for d, hour, minor in ((DAY, 9, 500), (DAY, 10, 300), (DAY - 7, 9, 200)):
        sums.add(scope_hours, ("FLEET", "", d, hour, "HKD"), (1, minor))
        sums.add(scope_days, ("FLEET", "", d, "cola", "HKD"), (1, minor, 0, 0, 0))
    await site.database.write(lambda connection: save(connection, sums.rows()))
    return site


async def test_sales_are_answered_beside_an_earlier_time(sold: Site) -> None:
    """With the days of that, and with how complete it is."""
    answer = await sold.sales.GetSales(
        wire.GetSalesRequest(
            first_day=DAY,
            last_day=DAY,
            by=wire.SALES_BY_PRODUCT,
            beside=wire.SALES_BESIDE_SAME_WEEKDAYS,
        )
    )
    (line,) = answer.lines
    assert ("cola", 2, 800, "HKD") == (
        line.key,
        line.now.units,
        line.now.sales.minor,
        line.now.sales.currency,
    )
    assert (1, 200) == (line.before.units, line.before.sales.minor)
    assert (DAY - 7, DAY - 7) == (answer.before_first_day, answer.before_last_day)
    assert 0 == answer.completeness.position


async def test_margins_are_told_where_costs_are_known(sold: Site) -> None:
    """From the lot that came; by product anyway, else if it is asked; and of how much that is."""
    await twenty_in_a_van(sold)
    sums = Sums()
    sums.add(scope_days, ("FLEET", "", DAY, "nuts", "HKD"), (4, 2_000, 0, 0, 0))
    await sold.database.write(lambda connection: save(connection, sums.rows()))
    request = wire.GetSalesRequest(first_day=DAY, last_day=DAY, by=wire.SALES_BY_PRODUCT)
    cola, nuts = (await sold.sales.GetSales(request)).lines
    assert (2, 800, 240, 560) == _margin(cola.now)
    assert (0, 0, 0, 0) == _margin(cola.before) == _margin(nuts.now)
    request.by = wire.SALES_BY_DAY
    (line,) = (await sold.sales.GetSales(request)).lines
    assert not line.now.HasField("margin")
    request.with_margin = True
    (line,) = (await sold.sales.GetSales(request)).lines
    assert (6, 2_800) == (line.now.units, line.now.sales.minor)
    assert (2, 800, 240, 560) == _margin(line.now)
    assert "HKD" == line.now.margin.margin.currency
    request.by = wire.SALES_BY_HOUR
    told = await refusal(sold.sales.GetSales(request))
    assert ("FAILED_PRECONDITION", "NO_MARGIN_OF_THAT") == (told[0].name, told[1])


def _margin(of: wire.SalesAmount) -> tuple[int, int, int, int]:
    its = of.margin
    return its.units, its.sales.minor, its.cost.minor, its.margin.minor


async def test_a_day_is_answered_up_to_an_hour(sold: Site) -> None:
    """Beside the same hours of the weekdays before."""
    answer = await sold.sales.GetDaySales(wire.GetDaySalesRequest(day=DAY, hour=9))
    (day,) = answer.days
    assert (500, 1, 200) == (day.now.sales.minor, day.weeks, day.middle.minor)


async def test_what_cannot_be_answered_is_refused(site: Site) -> None:
    """In words that say what to ask."""
    for request, code, reason in (
        (wire.GetSalesRequest(first_day=DAY, last_day=DAY), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        (
            wire.GetSalesRequest(first_day=1, last_day=2, by=wire.SALES_BY_DAY),
            "FAILED_PRECONDITION",
            "NO_SUCH_DAYS",
        ),
    ):
        told = await refusal(site.sales.GetSales(request))
        assert (code, reason) == (told[0].name, told[1])
    for bad, reason in (
        (wire.GetDaySalesRequest(day=DAY, hour=24), "INVALID_REQUEST"),
        (wire.GetDaySalesRequest(day=7), "NO_SUCH_DAYS"),
    ):
        assert reason == (await refusal(site.sales.GetDaySales(bad)))[1]


async def test_what_no_place_is_called_is_refused(site: Site) -> None:
    """PostgreSQL takes no NUL, and was said not to answer: repeat the call, for ever."""
    asked = wire.GetSalesRequest(first_day=DAY, last_day=DAY, by=wire.SALES_BY_DAY)
    for request in (
        wire.GetSalesRequest(district="h\0k"),
        wire.GetSalesRequest(site_type="STATI\0N"),
        wire.GetSalesRequest(site_type="KIOSK"),
        wire.GetSalesRequest(machine_ids=["VM-1", "VM\0"]),
        wire.GetSalesRequest(beside=99),  # type: ignore[arg-type]  # as a program of a later version
    ):
        request.MergeFrom(asked)
        told = await refusal(site.sales.GetSales(request))
        assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (told[0].name, told[1])
    bad = wire.GetDaySalesRequest(day=DAY, hour=9, district="h\0k")
    assert "INVALID_REQUEST" == (await refusal(site.sales.GetDaySales(bad)))[1]
    unknown = wire.GetDaySalesRequest(day=DAY, hour=9, district="hk")
    told = await refusal(site.sales.GetDaySales(unknown))
    assert ("NOT_FOUND", "DISTRICT_NOT_FOUND") == (told[0].name, told[1])


async def test_time_is_told_beside_what_was_sold_in_it(sold: Site) -> None:
    """And what cannot be asked of time is refused."""
    sums = Sums()
    sums.add(scope_exposures, ("FLEET", "", DAY, 9), (3_600, 3_600, 3_600, 1_800, 7_200, 3_600))
    await sold.database.write(lambda connection: save(connection, sums.rows()))
    request = wire.GetSellableTimeRequest(first_day=DAY, last_day=DAY, by=wire.SALES_BY_HOUR)
    first, second = (await sold.sales.GetSellableTime(request)).lines
    assert ("09", 1_800, 3_600) == (first.key, first.sellable_s, first.empty_column_s)
    assert (500, 500 * 48) == (first.sold[0].sold.sales.minor, first.sold[0].per_sellable_day.minor)
    assert not second.sold[0].HasField("per_sellable_day")
    request.by = wire.SALES_BY_PRODUCT
    assert "NO_TIME_OF_THAT" == (await refusal(sold.sales.GetSellableTime(request)))[1]


async def test_districts_need_a_currency_and_machines(sold: Site) -> None:
    """Of none, none is told, with how complete that is."""
    request = wire.GetHotDistrictsRequest(first_day=DAY, last_day=DAY, currency="HKD")
    told = await sold.sales.GetHotDistricts(request)
    assert not told.districts
    assert not told.HasField("elsewhere")
    assert told.HasField("completeness")
    for bad, reason in (
        ({"currency": ""}, "NO_CURRENCY"),
        ({"currency": "\0"}, "INVALID_REQUEST"),
        ({"cell_resolution": 3}, "NO_SUCH_RESOLUTION"),
        ({"cell_resolution": -1}, "NO_SUCH_RESOLUTION"),
    ):
        wrong = wire.GetHotDistrictsRequest()
        wrong.CopyFrom(request)
        for name, value in bad.items():
            setattr(wrong, name, value)
        assert reason == (await refusal(sold.sales.GetHotDistricts(wrong)))[1]


AMOUNTS = {
    f"{name}_minor": 100 + place
    for place, name in enumerate(("raw", "mean", "low", "high", "new", "new_low", "new_high"))
}


def worth(name: str) -> DistrictWorth:
    """What a district or cell of three machines is worth."""
    return DistrictWorth(
        district=name, label="HOT", machines=3, sellable_days=84, above_percent=93, **AMOUNTS
    )


def test_a_district_is_told_with_its_intervals() -> None:
    """And its label in the words of the wire."""
    made = _district(worth("pier"), "HKD")
    assert (wire.DISTRICT_LABEL_HOT, 93, 84) == (made.label, made.above_percent, made.sellable_days)
    ranges = (made.believed, made.new_machine)
    assert [(101, 102, 103), (104, 105, 106)] == [
        (one.middle.minor, one.low.minor, one.high.minor) for one in ranges
    ]
    assert not made.HasField("cell")


def test_a_cell_is_told_with_its_outline() -> None:
    """It is no district."""
    pytest.importorskip("h3", reason="the extra places is not installed")
    index = cells_of({"": (22_281_234, 114_158_123)}, 8)[""]
    made = _cell(worth(index), "HKD")
    assert ("", index, 6) == (made.district, made.cell.index, len(made.cell.corners))
    assert 22 == made.cell.middle.latitude_e6 // 1_000_000
    assert (wire.DISTRICT_LABEL_HOT, 101) == (made.label, made.believed.middle.minor)


def test_nothing_of_payers_is_told_by_cells() -> None:
    """One question knows them, and its answers are of machines; so no two differ by a few payers,
    as a district and the cells in it would.
    """
    files = [tag_service_pb2.DESCRIPTOR, wire.DESCRIPTOR]
    asked = [
        message.name
        for file in files
        for message in file.message_types_by_name.values()
        if {"cell", "cell_resolution"} & set(message.fields_by_name)
    ]
    assert ["GetHotDistrictsRequest", "HotDistrict"] == sorted(asked)
    assert {"district", "cell", "label", "above_percent", "machines", "sellable_days"} | {
        *("raw", "believed", "new_machine")
    } == set(wire.HotDistrict.DESCRIPTOR.fields_by_name)

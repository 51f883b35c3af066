"""A year of sales is one picture, in which a day of which nothing is known is no zero."""

from gateway.office.v1 import sales_service_pb2 as wire
from gateway.v1 import money_pb2
from gateway.web import series
from gateway.web.tables import Amount
from gateway.web.view import Missing
from storage.insight import days

TODAY = 20260201


def sold(units: int, minor: int, currency: str = "HKD") -> wire.SalesAmount:
    """So much."""
    return wire.SalesAmount(units=units, sales=money_pb2.Money(minor=minor, currency=currency))


def line(d: int, now: wire.SalesAmount, before: wire.SalesAmount) -> wire.SalesLine:
    """A day, and the one so long before it."""
    return wire.SalesLine(key=str(d), now=now, before=before)


def test_a_year_is_told_by_half_of_it() -> None:
    """Each day is read once: what stands beside a day is another day of the same picture."""
    asked = series.asked(TODAY, "VM-1")
    assert (days.moved(TODAY, -182), 20260131, wire.SALES_BY_DAY) == (
        asked.first_day,
        asked.last_day,
        asked.by,
    )
    lines = [
        line(20260131, sold(2, 700), sold(0, 0)),
        line(days.moved(TODAY, -182), sold(0, 0), sold(1, 5)),
        line(20260130, sold(1, 1_000, "JPY"), sold(0, 0, "JPY")),
    ]
    table, drawn = series.by_day(wire.GetSalesResponse(lines=lines), TODAY)
    first = days.moved(TODAY, -364)
    assert [
        ("20260131", 2, Amount(700, "HKD")),
        ("20260130", 1, Amount(1_000, "JPY")),
        (str(first), 1, Amount(5, "HKD")),
    ] == list(table.rows)
    assert ["HKD", "JPY"] == list(drawn)
    hkd = drawn["HKD"]
    assert ("5" + "," * 363 + "700", 2, 0) == (hkd.minors, hkd.decimals, drawn["JPY"].decimals)
    assert days.as_date(first).isoformat() == hkd.first
    assert "sold on 2 of 364 days, at most 7.00 HKD" == hkd.said
    assert "M1 120v-1M727 120v-120" == hkd.path


def test_some_weeks_are_told_alike() -> None:
    """Half of them are asked for, and the picture is as wide as there is room."""
    asked = series.asked(TODAY, "VM-1", span=series.SOME_WEEKS)
    assert (days.moved(TODAY, -42), 20260131) == (asked.first_day, asked.last_day)
    lines = [line(20260131, sold(2, 700), sold(1, 5))]
    told = wire.GetSalesResponse(lines=lines)
    table, drawn = series.by_day(told, TODAY, span=series.SOME_WEEKS)
    before = days.moved(20260131, -42)
    assert ["20260131", str(before)] == [row[0] for row in table.rows]
    hkd = drawn["HKD"]
    assert ("5" + "," * 42 + "700") == hkd.minors.lstrip(",")
    assert ("sold on 2 of 84 days, at most 7.00 HKD", 672) == (hkd.said, hkd.width)
    assert "M332 120v-1M668 120v-120" == hkd.path
    assert "Sold by day, 84 days before today" == table.title


def test_no_answer_is_no_picture() -> None:
    """Why stands where the table is."""
    table, drawn = series.by_day(Missing("away"), TODAY)
    assert ([], "away", {}) == (list(table.rows), table.empty, drawn)

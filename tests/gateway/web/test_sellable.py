"""What was lost stands beside what was sold, in whole hours."""

from gateway.office.v1 import sales_service_pb2 as wire
from gateway.v1 import money_pb2
from gateway.web import sellable
from gateway.web.tables import Amount
from gateway.web.view import Missing


def hkd(minor: int) -> money_pb2.Money:
    """Money."""
    return money_pb2.Money(currency="HKD", minor=minor)


def test_hours_are_lost_for_a_reason() -> None:
    """And what was sold for each day that was not; a line without sales stands there too."""
    time = wire.SellableTime(
        key="1",
        known_s=36_000,
        online_s=28_800,
        in_service_s=25_200,
        sellable_s=10_800,
        column_s=50_400,
        empty_column_s=40_000,
    )
    sold = wire.SoldThere(
        sold=wire.SalesAmount(units=2, sales=hkd(900)), per_sellable_day=hkd(7_200)
    )
    time.sold.append(sold)
    answer = wire.GetSellableTimeResponse(lines=[wire.SellableTime(key="7"), time])
    table = sellable.time_to_sell(answer, "Day", sellable.weekday)
    assert ("Sunday", 0, 0, 0, 0, None, None, None, None) == table.rows[0]
    figures = (10, 2, 1, 4, 79, 2, Amount(900, "HKD"), Amount(7_200, "HKD"))
    assert ("Monday", *figures) == table.rows[1]


def test_a_refusal_stands_where_the_time_should() -> None:
    """With its sentence."""
    table = sellable.time_to_sell(Missing("the database is away"), "Day", str)
    assert ([], "the database is away") == (list(table.rows), table.empty)


def test_the_question_is_about_whole_days() -> None:
    """Today is not over."""
    asked = sellable.asked(20260129, wire.SALES_BY_WEEKDAY, "VM-1")
    assert (20260101, 20260128, ["VM-1"]) == (
        asked.first_day,
        asked.last_day,
        list(asked.machine_ids),
    )

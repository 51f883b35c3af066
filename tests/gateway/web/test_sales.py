"""Answers about sales become rows and pictures, without a number that nobody told."""

from gateway.office.v1 import sales_service_pb2 as wire
from gateway.v1 import money_pb2
from gateway.web import sales
from gateway.web.charts import BAR_LENGTH
from gateway.web.tables import Amount, Instant
from gateway.web.view import Missing


def _line(
    key: str,
    units: int,
    minor: int,
    currency: str = "HKD",
    before: int = 0,
    cost: int | None = None,
) -> wire.SalesLine:
    line = wire.SalesLine(
        key=key,
        now=wire.SalesAmount(units=units, sales=money_pb2.Money(currency=currency, minor=minor)),
        before=wire.SalesAmount(sales=money_pb2.Money(currency=currency, minor=before)),
    )
    margin = line.now.margin
    if cost is not None:
        margin.units, margin.sales.minor = units, minor
        margin.cost.minor, margin.margin.minor = cost, minor - cost
    for of in (margin.sales, margin.cost, margin.margin):
        of.currency = currency
    return line


def _told(*lines: wire.SalesLine) -> wire.GetSalesResponse:
    return wire.GetSalesResponse(lines=lines)


def test_a_share_is_of_its_currency() -> None:
    """The most money first; what was only sold before has no share, and is there."""
    table = sales.by_product(
        _told(
            _line("tea", 1, 100),
            _line("cola", 2, 200),
            _line("", 1, 50, "JPY"),
            _line("old", 0, 0, before=7),
        )
    )
    assert [
        ("cola", 2, Amount(200, "HKD"), "66.6"),
        ("tea", 1, Amount(100, "HKD"), "33.3"),
        ("old", 0, Amount(0, "HKD"), "0.0"),
        ("without a product", 1, Amount(50, "JPY"), "100.0"),
    ] == [row[:4] for row in table.rows]
    assert Amount(7, "HKD") == table.rows[2][7]
    assert ["", "", "12.5"] == [sales.share(*one) for one in ((1, 0), (-1, 8), (1, 8))]


def test_a_margin_is_of_goods_of_which_the_cost_is_known() -> None:
    """And it is said of how much of the money that is."""
    told = _told(
        _line("cola", 2, 800, cost=420),
        _line("dear", 1, 200, cost=210),
        _line("given back", 1, 0, cost=5),
        _line("nuts", 1, 250),
        _line("old", 0, 0, before=7, cost=0),
        _line("tea", 1, 50, "JPY"),
    )
    assert [
        ("cola", Amount(380, "HKD"), "47.5"),
        ("nuts", None, None),
        ("dear", Amount(-10, "HKD"), "-5.0"),
        ("given back", Amount(-5, "HKD"), None),
        ("old", None, None),
        ("tea", None, None),
    ] == [(row[0], *row[4:6]) for row in sales.by_product(told).rows]
    assert [
        ("3.65 HKD, 36.5 %", "cost known for 80.0 % of the money"),
        ("not known, JPY", "nobody said what these goods cost"),
    ] == sales.margins(told)
    given_back = _told(_line("cola", 1, 0, cost=5))
    assert [("-0.05 HKD, – %", "cost known for – % of the money")] == sales.margins(given_back)
    assert [] == sales.margins(Missing("why")) == sales.margins(_told(_line("old", 0, 0, before=7)))


def test_what_sold_most_is_drawn_by_currency() -> None:
    """What brought nothing has no bar."""
    told = _told(_line("tea", 1, 100), _line("cola", 2, 200), _line("old", 0, 0, before=7))
    (bars,) = sales.best(told).values()
    assert [("cola", BAR_LENGTH), ("tea", BAR_LENGTH // 2)] == [
        (one.label, one.length) for one in bars
    ]


def test_an_hour_without_sales_is_not_drawn() -> None:
    """Neither in the week nor in the day."""
    table, heats = sales.by_weekday_hour(
        _told(_line("1-09", 2, 300), _line("7-23", 0, 0, before=1))
    )
    assert [("Monday", "09:00", 2, Amount(300, "HKD"))] == table.rows
    assert [(0, 9)] == [(one.row, one.hour) for one in heats["HKD"]]
    hours = sales.columns_of(
        _told(_line("09", 2, 300, before=100), _line("10", 0, 0, before=5)), 23
    )
    assert (300, 100) == hours["HKD"][9][:2]
    assert (None, 5) == hours["HKD"][10][:2]
    assert {(None, None)} == {one[:2] for one in hours["HKD"][11:]}


def test_an_hour_that_is_to_come_is_blank() -> None:
    """One that runs, and one that was without sales, are not: 0 is what was sold in them."""
    told = _told(*(_line(hour, 0, 0, before=5) for hour in ("09", "10", "11")), _line("12", 1, 9))
    rows = [row[1:3] for row in sales.by_hour(told, 10).rows]
    nothing = (0, Amount(0, "HKD"))
    assert [nothing, nothing, (None, None), (1, Amount(9, "HKD"))] == rows
    hours = sales.columns_of(told, 10)["HKD"]
    assert "10:00: 0.00 HKD" in hours[10][2]
    assert hours[11][2].startswith("11:00: to come, a week before ")


def test_no_answer_is_said() -> None:
    """Where the rows would be."""
    missing = Missing("The database does not answer.")
    for table in (
        sales.by_hour(missing, 9),
        sales.by_product(missing),
        sales.by_weekday_hour(missing)[0],
    ):
        assert ([], missing.why) == (list(table.rows), table.empty)
    assert sales.complete(missing) is None
    assert sales.NOTHING == sales.by_hour(_told(), 9).empty


def test_it_is_said_how_complete_it_is() -> None:
    """As the call says it."""
    answer = _told()
    answer.completeness.position = 7
    answer.completeness.lines_behind = 2
    answer.completeness.complete_until.FromSeconds(5)
    assert sales.Complete(7, Instant(5_000), 2, making_again=False) == sales.complete(answer)


def test_the_last_days_are_over() -> None:
    """Four whole weeks before today."""
    asked = sales.last_days(20260301, wire.SALES_BY_PRODUCT, "VM-1")
    assert (20260201, 20260228, ["VM-1"]) == (
        asked.first_day,
        asked.last_day,
        list(asked.machine_ids),
    )

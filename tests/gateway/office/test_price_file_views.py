"""The report of a price list's file fits an answer, its refused lines first."""

from gateway.office.price_calls import ImportedPrices
from gateway.office.price_csv import PriceFileLine
from gateway.office.price_file_views import imported
from gateway.office.views import LINES_SHOWN_MAX
from storage.office.price_files import PriceLine, PriceOutcome
from storage.office.prices import NewPrice, PriceListView, PriceView

LIST = PriceListView(
    price_list="day", name="", revision=2, created_at_ms=1, updated_at_ms=1, archived_at_ms=None
)


def price(price_minor: int | None) -> PriceView:
    return PriceView(
        row=0,
        price_list="day",
        product="cola",
        currency="HKD",
        from_ms=1,
        price_minor=price_minor,
        set_at_ms=1,
        set_by="ann",
    )


def a_line(number: int, *problems: str) -> PriceFileLine:
    wish = PriceLine(price=NewPrice(product="cola", currency="HKD", price_minor=1))
    return PriceFileLine(
        number=number, product="cola", wish=None if problems else wish, problems=problems
    )


def test_each_line_has_its_own_outcome() -> None:
    """Lines that could not be read have none; a price where one was withdrawn is a new one."""
    outcomes = [
        PriceOutcome(before=price(1), after=price(2), said="1 -> 2"),
        PriceOutcome(before=price(None), after=price(2), said="none -> 2"),
        PriceOutcome(before=price(2), after=price(2)),
        PriceOutcome(before=None, after=price(2), said="none -> 2", problem="from: is past"),
    ]
    lines = [a_line(2), a_line(3), a_line(4, "x: y"), a_line(5), a_line(6)]
    shown = imported(ImportedPrices(price_list=LIST, lines=lines, outcomes=outcomes))
    assert (1, 1, 1, 2) == (shown.created, shown.changed, shown.unchanged, shown.refused)
    assert [
        (4, "", ["x: y"]),
        (6, "none -> 2", ["from: is past"]),
        (2, "1 -> 2", []),
        (3, "none -> 2", []),
    ] == [(one.line, one.difference, list(one.problems)) for one in shown.lines]


def test_it_has_a_bound() -> None:
    """However many lines and characters there are."""
    problems = ["p" * 1_000] * 9
    lines = [a_line(number, *problems) for number in range(5_000)]
    shown = imported(ImportedPrices(price_list=LIST, lines=lines, outcomes=[]))
    assert (LINES_SHOWN_MAX, 5_000) == (len(shown.lines), shown.refused)
    assert shown.ByteSize() < 3 * 1_024 * 1_024

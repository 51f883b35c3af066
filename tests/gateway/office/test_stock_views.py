"""Stock as administrators read it."""

from gateway.office import stock_views
from storage.office.pars import ParView
from storage.office.stock_lists import StockLine
from storage.office.supply import HOUR_MS, Supply


def a_line(product: str, bring: int, hours: int | None = None) -> StockLine:
    """Return one column."""
    return StockLine(
        machine_id="VM-1",
        column="A1",
        product=product,
        capacity=10,
        stock=2,
        par=8,
        sold=3,
        span_ms=48 * HOUR_MS,
        expected=1,
        bring=bring,
        take_out=2,
        supply=Supply(hours=hours, hours_low=9, hours_high=hours),
    )


def test_what_nobody_knows_is_absent() -> None:
    """How long goods last that were never sold."""
    shown = stock_views.line(a_line("cola", 6))
    assert (48, 9, 6) == (shown.sold_in_hours, shown.supply_hours_low, shown.bring)
    assert 2 == shown.take_out
    assert not shown.HasField("supply_hours")
    assert not shown.HasField("supply_hours_high")
    assert 32 == stock_views.line(a_line("cola", 6, 32)).supply_hours


def test_the_van_is_told_by_product() -> None:
    """In their order."""
    lines = [a_line("tea", 1), a_line("cola", 6), a_line("cola", 2), a_line("cake", 0)]
    assert [("cola", 8), ("tea", 1)] == [
        (one.product, one.quantity) for one in stock_views.totals(lines)
    ]


def test_a_par_is_shown_with_its_product() -> None:
    """Without control characters."""
    shown = stock_views.par(ParView(column="A1", product="cola\x1b", par=4))
    assert ("A1", 4) == (shown.column, shown.par)
    assert "\x1b" not in shown.product

"""What a machine counted is held against the books; each difference has a sentence and a guess."""

from dataclasses import replace

import pytest

from storage.office.audit_figures import (
    ColumnFigures,
    Figures,
    MachineCounters,
    Meter,
    Tally,
)
from storage.office.readout_check import (
    DIFFERENCES_MAX,
    AlipaySays,
    Before,
    CounterDifference,
    Ours,
    ReadoutSpan,
    compare,
    in_minor_units,
)

SPAN = ReadoutSpan(from_ms=1, until_ms=2, compared=True)
NAMES = frozenset({"A1", "A2"})


def counters(a1: int, a2: int = 0, *, cash: int = 0) -> MachineCounters:
    """Return what a machine says that sold so many for 5.00 each."""
    number = a1 + a2 - cash
    return MachineCounters(
        paid=Meter(number=a1 + a2, minor=500 * (a1 + a2)),
        cashless=Meter(number=number, minor=500 * number),
        cash=Meter(number=cash, minor=500 * cash),
        columns={
            "A1": Meter(number=a1, minor=500 * a1),
            "A2": Meter(number=a2, minor=500 * a2),
        },
    )


def ours(a1: int, a2: int = 0, *, cash: int = 0, **more: int) -> Ours:
    """Return what the books have: so many by Alipay, and so many more from A1 for cash."""
    columns = {
        "A1": ColumnFigures(paid=Tally(a1, 500 * a1), cash=cash),
        "A2": ColumnFigures(paid=Tally(a2, 500 * a2)),
    }
    return Ours(figures=Figures(columns=columns), columns=NAMES, **more)


def differences(
    now: MachineCounters,
    before: MachineCounters | None,
    books: Ours,
    span: ReadoutSpan = SPAN,
    *,
    partial: bool = False,
) -> tuple[CounterDifference, ...]:
    """Return what differs."""
    was = None if before is None else Before(counters=before, partial=False)
    return compare(now, was, books, span, partial=partial)[1]


def test_what_agrees_differs_in_nothing() -> None:
    """Since the read-out before, and since installation."""
    span, found = compare(
        counters(7, 3),
        Before(counters=counters(4, 1), partial=False),
        ours(3, 2),
        SPAN,
        partial=False,
    )
    assert () == found
    assert 2 == span.columns_compared
    assert () == differences(counters(7, 3), None, ours(7, 3), replace(SPAN, from_ms=None))
    assert () == differences(counters(7, 3, cash=2), counters(4), ours(1, 3, cash=2))


def test_one_sale_too_many_is_told_of_both_its_counters() -> None:
    """With what each side counted since."""
    total, column = differences(counters(7, 3), counters(4, 1), ours(2, 2))
    assert (
        "DA2",
        Meter(number=5, minor=2_500),
        Meter(number=4, minor=2_000),
    ) == (
        total.counter,
        total.machine,
        total.ours,
    )
    assert ("PA2*A1", 3, 2) == (column.counter, column.machine.number, column.ours.number)
    assert (
        "since the read-out before the machine counted 5 (2500 in minor units) sales without cash, "
        "the books have 4 (2000 in minor units)"
    ) == total.said
    assert "test vends, another cashless reader, or vends that never reached us" == total.cause


def test_goods_that_were_written_off_were_delivered() -> None:
    """A machine counts them as sold."""
    written_off = {"A1": ColumnFigures(paid=Tally(1, 500), free=Tally(1, 500))}
    books = Ours(figures=Figures(columns=written_off), columns=NAMES)
    assert () == differences(counters(2), None, books)


def test_a_price_that_differs_is_a_difference() -> None:
    """Though the numbers agree."""
    dear = replace(counters(2), cashless=Meter(number=2, minor=1_200))
    (found,) = differences(dear, None, ours(2))
    assert "DA2" == found.counter
    assert "prices in the machine are other ones than in its planogram" == found.cause


def test_a_counter_that_went_back_is_told_as_that() -> None:
    """Nobody can say what was sold in between."""
    total, *columns = differences(counters(1), counters(9, 9), ours(1))
    assert "went back, from 18 (9000 in minor units) to 1 (500 in minor units)" in total.said
    assert "its board was replaced" in total.cause
    assert ["PA2*A1", "PA2*A2"] == [one.counter for one in columns]


@pytest.mark.parametrize(
    ("books", "span", "cause"),
    [
        (ours(2, undecided=2), SPAN, "2 vends have no outcome yet"),
        (ours(2, near=1), SPAN, "1 sales ended within 15 minutes of a read-out"),
        (ours(2), replace(SPAN, alipay=AlipaySays.DIFFERS), "Alipay's files of these days differ"),
        (ours(2), replace(SPAN, alipay=AlipaySays.AGREES), "so look at the machine"),
        (ours(2), replace(SPAN, from_ms=None), "before it was registered here"),
        (ours(4), SPAN, "the machine lost counts"),
    ],
)
def test_the_guess_fits_what_is_known(books: Ours, span: ReadoutSpan, cause: str) -> None:
    """What lies nearest is said first."""
    assert cause in differences(counters(3), counters(0), books, span)[0].cause


def test_sales_near_a_readout_explain_no_more_than_there_are() -> None:
    """One sale near its end is no reason for three that are missing."""
    found = differences(counters(3), counters(0), ours(0, near=1))
    assert "15 minutes" not in found[0].cause


def test_what_is_unknown_is_not_compared() -> None:
    """Neither a figure that is missing now nor one that was missing before."""
    silent = MachineCounters(cashless=Meter(number=None, minor=500), columns={"A1": Meter()})
    assert () == differences(silent, None, ours(1))
    assert () == differences(counters(5), MachineCounters(), ours(0, 0))[1:]


def test_without_a_counter_of_cashless_sales_all_are_compared() -> None:
    """Of a machine that sells for cash too, by number alone."""
    now = replace(counters(5), cashless=Meter())
    assert () == differences(now, None, ours(5))
    (found,) = (one for one in differences(now, None, ours(4)) if one.counter == "VA1")
    assert (Meter(number=5, minor=2_500), Meter(number=4, minor=2_000)) == (
        found.machine,
        found.ours,
    )
    assert "VA1" not in [one.counter for one in differences(now, None, ours(3, cash=2))]


def test_cash_that_nobody_told_explains_its_columns() -> None:
    """One item, not one more for each column."""
    (found,) = differences(counters(5, cash=2), None, ours(3))
    assert ("CA2", 2, 0) == (found.counter, found.machine.number, found.ours.number)


def test_columns_of_other_names_are_not_compared() -> None:
    """All of them would differ, and say nothing."""
    now = replace(counters(5), columns={"11": Meter(number=5, minor=2_500)})
    span, found = compare(now, None, ours(5), SPAN, partial=False)
    assert (0, ()) == (span.columns_compared, found)


def test_a_column_that_the_machine_does_not_name() -> None:
    """Is told if it sold; what was cut off may have named it."""
    now = replace(counters(5), columns={"A1": Meter(number=3, minor=1_500)})
    (found,) = differences(now, None, ours(3, 2))
    assert ("PA2*A2", Meter()) == (found.counter, found.machine)
    assert () == differences(now, None, ours(3, 2), partial=True)


def test_a_column_that_was_cut_off_before_is_not_compared() -> None:
    """What it had counted then is unknown; of a whole read-out it was 0."""
    was = replace(counters(3), columns={"A1": Meter(number=3, minor=1_500)})
    for partial, expected in ((True, ()), (False, ("PA2*A2",))):
        before = Before(counters=was, partial=partial)
        _, found = compare(counters(3, 0), before, ours(0), SPAN, partial=False)
        assert () == found
        grown = replace(counters(3), columns={"A2": Meter(number=7, minor=3_500)})
        _, found = compare(grown, before, ours(0), SPAN, partial=True)
        assert expected == tuple(one.counter for one in found)


def test_the_differences_are_bounded() -> None:
    """How many more there are is told."""
    many = {f"B{number:03}": Meter(number=1) for number in range(300)}
    now = MachineCounters(columns={"A1": Meter(number=0), **many})
    found = differences(now, None, ours(0))
    assert DIFFERENCES_MAX == len(found)
    assert ("PA2", "201 more columns differ than are listed") == (found[-1].counter, found[-1].said)


def test_amounts_become_minor_units() -> None:
    """Whatever number of decimals the machine writes; what is no whole number of them is
    unknown.
    """
    told = counters(1)
    assert (told, ()) == in_minor_units(told, 2, 2)
    assert (told, ()) == in_minor_units(told, None, 2)
    more, _ = in_minor_units(told, 0, 2)
    assert 50_000 == more.cashless.minor
    less, inexact = in_minor_units(replace(told, cashless=Meter(number=1, minor=5_005)), 4, 2)
    assert (Meter(number=1, minor=None), 5) == (less.cashless, less.paid.minor)
    assert ("DA2",) == inexact

"""No figure is of fewer than ten payers, and none can be found out from others."""

import itertools

import pytest

from storage.insight.suppression import Gate


def test_few_are_not_told_and_others_in_whole_steps() -> None:
    """So that one more or fewer is seen nowhere."""
    gate = Gate()
    assert [None, None, 10, 10, 20] == [gate.count(number) for number in (0, 9, 10, 19, 20)]
    assert 40 == Gate(5).count(42)
    with pytest.raises(ValueError, match="5"):
        Gate(4)


def test_nine_are_found_in_no_cell_and_by_no_subtraction() -> None:
    """One cell that is not told takes another one with it, and both together are enough."""
    cells = Gate().cells({"a": 9, "b": 25, "c": 47})
    assert ({"c": 40}, 30, 80) == (dict(cells.told), cells.others, cells.whole)
    cells = Gate().cells({"a": 9, "b": 9, "c": 47})
    assert ({"c": 40}, 10, 60) == (dict(cells.told), cells.others, cells.whole)
    cells = Gate().cells({"a": 4, "b": 3, "c": 12})
    assert ({}, 10, 10) == (dict(cells.told), cells.others, cells.whole)
    cells = Gate().cells({"a": 9})
    assert ({}, None, None) == (dict(cells.told), cells.others, cells.whole)
    cells = Gate().cells({"a": 10, "b": 20})
    assert ({"a": 10, "b": 20}, None, 30) == (dict(cells.told), cells.others, cells.whole)
    assert Gate().cells({"a": 10, "b": 0}).others is None


def test_who_knows_all_that_is_told_knows_no_cell_of_few() -> None:
    """Whatever the cells: what is not told is at least two cells and at least ten payers, or all
    of them; and the same is told if one payer of a cell that is not told moves to another such.
    """
    for numbers in itertools.product((1, 5, 9, 11, 23), repeat=3):
        payers = dict(zip("abc", numbers, strict=True))
        cells = Gate().cells(payers)
        hidden = [number for key, number in payers.items() if key not in cells.told]
        if any(number < 10 for number in numbers):
            assert len(hidden) > 1
            assert not cells.told or sum(hidden) >= 10
        assert all(number % 10 == 0 for number in cells.told.values())
        assert cells.others is None or cells.others <= sum(hidden)


def test_sums_are_told_in_steps_that_hide_anybody() -> None:
    """At least what ten buy on average, and what one of them bought at most; steps are round, so
    that they say little themselves.
    """
    gate = Gate()
    assert gate.amount(5_000, payers=9, largest=600) is None
    assert gate.amount(0, payers=90, largest=0) is None
    assert gate.amount(-5, payers=90, largest=1) is None
    assert gate.amount(5_500, payers=10, largest=600) is None
    assert 5_000 == gate.amount(5_500, payers=11, largest=500)
    assert 5_000 == gate.amount(5_999, payers=100, largest=90)
    assert 5_980 == gate.amount(5_999, payers=4_000, largest=20)
    assert 4_000 == gate.amount(5_999, payers=4_000, largest=1_001)
    assert 500 == Gate(5).amount(999, payers=10, largest=100)
    assert [1, 2, 3, 1_000_000] == [
        gate.amount(number, payers=10_000_000, largest=1) for number in (1, 2, 3, 1_000_000)
    ]


def test_two_groups_that_differ_by_one_payer_tell_nothing_of_them() -> None:
    """What is told of them is the same, or differs by at least what ten of them buy, whether the
    one bought next to nothing or more than anybody.
    """
    for others in (10, 11, 19, 40, 99):
        for bought in (1, 7, 300, 5_000):
            total, both = 250 * others, 250 * others + bought
            with_them = Gate().amount(both, payers=others + 1, largest=max(250, bought))
            without = Gate().amount(total, payers=others, largest=250)
            apart = abs((with_them or 0) - (without or 0))
            assert apart == 0 or apart >= 2_500

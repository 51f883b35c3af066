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

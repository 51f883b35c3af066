"""Cells are H3's, by positions in millionths of a degree."""

import importlib.util

import pytest

from storage.insight.cells import (
    RESOLUTION_MAX,
    RESOLUTION_MIN,
    cells_of,
    check_cells,
    shape_of,
)
from storage.office.deeds import NotPossible

PIER = (22_281_234, 114_158_123)


def test_a_place_is_in_the_cell_that_h3_names() -> None:
    """The names are those of other programs, so that their maps fit; the place is within."""
    pytest.importorskip("h3", reason="the extra places is not installed")
    beside = (PIER[0] + 100, PIER[1])
    far = (-33_900_000, 18_400_000)
    cells = cells_of({"pier": PIER, "beside": beside, "far": far}, 7)
    assert ("87410349bffffff", cells["pier"]) == (cells["pier"], cells["beside"])
    assert cells["far"] != cells["pier"]
    shape = shape_of(cells["pier"])
    norths, easts = zip(*shape.corners, strict=True)
    assert 6 == len(shape.corners)
    assert min(norths) < PIER[0] < max(norths)
    assert min(easts) < PIER[1] < max(easts)
    assert min(norths) < shape.middle[0] < max(norths)


def test_a_resolution_has_bounds() -> None:
    """A finer cell would be a machine's own, and a coarser one a country's."""
    pytest.importorskip("h3", reason="the extra places is not installed")
    check_cells(RESOLUTION_MIN)
    check_cells(RESOLUTION_MAX)
    for resolution in (-1, RESOLUTION_MIN - 1, RESOLUTION_MAX + 1):
        with pytest.raises(NotPossible) as refused:
            check_cells(resolution)
        assert "NO_SUCH_RESOLUTION" == refused.value.reason


def test_a_gateway_without_the_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody looks for it in a log."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotPossible) as refused:
        check_cells(7)
    assert "NO_CELLS" == refused.value.reason
    assert "pip install 'vendgate[places]'" in str(refused.value)

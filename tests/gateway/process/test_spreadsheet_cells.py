"""What was written is read as it was, and no spreadsheet carries it out."""

import pytest

from gateway.process.spreadsheet_cells import bare, guarded


@pytest.mark.parametrize("cell", ["", "tea", "=1+1", "'=1", "''", "＝1", "-5", "@x", "+1", "'tea"])
def test_a_cell_comes_back_and_is_no_formula(cell: str) -> None:
    """An apostrophe of ours is told from one that was there."""
    assert cell == bare(guarded(cell))
    assert guarded(cell)[:1] not in {"=", "+", "-", "@", "＝"}

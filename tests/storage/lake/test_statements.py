"""Texts for DuckDB say what others said as what it is: a text."""

import pytest

from storage.insight.sales import By, SalesWanted
from storage.lake import statements


def test_what_others_say_is_quoted() -> None:
    """Names of folders and kinds of sites may hold anything."""
    assert "'it''s'" == statements.quoted("it's")
    assert "read_parquet(['a''b', 'c'], hive_partitioning = false" in statements.files(("a'b", "c"))
    wanted = SalesWanted(first=1, last=2, by=By.DAY, site_type="x' OR 'a'='a")
    assert "site_type = 'x'' OR ''a''=''a'" in statements.from_cubes(wanted, 1, 2, "made")


@pytest.mark.parametrize("by", By)
def test_no_text_cuts_time(by: By) -> None:
    """Days and hours are numbers; no text asks a calendar."""
    wanted = SalesWanted(first=1, last=2, by=by, machine_ids=("VM-1",))
    text = statements.from_cubes(wanted, 1, 2, statements.cubes(("a",), ("b",))).lower()
    for word in ("date", "trunc", "timestamp", "extract", "strftime", "at_ms"):
        assert word not in text

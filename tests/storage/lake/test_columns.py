"""The columns of the files are a contract: this is its version 1."""

from storage.lake import columns
from storage.tables import sale_facts

VERSION_1 = (
    *("machine_id", "version", "line", "position", "at_ms", "d", "local_hour", "kind", "vend_id"),
    *("column", "product", "currency", "units", "sales_minor", "discount_minor", "payer_id"),
    *("site", "district", "site_type"),
)
ADDED = ("offer",)
"""Behind them, in this order, in files of later programs."""


def test_a_version_keeps_its_columns() -> None:
    """In their order; whoever changes one makes a new version, and says so in docs/data.md."""
    assert 1 == columns.FORMAT
    assert (*VERSION_1, *ADDED) == tuple(columns.FACTS)
    assert ADDED == columns.ADDED
    assert columns.CUBES[-len(ADDED) :] == ADDED
    assert set(columns.CUBES) == {*columns.CUBE_KEYS, *columns.CUBE_SUMS}
    assert set(columns.ORDER) == {column.name for column in sale_facts.primary_key}
    numbers = [name for name, kind in columns.FACTS.items() if kind != "VARCHAR"]
    texts = {column.name for column in sale_facts.columns if "String" in repr(column.type)}
    assert not texts & set(numbers)
    assert not {*columns.CUBE_KEYS, *columns.CUBE_SUMS} & {"payer_id", "vend_id"}

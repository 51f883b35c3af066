"""All tables hold to the rules of the house."""

from sqlalchemy import BigInteger, Float, Numeric, Table

from storage import tables
from storage.tables import metadata

COLUMNS = [column for table in metadata.tables.values() for column in table.columns]


def test_amounts_and_times_are_wide_integers() -> None:
    """Nothing that counts money or time is narrower than 64 bits, and nothing at all is a float."""
    assert [] == [str(column) for column in COLUMNS if isinstance(column.type, Float | Numeric)]
    counted = [column for column in COLUMNS if column.name.endswith(("_minor", "_ms"))]
    assert [] == [str(column) for column in counted if not isinstance(column.type, BigInteger)]


def test_no_name_is_too_long() -> None:
    """PostgreSQL cuts names off after 63 bytes."""
    names = [
        str(getattr(item, "name", ""))
        for table in metadata.tables.values()
        for item in (*table.constraints, *table.indexes)
    ]
    assert [] == [name for name in names if len(name) > 63]


def test_every_table_is_had_from_one_place() -> None:
    """No file of the folder hides the table that is called like it, and none is forgotten."""
    had = {name: getattr(tables, name) for name in metadata.tables}
    assert [] == [name for name, table in had.items() if not isinstance(table, Table)]
    assert set(metadata.tables) <= set(tables.__all__)

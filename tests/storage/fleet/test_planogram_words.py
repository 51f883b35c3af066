"""Another planogram is told in words that are bounded."""

from actors.machine.state import Column
from storage.fleet.planogram_words import differences, said_without_place, shown


def test_differences_are_told_column_by_column() -> None:
    """What is new, gone or other; a count is none of it, the order of columns is."""

    def column(name: str, **more: int) -> Column:
        values = {"price_minor": 500, "capacity": 9, "stock": 1} | more
        return Column(column=name, product="cola", **values)

    before = [column("A1"), column("A2"), column("A3")]
    after = [column("A1", price_minor=600, capacity=8), column("A3", stock=7), column("B1")]
    assert [
        "A1: price 500 -> 600, fit 9 -> 8",
        "B1: new, cola for 500, 9 fit",
        "A2: removed, cola",
    ] == differences(before, after)
    assert [] == differences(before, before)
    assert ["another order of columns"] == differences(before, before[::-1])


def test_long_lists_say_how_many_more_there_are() -> None:
    """Of differences and of goods."""
    assert ["x"] * 16 == shown(["x"] * 16)
    assert ["x"] * 16 + ["and 2 more columns"] == shown(["x"] * 18)
    column = Column(column="A1", product="tea", price_minor=1, capacity=9, stock=2)
    assert "2 tea of A1 have no place any more" == said_without_place([column])
    assert said_without_place([column] * 12).endswith(
        ", those of 2 more columns have no place any more"
    )

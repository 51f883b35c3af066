"""Figures add up, and what was added since an earlier state is their difference."""

from storage.office.audit_figures import ColumnFigures, Figures, Tally, as_field

EARLIER = Figures(
    columns={"A1": ColumnFigures(paid=Tally(2, 1_000), cash=1)},
    topped_up=Tally(2, 1_500),
    given_back=Tally(1, 500),
    events={"ELA": 1},
)
LATER = Figures(
    columns={
        "A1": ColumnFigures(paid=Tally(5, 2_500), free=Tally(1, 500), cash=1, tested=2),
        "A2": ColumnFigures(paid=Tally(1, 300)),
    },
    topped_up=Tally(6, 4_000),
    given_back=Tally(1, 500),
    events={"ELA": 1, "ELB": 2},
)


def test_columns_add_up() -> None:
    """To what the machine sold of each kind."""
    assert (Tally(6, 2_800), Tally(1, 500), 1, 2) == (
        LATER.paid,
        LATER.free,
        LATER.cash,
        LATER.tested,
    )


def test_what_was_added_since() -> None:
    """Also of a column and an event that were not there then."""
    added = LATER.since(EARLIER)
    assert ColumnFigures(paid=Tally(3, 1_500), free=Tally(1, 500), tested=2) == added.columns["A1"]
    assert Tally(1, 300) == added.columns["A2"].paid
    assert (Tally(4, 2_500), Tally()) == (added.topped_up, added.given_back)
    assert {"ELA": 0, "ELB": 2} == added.events
    assert Figures() == Figures().since(Figures())


def test_a_field_is_printable_ascii() -> None:
    """Without what ends it, and no longer than it may be."""
    assert "A?1?" == as_field("A*1\n", 9)
    assert "abc" == as_field("abcdef", 3)
    assert "???" == as_field("可口\u202e", 9)

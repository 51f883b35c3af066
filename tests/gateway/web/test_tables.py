"""Cells, and what a spreadsheet gets of them."""

from dataclasses import replace

import pytest

from gateway.v1 import money_pb2
from gateway.web.tables import (
    ACT,
    Age,
    Amount,
    Controls,
    Form,
    Instant,
    Link,
    Spark,
    Table,
    csv,
    led_back,
    money,
    with_acts,
)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (Amount(0, "HKD"), "0.00 HKD"),
        (Amount(5, "HKD"), "0.05 HKD"),
        (Amount(123_450, "HKD"), "1,234.50 HKD"),
        (Amount(-850, "HKD"), "-8.50 HKD"),
        (Amount(-123_456_789, "HKD"), "-1,234,567.89 HKD"),
        (Amount(-5, "HKD"), "-0.05 HKD"),
        (Amount(850, "JPY"), "850 JPY"),
        (Amount(1_850_000, "JPY"), "1,850,000 JPY"),
    ],
)
def test_an_amount_has_its_currencys_decimals(amount: Amount, expected: str) -> None:
    """Exactly, below zero too."""
    assert expected == str(amount)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_800, "2 d"),
    ],
)
def test_an_age_is_told_in_one_unit(seconds: int, expected: str) -> None:
    """In the largest of which there are two."""
    assert expected == str(Age(seconds))


REFILL = Form(act="refill", label="Refill", fields={})
CLOSE = Form(act="close-work-item", label="Close", fields={})
MOVE = Controls(act="change-playlist", of="place 1", name="move", buttons={"up-1": "Up"})


def test_only_forms_that_somebody_may_use_are_shown() -> None:
    """Each by its act; where none is left their column goes too, and the other cells stay."""
    table = Table(
        name="t",
        title="T",
        heads=("A", ACT, "B"),
        rows=[("1", REFILL, "2"), ("3", CLOSE, "4"), ("5", MOVE, "6")],
    )
    assert table == with_acts(table, {"refill", "close-work-item", "change-playlist"})
    some = with_acts(table, {"refill"})
    assert [("1", REFILL, "2"), ("3", None, "4"), ("5", None, "6")] == some.rows
    moves = with_acts(table, {"change-playlist"})
    assert [("1", None, "2"), ("3", None, "4"), ("5", MOVE, "6")] == moves.rows
    none = with_acts(table, ())
    assert (("A", "B"), [("1", "2"), ("3", "4"), ("5", "6")]) == (none.heads, none.rows)
    plain = Table(name="t", title="T", heads=("A",), rows=[("1",)])
    assert plain is with_acts(plain, ())


def test_a_form_leads_back_to_where_it_stood() -> None:
    """To its own button, if that is there again; else to its table. What is no form stays."""
    assert "table-t" == after_of(led_back(CLOSE, "t"))
    own = replace(REFILL, at="refill-A/1")
    assert "refill-A/1" == after_of(led_back(own, "t"))
    assert "refill-%231" == after_of(led_back(replace(REFILL, at="refill-#1"), "t"))
    for cell in (MOVE, "a", None):
        assert cell is led_back(cell, "t")


def after_of(cell: object) -> str:
    assert isinstance(cell, Form)
    return cell.after


def test_nothing_given_is_no_zero() -> None:
    """A message without a currency is no amount."""
    assert money(money_pb2.Money()) is None
    assert Amount(0, "HKD") == money(money_pb2.Money(currency="HKD"))


def test_a_file_has_what_the_page_has() -> None:
    """Amounts plain and with their currency apart, moments in UTC, no forms, no pictures."""
    table = Table(
        name="t",
        title="T",
        heads=("Machine", "Since", "Cost", "Open", "Age", ACT, "Days"),
        rows=[
            (
                Link("VM-1", "/machines/VM-1"),
                *(Instant(0), Amount(-123_450, "HKD"), 3, Age(90), None, None),
            ),
            (None, None, None, None, None, REFILL, Spark(path="M0 0", said="28 days")),
        ],
    )
    assert [
        '\ufeffMachine,Since,Cost,"Cost, currency",Open,Age',
        "VM-1,1970-01-01T00:00:00Z,-1234.50,HKD,3,90",
        ",,,,,",
        "",
    ] == csv(table).split("\r\n")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+2", "'=1+2"),
        ("@sum", "'@sum"),
        ("-2", "'-2"),
        ('a"b,c', '"a""b,c"'),
        ("\x1b[31mred\u202e", "\ufffd[31mred\ufffd"),
        ("\t=1", "\ufffd=1"),
        ("\u200b=1", "\ufffd=1"),
    ],
)
def test_no_cell_is_a_formula(cell: str, expected: str) -> None:
    """Nor does one turn the line around, or move a terminal's cursor."""
    table = Table(name="t", title="T", heads=("A",), rows=[(cell,)])
    assert expected == csv(table).split("\r\n")[1]


def test_an_empty_table_has_its_heads() -> None:
    """So that whoever reads the file knows what there is none of."""
    table = Table(name="t", title="T", heads=("A", "B"), rows=())
    assert "\ufeffA,B\r\n" == csv(table)
    assert ["", ""] == table.kinds

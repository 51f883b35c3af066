"""Cells, and what a spreadsheet gets of them."""

import pytest

from gateway.v1 import money_pb2
from gateway.web.tables import Age, Amount, Form, Instant, Link, Table, csv, money


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (Amount(0, "HKD"), "0.00 HKD"),
        (Amount(5, "HKD"), "0.05 HKD"),
        (Amount(123_450, "HKD"), "1234.50 HKD"),
        (Amount(-850, "HKD"), "-8.50 HKD"),
        (Amount(-5, "HKD"), "-0.05 HKD"),
        (Amount(850, "JPY"), "850 JPY"),
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


def test_nothing_given_is_no_zero() -> None:
    """A message without a currency is no amount."""
    assert money(money_pb2.Money()) is None
    assert Amount(0, "HKD") == money(money_pb2.Money(currency="HKD"))


def test_a_file_has_what_the_page_has() -> None:
    """Amounts with their currency apart, moments in UTC, no forms."""
    table = Table(
        name="t",
        title="T",
        heads=("Machine", "Since", "Cost", "Open", "Age", "Act"),
        rows=[
            (Link("VM-1", "/machines/VM-1"), Instant(0), Amount(-850, "HKD"), 3, Age(90), None),
            (None, None, None, None, None, Form(act="refill", label="Refill", fields={})),
        ],
    )
    assert [
        '\ufeffMachine,Since,Cost,"Cost, currency",Open,Age',
        "VM-1,1970-01-01T00:00:00Z,-8.50,HKD,3,90",
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

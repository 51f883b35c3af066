"""Files for spreadsheets are read as they were written."""

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office import csv_files
from gateway.office.csv_files import MARK
from gateway.process.spreadsheet_cells import bare, guarded


def taken_apart(content: bytes) -> list[csv_files.Record]:
    """Return the records of a small file."""
    return csv_files.taken_apart(content, bytes_max=100, lines_max=2)


@pytest.mark.parametrize(
    "cell", ["=1+1", "'=1", "''", "'", "-", "＝x", "plain", "", "a,b", 'say "x"']
)
def test_a_cell_comes_back_as_it_was(cell: str) -> None:
    """Also one that a spreadsheet would compute, and one that has an apostrophe of its own."""
    written = csv_files.line([guarded(cell), "end"])
    ((number, cells),) = taken_apart(f"{MARK}{written}".encode())
    assert (1, [cell, "end"]) == (number, [bare(one) for one in cells])
    assert guarded(cell)[:1] not in {"=", "-", "＝"}


def test_a_record_has_the_number_of_its_line() -> None:
    """Behind empty lines and lines within a cell."""
    assert [(1, ["a"]), (3, ["b\nc"]), (5, ["d"])] == taken_apart(b'a\n\n"b\nc"\nd\n')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x" * 101, "at most 100 bytes"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"a\nb\nc\nd\n", "at most 2 lines"),
        (b'a\n"b"c\n', "line 2 is no CSV"),
        (b"a\n\0b\n", "NUL character in line 2"),
        (("a" + "\u0301\u0327" * 20).encode(), "more than 30 marks upon one letter"),
    ],
)
def test_what_is_no_file_is_refused(content: bytes, said: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(CallRefused) as refused:
        taken_apart(content)
    assert said in refused.value.refusal.problems[0].description


def test_columns_are_named_once() -> None:
    """Without the spaces around them."""
    assert ["a", "b"] == csv_files.columns_of([" a", "b "])
    with pytest.raises(CallRefused):
        csv_files.columns_of(["a", " a"])


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("A", "cannot have the column 'A': it may have a or b"),
        ("a\tb", "'a\\tb': it may have a or b; cells must be parted by commas or semicolons"),
    ],
)
def test_a_column_that_cannot_be_is_refused(column: str, says: str) -> None:
    """With those that can be; tabs are the usual mistake."""
    refused = csv_files.not_known(column, "a or b")
    assert refused.refusal.problems[0].description.endswith(says)


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        (f"{MARK}a;b\r\n1;8,50\r\n", ["1", "8,50"]),
        ('\n"a,x";b;c\n1;2;3', ["1", "2", "3"]),
        ('a;b;"c,d"\n1;2;3', ["1", "2", "3"]),
        ("a,b\n1;2,3", ["1;2", "3"]),
        ("a\n1;2", ["1;2"]),
    ],
)
def test_semicolons_part_cells_where_the_first_line_has_more_of_them(
    content: str, cells: list[str]
) -> None:
    """As spreadsheets write them where a comma stands before decimals."""
    assert cells == taken_apart(content.encode())[1][1]


def test_what_is_wrong_with_many_lines_is_said_once() -> None:
    """With its lines, in the order of the first ones."""
    of_many = [(number, "m") for number in (3, 4, 5, 7, 9, 11, 13, 15, 16)]
    told = csv_files.each_once([(2, "a"), *of_many, (4, "b"), (17, "b"), (18, "b")])
    assert [
        "line 2: a",
        "lines 3-5, 7, 9, 11, 13 and more, 9 in all: m",
        "lines 4, 17-18: b",
    ] == told


def test_what_comes_twice_is_said_with_its_lines() -> None:
    """A few of them."""
    cells = [(2, "a"), (3, "b"), (5, "a"), *((number, "c") for number in range(10, 17))]
    assert {
        "a": "is in the file more than once, in lines 2, 5",
        "c": "is in the file more than once, in lines 10, 11, 12, 13, 14 and 2 more",
    } == csv_files.repeated(cells)


@pytest.mark.parametrize(
    ("cell", "hint"), [("8.50", True), ("8,5", True), ("-1.0", True), ("x", False), ("-1", False)]
)
def test_an_amount_with_decimals_is_told_its_unit(cell: str, *, hint: bool) -> None:
    """Whoever writes 8.50 is to write 850, and not 9."""
    assert hint == ("which is 850 for HKD 8.50" in csv_files.no_amount(cell))
    assert "" == csv_files.no_amount("850")


def test_a_text_of_a_file_has_one_form() -> None:
    """As that of a call has."""
    assert [(1, ["caf\u00e9"])] == taken_apart("cafe\u0301\n".encode())


def test_a_sentence_repeats_little_of_a_cell() -> None:
    """A column's name too, so that what is to be done stands behind it."""
    cell = "x" * 10_000
    assert f"must be a whole number, not '{'x' * 40}'..." == csv_files.no_number(cell)
    assert "'7 up'" == csv_files.shown("7 up")
    with pytest.raises(CallRefused) as refused:
        csv_files.columns_of([cell, cell])
    for one in (refused.value, csv_files.not_known(cell, "a")):
        assert 200 > len(one.refusal.message)

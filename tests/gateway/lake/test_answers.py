"""An answer becomes a file of the kind that its name says, and never in the place of another."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.lake.answers import HEAD, as_rows, write_answer
from storage.insight.sales import Amounts, SalesLine
from storage.lake.asking import LakeAnswer
from storage.lake.duck import LakeError, duck
from storage.office.costs import Costed

pytest.importorskip("duckdb")
ANSWER = LakeAnswer(
    lines=(
        SalesLine(
            key='tea, "green"',
            currency="HKD",
            now=Amounts(
                units=2, sales_minor=700, costed=Costed(units=1, sales_minor=300, cost_minor=310)
            ),
            before=Amounts(units=1, sales_minor=-5),
        ),
        SalesLine(key="", currency="HKD", now=Amounts(), before=Amounts(units=1, sales_minor=1)),
    ),
    before_first=1,
    before_last=2,
    position=9,
    from_cubes=0,
    from_sales=1,
)
ROWS = [
    ('tea, "green"', "HKD", 2, 700, 1, -5, 1, 300, 310, -10, 0, 0, 0, 0),
    ("", "HKD", 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
]


def test_an_answer_is_written(tmp_path: Path) -> None:
    """With the same rows in both kinds."""
    assert [HEAD, *ROWS] == as_rows(ANSWER)
    write_answer(ANSWER, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        assert [list(map(str, row)) for row in [HEAD, *ROWS]] == list(csv.reader(file))
    write_answer(ANSWER, tmp_path / "a.parquet")
    with duck() as engine:
        assert ROWS == engine.run(f"FROM read_parquet('{tmp_path / 'a.parquet'}')")
    assert ["a.csv", "a.parquet"] == sorted(one.name for one in tmp_path.iterdir())


def test_a_key_is_no_formula(tmp_path: Path) -> None:
    """People call categories as they like, and a spreadsheet carries out what begins so."""
    line = replace(ANSWER.lines[0], key="=1+1")
    answer = replace(ANSWER, lines=(line,))
    write_answer(answer, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        assert ["'=1+1", "HKD", "2", "700", "1", "-5"] == list(csv.reader(file))[1][:6]
    write_answer(answer, tmp_path / "a.parquet")
    with duck() as engine:
        assert [("=1+1",)] == engine.run(f"SELECT key FROM '{tmp_path / 'a.parquet'}'")


def test_another_file_is_left_as_it_is(tmp_path: Path) -> None:
    """And a name must say what it shall be."""
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(LakeError, match="not overwritten"):
        write_answer(ANSWER, tmp_path / "a.csv")
    assert "mine" == (tmp_path / "a.csv").read_text()
    with pytest.raises(LakeError, match=r"neither \.csv nor \.parquet"):
        write_answer(ANSWER, tmp_path / "a.xlsx")

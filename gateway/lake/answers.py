"""An answer of the lake as a table: CSV, or Parquet. Of CSV a spreadsheet takes no key for a
formula; Parquet has each key as it is.
"""

import csv
import io
import os
from pathlib import Path

from gateway.process.spreadsheet_cells import guarded
from storage.insight.sales import SalesLine
from storage.lake import statements
from storage.lake.asking import LakeAnswer
from storage.lake.duck import LakeError, duck
from storage.office.costs import Costed

_COSTED = ("costed_units", "costed_sales_minor", "cost_minor", "margin_minor")
HEAD = (
    *("key", "currency", "units", "sales_minor", "units_before", "sales_minor_before"),
    *(*_COSTED, *(f"{name}_before" for name in _COSTED)),
)
_TYPES = ("VARCHAR", "VARCHAR", *("BIGINT" for _ in HEAD[2:]))
Cell = str | int


def as_rows(answer: LakeAnswer) -> list[tuple[Cell, ...]]:
    """Return its lines under their head."""
    return [HEAD, *map(_row, answer.lines)]


def _row(one: SalesLine) -> tuple[Cell, ...]:
    sold = (one.now.units, one.now.sales_minor, one.before.units, one.before.sales_minor)
    return (one.key, one.currency, *sold, *_costed(one.now.costed), *_costed(one.before.costed))


def _costed(of: Costed | None) -> tuple[int, ...]:
    known = of or Costed()
    return known.units, known.sales_minor, known.cost_minor, known.margin_minor


def for_a_spreadsheet(answer: LakeAnswer) -> list[tuple[Cell, ...]]:
    """Return the same lines as cells of CSV: what people called a category is no formula."""
    return [
        tuple(guarded(cell) if isinstance(cell, str) else cell for cell in row)
        for row in as_rows(answer)
    ]


def write_answer(answer: LakeAnswer, out: Path) -> None:
    """Write a new file of the kind that its name says. Raises LakeError for a name that says none,
    and if it is there already; OSError.
    """
    kind = out.suffix.lower()
    if kind not in {".csv", ".parquet"}:
        raise LakeError(f"{out} is neither .csv nor .parquet: its name says what it shall be.")
    if out.exists():
        raise LakeError(f"{out} is there already, and is not overwritten.")
    text = io.StringIO()
    rows = for_a_spreadsheet(answer) if kind == ".csv" else as_rows(answer)
    csv.writer(text, lineterminator="\n").writerows(rows)
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        aside.write_text(text.getvalue(), encoding="utf-8")
        if kind == ".parquet":
            _as_parquet(aside, answer.position)
        os.link(aside, out)  # never in the place of another one
    finally:
        aside.unlink(missing_ok=True)


def _as_parquet(path: Path, position: int) -> None:
    kinds = ", ".join(
        f"{statements.quoted(name)}: {statements.quoted(kind)}"
        for name, kind in zip(HEAD, _TYPES, strict=True)
    )
    query = (
        f"SELECT * FROM read_csv({statements.quoted(str(path))}, columns = {{{kinds}}}, "
        "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        "force_not_null = ['key', 'currency'])"
    )
    with duck() as engine:
        engine.run(f"CREATE TEMP TABLE answer AS {query}")
        engine.run(statements.copied("FROM answer", str(path), {"position": str(position)}))

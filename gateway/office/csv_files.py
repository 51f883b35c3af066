"""Files for spreadsheets: bytes in, records out, and the other way round. Pure.

A file is RFC 4180 in UTF-8, its first line names its columns. Cells are parted by commas, or by
semicolons, as spreadsheets write them where a comma stands before decimals. A cell that a
spreadsheet would take for a formula is written with an apostrophe before it, and one that stands so
is read without it, so that what was written is read as it was.
"""

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gateway.fleet.errors import CallRefused, invalid
from gateway.rpc.composed import MarksHeaped, composed
from gateway.rpc.statuses import FieldProblem

MARK = "\ufeff"
"""What a file begins with, so that a spreadsheet knows that it is UTF-8."""
DIGITS_MAX = 15
SHOWN_MAX = 40
LINES_NAMED_MAX = 5
_DECIMALS = re.compile(r"-?[0-9]+[.,][0-9]+")
Record = tuple[int, list[str]]
"""The line in which it begins, and its cells."""


def wrong(description: str) -> CallRefused:
    """Return why a file cannot be taken apart."""
    return invalid(FieldProblem(field="csv", description=description))


def taken_apart(content: bytes, *, bytes_max: int, lines_max: int) -> list[Record]:
    """Return the records of a file, the first of which is that of its columns. Raises
    CallRefused.
    """
    if len(content) > bytes_max:
        raise wrong(f"must have at most {bytes_max} bytes")
    try:
        text = composed(content.decode("utf-8").removeprefix(MARK))
    except UnicodeDecodeError as error:
        raise wrong(f"is not UTF-8 at byte {error.start}: save it as CSV UTF-8") from None
    except MarksHeaped as error:
        raise wrong(error.said) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise wrong(f"has a NUL character in line {line}: take it out, no text has one")
    records: list[Record] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_parted_by(text))
    begins = 1
    try:
        for cells in reader:
            if cells:
                records.append((begins, cells))
            begins = reader.line_num + 1
            if len(records) > lines_max + 1:
                raise wrong(f"must have at most {lines_max} lines behind the first")
    except csv.Error as error:
        raise wrong(f"line {begins} is no CSV: {error}") from None
    return records


def _parted_by(text: str) -> str:
    """Return what parts the cells: what the first line that is not empty has more of."""
    first = text.lstrip().partition("\n")[0]
    return ";" if first.count(";") > first.count(",") else ","


def columns_of(cells: Sequence[str]) -> list[str]:
    """Return the columns that the first record names. Raises CallRefused if one comes twice."""
    columns = [cell.strip() for cell in cells]
    for column, times in Counter(columns).items():
        if times > 1:
            raise wrong(f"has the column {shown(column)} more than once")
    return columns


def shown(cell: str) -> str:
    """Return what a sentence repeats of a cell, so that what is to be done stands behind it."""
    return repr(cell) if len(cell) <= SHOWN_MAX else f"{cell[:SHOWN_MAX]!r}..."


def not_known(column: str, known: str) -> CallRefused:
    """Return the refusal of a file with a column that is none of those in ``known``."""
    parted = "; cells must be parted by commas or semicolons" if "\t" in column else ""
    return wrong(f"cannot have the column {shown(column)}: it may have {known}{parted}")


def repeated(cells: Iterable[tuple[int, str]]) -> Mapping[str, str]:
    """Return what is wrong with each cell that stands in several lines but shall in one, of the
    cells with their lines.
    """
    lines = defaultdict[str, list[int]](list)
    for number, cell in cells:
        lines[cell].append(number)
    return {cell: _said_of(numbers) for cell, numbers in lines.items() if len(numbers) > 1}


def _said_of(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:LINES_NAMED_MAX]))
    more = len(numbers) - LINES_NAMED_MAX
    return f"is in the file more than once, in lines {named}{f' and {more} more' * (more > 0)}"


def each_once(problems: Iterable[tuple[int, str]]) -> list[str]:
    """Return what is wrong in which lines, of what is wrong with each: each sentence once, in the
    order of the first lines, so that what is wrong with many crowds nothing else out.
    """
    lines = defaultdict[str, list[int]](list)
    for number, said in problems:
        lines[said].append(number)
    return [f"{_in_lines(numbers)}: {said}" for said, numbers in lines.items()]


def _in_lines(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    named = ", ".join("-".join(map(str, run)) for run in runs[:LINES_NAMED_MAX])
    more = len(runs) > LINES_NAMED_MAX
    return f"lines {named}{f' and more, {len(numbers)} in all' * more}"


def line(cells: Sequence[str]) -> str:
    """Return a record as a line with its end."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue()


def no_amount(cell: str) -> str:
    """Return what is wrong with a cell that is to be an amount; empty if nothing is."""
    said = no_number(cell)
    if said and _DECIMALS.fullmatch(cell):
        said += ": an amount is in the currency's smallest unit, which is 850 for HKD 8.50"
    return said


def no_number(cell: str) -> str:
    """Return what is wrong with a cell that is to be a whole number from 0 on; empty if nothing
    is.
    """
    digits = cell.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        return f"must be a whole number, not {shown(cell)}"
    if digits != cell:
        return f"must not be below 0, as {cell[:SHOWN_MAX]} is"
    if len(digits) > DIGITS_MAX:
        return f"must have {DIGITS_MAX} digits at most, and has {len(digits)}"
    return ""

"""The catalogue as a file: bytes in, wishes and problems out, and the other way round. Pure.

A file is as in ``gateway.office.csv_files``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.office import csv_files
from gateway.office.csv_files import MARK, wrong
from gateway.office.csv_files import line as csv_line
from gateway.office.fields import CATEGORY_LENGTH_MAX, TAX_CLASS_LENGTH_MAX, OfficeFields
from gateway.process.spreadsheet_cells import bare, guarded
from gateway.v1 import money_pb2
from storage.office.product_content import PLAIN, ProductChange
from storage.office.product_rows import ProductView
from storage.office.products import Wish

BYTES_MAX = 2 * 1_024 * 1_024
LINES_MAX = 5_000
PAGE_BYTES_MAX = 3 * 1_024 * 1_024
_NAME = "name "
_COLUMNS = ("product", *PLAIN, "archived")
_ARCHIVED = {"": False, "no": False, "yes": True}
_MONEY = frozenset({"unit_cost_minor", "unit_cost_currency"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """A record of a file: the line that it begins in, its product, and what it wants, None if
    anything is wrong with it, which ``problems`` says.
    """

    number: int
    product: str
    wish: Wish | None
    problems: tuple[str, ...] = ()


def read(content: bytes) -> list[FileLine]:
    """Return the records of a file. Raises CallRefused if it cannot be taken apart."""
    records = csv_files.taken_apart(content, bytes_max=BYTES_MAX, lines_max=LINES_MAX)
    if not records:
        raise wrong("is empty: its first line names its columns")
    columns = _columns(records[0][1])
    lines = [_line(number, cells, columns) for number, cells in records[1:]]
    repeated = csv_files.repeated((line.number, line.product) for line in lines)
    return [
        FileLine(
            number=line.number,
            product=line.product,
            wish=None,
            problems=(*line.problems, f"product: {repeated[line.product]}"),
        )
        if line.product in repeated
        else line
        for line in lines
    ]


def written(views: Sequence[ProductView]) -> tuple[bytes, int]:
    """Return a file of these products, and how many of them it has: those that fit a page, from the
    first.
    """
    languages = sorted({language for view in views for language in view.content.names})
    lines = [csv_line(["product", *(f"{_NAME}{one}" for one in languages), *_COLUMNS[1:]])]
    size = len(f"{MARK}{lines[0]}".encode())
    for view in views:
        text = csv_line([guarded(cell) for cell in _cells(view, languages)])
        size += len(text.encode())
        if size > PAGE_BYTES_MAX and len(lines) > 1:
            break
        lines.append(text)
    return f"{MARK}{''.join(lines)}".encode(), len(lines) - 1


def _columns(cells: list[str]) -> list[str]:
    named = [cell.strip() for cell in cells]
    unknown = [one for one in named if one not in _COLUMNS and not one.startswith(_NAME)]
    if unknown:
        raise csv_files.not_known(unknown[0], f"{', '.join(_COLUMNS)} and name <language>")
    columns = csv_files.columns_of(cells)
    if "product" not in columns:
        raise wrong("must have the column product")
    if len(_MONEY.intersection(columns)) == 1:
        raise wrong("must have unit_cost_minor and unit_cost_currency, or neither")
    return columns


def _line(number: int, cells: list[str], columns: list[str]) -> FileLine:
    if len(cells) != len(columns):
        said = f"line: has {len(cells)} cells, and the first line has {len(columns)}"
        return FileLine(number=number, product="", wish=None, problems=(said,))
    values = {column: bare(cell) for column, cell in zip(columns, cells, strict=True)}
    fields = OfficeFields().product(values["product"])
    change = _change(fields, values)
    problems = tuple(f"{_column(one.field)}: {one.description}" for one in fields.problems)
    return FileLine(
        number=number,
        product=values["product"],
        wish=None if problems else Wish(product=values["product"], change=change),
        problems=problems,
    )


def _column(field: str) -> str:
    """Return the column of the file that a field is of: ``name en`` for ``name[en]``."""
    _, _, language = field.partition("[")
    return f"{_NAME}{language[:-1]}" if language else field.replace("unit_cost.", "unit_cost_")


def _change(fields: OfficeFields, values: Mapping[str, str]) -> ProductChange:
    names = {
        column.removeprefix(_NAME): cell
        for column, cell in values.items()
        if column.startswith(_NAME)
    }
    fields.names({language: name or "-" for language, name in names.items()}, field="name")
    plain = {name: _READ[name](fields, values[name]) for name in _READ if name in values}
    if "unit_cost_minor" in values:
        plain |= _cost(fields, values["unit_cost_minor"], values["unit_cost_currency"])
    archived = None
    if "archived" in values:
        archived = _ARCHIVED.get(values["archived"].lower())
        if archived is None:
            fields.wrong("archived", "must be yes, no or empty")
    return ProductChange(plain=plain, some_names=names, archived=archived)


def _category(fields: OfficeFields, cell: str) -> str:
    fields.line("category", cell, most=CATEGORY_LENGTH_MAX)
    return cell


def _tax_class(fields: OfficeFields, cell: str) -> str:
    fields.line("tax_class", cell, most=TAX_CLASS_LENGTH_MAX)
    return cell


def _barcode(fields: OfficeFields, cell: str) -> str:
    fields.barcode(cell)
    return cell


def _image(fields: OfficeFields, cell: str) -> str:
    fields.sha256(cell, field="image_sha256")
    return cell


def _shelf_life(fields: OfficeFields, cell: str) -> int:
    days = _number(fields, "shelf_life_days", cell or "0")
    fields.shelf_life(days)
    return days


_READ: Mapping[str, Callable[[OfficeFields, str], Any]] = {
    "category": _category,
    "tax_class": _tax_class,
    "barcode": _barcode,
    "shelf_life_days": _shelf_life,
    "image_sha256": _image,
}


def _cost(fields: OfficeFields, minor: str, currency: str) -> dict[str, Any]:
    if not minor and not currency:
        return {"unit_cost_minor": None, "unit_cost_currency": ""}
    amount = money_pb2.Money(minor=_number(fields, "unit_cost_minor", minor), currency=currency)
    fields.money(amount, field="unit_cost")
    return {"unit_cost_minor": amount.minor, "unit_cost_currency": currency}


def _number(fields: OfficeFields, column: str, cell: str) -> int:
    no_number = csv_files.no_amount if column in _MONEY else csv_files.no_number
    if said := no_number(cell):
        fields.wrong(column, said)
        return 0
    return int(cell)


def _cells(view: ProductView, languages: Sequence[str]) -> Iterator[str]:
    content = view.content
    yield view.product
    for language in languages:
        yield content.names.get(language, "")
    for name in PLAIN:
        value = getattr(content, name)
        yield "" if value is None or (name == "shelf_life_days" and value == 0) else str(value)
    yield "no" if view.archived_at_ms is None else "yes"

"""A price list as a file: bytes in, lines and problems out, and the other way round. Pure.

A file is as in ``gateway.office.csv_files``. Moments are RFC 3339. A price that was forgotten is no
price of nothing: a line has a price or says that it takes one away.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from actors.machine.policy import AMOUNT_MINOR_MAX
from gateway.office import csv_files
from gateway.office.csv_files import MARK, wrong
from gateway.office.csv_files import line as csv_line
from gateway.office.fields import OfficeFields
from gateway.process.spreadsheet_cells import bare, guarded
from storage.office.price_files import PriceLine
from storage.office.prices import NewPrice, PriceView, moment_text

BYTES_MAX = 2 * 1_024 * 1_024
LINES_MAX = 5_000
PAGE_BYTES_MAX = 3 * 1_024 * 1_024
AHEAD_MS_MAX = 2 * 366 * 86_400_000
"""A price is set two years ahead at most."""
_MUST = ("product", "currency", "price_minor")
COLUMNS = (*_MUST, "from", "withdrawn")
_WITHDRAWN = {"": False, "no": False, "yes": True}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFileLine:
    """A record of a file: the line that it begins in, its product, and what it wants, None if
    anything is wrong with it, which ``problems`` says.
    """

    number: int
    product: str
    wish: PriceLine | None
    problems: tuple[str, ...] = ()


def read(content: bytes, *, now_ms: int) -> list[PriceFileLine]:
    """Return the records of a file. Raises CallRefused if it cannot be taken apart."""
    records = csv_files.taken_apart(content, bytes_max=BYTES_MAX, lines_max=LINES_MAX)
    if not records:
        raise wrong("is empty: its first line names its columns")
    columns = _columns(records[0][1])
    lines = [_line(number, cells, columns, now_ms) for number, cells in records[1:]]
    times = Counter(_said(line.wish, now_ms) for line in lines if line.wish is not None)
    return [
        replace(
            line,
            wish=None,
            problems=("product: has more than one price from the same moment in the file",),
        )
        if line.wish is not None and times[_said(line.wish, now_ms)] > 1
        else line
        for line in lines
    ]


def written(views: Sequence[PriceView]) -> tuple[bytes, int]:
    """Return a file of these prices, and how many of them it has: those that fit a page, from the
    first.
    """
    lines = [csv_line(COLUMNS)]
    size = len(f"{MARK}{lines[0]}".encode())
    for view in views:
        text = csv_line([guarded(cell) for cell in _cells(view)])
        size += len(text.encode())
        if size > PAGE_BYTES_MAX and len(lines) > 1:
            break
        lines.append(text)
    return f"{MARK}{''.join(lines)}".encode(), len(lines) - 1


def moment(cell: str) -> int | None:
    """Return a moment of RFC 3339 in milliseconds, what is less than one counted as a whole one;
    None if it is none from 1970 on.
    """
    try:
        at = datetime.fromisoformat(cell)
        if "T" not in cell.upper() or at.tzinfo is None or at < _EPOCH:
            return None
        return -((_EPOCH - at) // _MS)
    except (ValueError, OverflowError):
        return None


def _said(wish: PriceLine, now_ms: int) -> tuple[str, str, int]:
    from_ms = now_ms if wish.from_ms is None else wish.from_ms
    return wish.price.product, wish.price.currency, from_ms


def _columns(cells: list[str]) -> list[str]:
    named = [cell.strip() for cell in cells]
    if unknown := [one for one in named if one not in COLUMNS]:
        raise csv_files.not_known(unknown[0], ", ".join(COLUMNS))
    columns = csv_files.columns_of(cells)
    if missing := [one for one in _MUST if one not in columns]:
        raise wrong(f"must have the column {missing[0]}")
    return columns


def _line(number: int, cells: list[str], columns: list[str], now_ms: int) -> PriceFileLine:
    if len(cells) != len(columns):
        said = f"line: has {len(cells)} cells, and the first line has {len(columns)}"
        return PriceFileLine(number=number, product="", wish=None, problems=(said,))
    found = {column: bare(cell) for column, cell in zip(columns, cells, strict=True)}
    fields = OfficeFields().product(found["product"]).currency(found["currency"])
    wish = PriceLine(
        price=NewPrice(
            product=found["product"],
            currency=found["currency"],
            price_minor=_price(fields, found),
        ),
        from_ms=_from(fields, found.get("from", ""), now_ms),
    )
    problems = tuple(f"{one.field}: {one.description}" for one in fields.problems)
    return PriceFileLine(
        number=number,
        product=found["product"],
        wish=None if problems else wish,
        problems=problems,
    )


def _price(fields: OfficeFields, found: Mapping[str, str]) -> int | None:
    cell = found["price_minor"]
    withdrawn = _WITHDRAWN.get(found.get("withdrawn", "").lower())
    if withdrawn is None:
        fields.wrong("withdrawn", "must be yes, no or empty")
    elif withdrawn and cell:
        fields.wrong("price_minor", "must be empty where withdrawn is yes")
    elif not withdrawn and not cell:
        fields.wrong("price_minor", "must be there, unless withdrawn is yes")
    elif cell and (said := csv_files.no_amount(cell)):
        fields.wrong("price_minor", said)
    elif cell and not 0 < int(cell) <= AMOUNT_MINOR_MAX:
        fields.wrong("price_minor", f"must be 1 to {AMOUNT_MINOR_MAX}")
    elif cell:
        return int(cell)
    return None


def _from(fields: OfficeFields, cell: str, now_ms: int) -> int | None:
    if not cell:
        return None
    from_ms = moment(cell)
    if from_ms is None:
        fields.wrong("from", "must be a moment as 2027-01-31T08:00:00+08:00, or empty for now")
    elif from_ms > now_ms + AHEAD_MS_MAX:
        fields.wrong("from", "must be two years ahead at most")
    return from_ms


def _cells(view: PriceView) -> Iterator[str]:
    yield view.product
    yield view.currency
    yield "" if view.price_minor is None else str(view.price_minor)
    yield moment_text(view.from_ms)
    yield "yes" if view.price_minor is None else "no"

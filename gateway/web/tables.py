"""Tables: what a page shows, what is drawn as a picture, and what a spreadsheet gets are the same
rows.

Flows in: cells with their kinds. Flows out: CSV here, HTML in the templates. A text is shown as
text, whatever stands in it: what turns a line around or is not seen is replaced, and a spreadsheet
takes no cell for a formula.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from google.protobuf.timestamp_pb2 import Timestamp

from alipay_client.currencies import exponent
from gateway.office.csv_files import MARK, line
from gateway.office.fields import NAME_LENGTH_MAX
from gateway.process.spreadsheet_cells import guarded
from gateway.process.texts import plain
from gateway.v1 import money_pb2

ACT = "Act"
"""The head of a column of forms, which no spreadsheet gets."""


def grouped(number: int) -> str:
    """Return a figure for people, in groups of three: ``12,345``."""
    return f"{number:,}"


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact amount, in minor units."""

    minor: int
    currency: str

    @property
    def decimal(self) -> str:
        """The amount as people write it: ``-12.50``."""
        digits = exponent(self.currency)
        whole = f"{abs(self.minor):0{digits + 1}}"
        written = f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
        return f"-{written}" if self.minor < 0 else written

    def __str__(self) -> str:
        sign, digits = ("-", self.decimal[1:]) if self.minor < 0 else ("", self.decimal)
        whole, point, rest = digits.partition(".")
        return f"{sign}{grouped(int(whole))}{point}{rest} {self.currency}"


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment, in milliseconds since 1970 UTC."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Age:
    """How long something has lasted."""

    seconds: int

    def __str__(self) -> str:
        for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
            if self.seconds >= 2 * length:
                return f"{self.seconds // length} {unit}"
        return f"{max(0, self.seconds)} s"


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to another page of the console."""

    text: str
    href: str


ASKED_MAX = {"name": NAME_LENGTH_MAX, "code": 64, "lot": 64, "from": 42}
"""So many characters the calls take of what a form asks for, if it is not REASON_MAX."""
REASON_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A button with what it needs, sent to ``act`` (``gateway.web.acts``). ``fields`` go with it;
    ``asks`` names what the person writes: ``reason``, and others that the act knows; ``choices``
    what they choose from; ``given`` what stands there before they write; ``file`` is the field of a
    file. ``at`` is the name of its button in the page, if the button is there again once it is
    done; ``after`` what the browser goes to then. Controls in tables belong to the form of their
    act.
    """

    act: str
    label: str
    fields: Mapping[str, str]
    asks: tuple[str, ...] = ("reason",)
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    at: str = ""
    after: str = ""

    def most(self, name: str) -> int:
        """Return how many characters may be written into a field, as many as its call takes."""
        return ASKED_MAX.get(name, REASON_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What stands in a row of the form of ``act``, which itself stands above the table and goes to
    the server whole: a number under ``field``, and buttons, each with its word under ``name``.
    ``of`` is what they are about, for who hears the page.
    """

    act: str
    of: str
    name: str
    buttons: Mapping[str, str]
    field: str = ""
    value: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A small picture of some days (``gateway.web.charts.spark``), and the same in words."""

    path: str
    said: str


Cell = str | int | Amount | Instant | Age | Link | Form | Controls | Spark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under heads. ``empty`` is said where there are none; ``note`` stands below. ``cut``:
    there are more rows, which the page does not go on to.
    """

    name: str
    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    empty: str = "Nothing."
    note: str = ""
    cut: bool = False

    @property
    def kinds(self) -> list[str]:
        """Of what kind the cells of each column are, in lower case, by the first that is there."""
        return [
            next((type(row[at]).__name__.lower() for row in self.rows if row[at] is not None), "")
            for at in range(len(self.heads))
        ]


def place_of(table: str) -> str:
    """Return the name of a table in its page."""
    return f"table-{table}"


def led_back(cell: Cell, table: str) -> Cell:
    """Return what stands in a table; a form, as one that leads back to its own button, or to the
    table if that is not there any more.
    """
    if not isinstance(cell, Form):
        return cell
    return replace(cell, after=quote(cell.at) if cell.at else place_of(table))


def with_acts(table: Table, allowed: Collection[str]) -> Table:
    """Return the table with those forms only that somebody may use; without any, also without
    their column.
    """
    if ACT not in table.heads:
        return table
    place = table.heads.index(ACT)
    forms = [
        form if isinstance(form := row[place], Form | Controls) and form.act in allowed else None
        for row in table.rows
    ]
    if any(forms):
        rows = [
            (*row[:place], form, *row[place + 1 :])
            for row, form in zip(table.rows, forms, strict=True)
        ]
        return replace(table, rows=rows)
    heads = (*table.heads[:place], *table.heads[place + 1 :])
    return replace(
        table, heads=heads, rows=[(*row[:place], *row[place + 1 :]) for row in table.rows]
    )


def money(of: money_pb2.Money) -> Amount | None:
    """Return the amount of a message; None if it was not given."""
    return Amount(of.minor, of.currency) if of.currency else None


def moment(of: Timestamp) -> Instant | None:
    """Return the moment of a message; None if it was not given."""
    at_ms = of.seconds * 1_000 + of.nanos // 1_000_000
    return Instant(at_ms) if at_ms else None


def csv(table: Table) -> str:
    """Return the table for a spreadsheet. An amount has its currency in a column of its own, a
    moment stands in UTC, and forms and pictures are left out.
    """
    places = [
        place
        for place, head in enumerate(table.heads)
        if head != ACT and not any(isinstance(row[place], Spark) for row in table.rows)
    ]
    rows = [[row[place] for place in places] for row in table.rows]
    amounts = [
        any(isinstance(cell, Amount) for cell in column) for column in zip(*rows, strict=True)
    ]
    amounts = amounts or [False] * len(places)
    heads = [
        name
        for place, is_amount in zip(places, amounts, strict=True)
        for name in _named(table.heads[place], is_amount=is_amount)
    ]
    return MARK + "".join(map(line, [heads, *(list(_texts(row, amounts)) for row in rows)]))


def _named(head: str, *, is_amount: bool) -> tuple[str, ...]:
    return (head, f"{head}, currency") if is_amount else (head,)


def _texts(row: Sequence[Cell], amounts: Sequence[bool]) -> Iterator[str]:
    for cell, is_amount in zip(row, amounts, strict=True):
        if isinstance(cell, Amount):
            # Written by us: a minus is no formula.
            yield from (cell.decimal, cell.currency)
        elif isinstance(cell, int):
            yield str(cell)
        else:
            yield guarded(plain(_text(cell)))
            if is_amount:
                yield ""


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case Link(text=text):
            return text
        case Instant(at_ms=at_ms):
            return utc(at_ms)
        case Age(seconds=seconds):
            return str(seconds)
        case _:
            return str(cell)


def utc(at_ms: int) -> str:
    """Return a moment as RFC 3339, to the second."""
    return Timestamp(seconds=at_ms // 1_000).ToJsonString()

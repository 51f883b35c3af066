"""Pictures: from numbers to places on paper. Pure; the templates write them as SVG.

Flows in: counts and amounts, all of them integers. Flows out: integers too, in the units of the
picture. What is not known is drawn as nothing, never as zero.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BAR_LENGTH = 400
LABEL_LENGTH_MAX = 24
_COLUMN = re.compile(r"(?P<row>\D*)(?P<place>.*)")
LOW_PERCENT = 25
MAP_WIDTH = 720
MAP_HEIGHT = 420
_MARGIN = 40
DOT_MIN, DOT_MAX = 6, 22


def short(text: str, most: int = LABEL_LENGTH_MAX) -> str:
    """Return a text that has room; three dots say that more of it was there."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """``length`` of BAR_LENGTH; None: nothing is known, which is no zero."""

    label: str
    said: str
    length: int | None


def bars(of: Sequence[tuple[str, int | None, str]]) -> list[Bar]:
    """Return a bar of each label, number and what is written beside it. Numbers below zero have no
    length.
    """
    most = max((number for _, number, _ in of if number is not None), default=0)
    return [
        Bar(
            label=label,
            said=said,
            length=None
            if number is None
            else max(0, number) * BAR_LENGTH // most
            if most > 0
            else 0,
        )
        for label, number, said in of
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One column of a machine as it stands on the shelf. ``percent`` of its capacity; None where
    it has none.
    """

    column: str
    product: str
    said: str
    percent: int | None
    row: int
    place: int

    @property
    def state(self) -> str:
        """How full it is, in a word."""
        if self.percent is None:
            return "unknown"
        if self.percent == 0:
            return "empty"
        return "low" if self.percent <= LOW_PERCENT else "full"


def shelf(columns: Iterable[tuple[str, str, int, int]]) -> list[Slot]:
    """Return the slots of a machine: column, product, stock and capacity of each. What a column's
    name begins with is its row.
    """
    rows: dict[str, list[tuple[str, str, int, int]]] = {}
    for one in columns:
        found = _COLUMN.fullmatch(one[0])
        rows.setdefault(found["row"] if found else "", []).append(one)
    return [
        Slot(
            column=column,
            product=product,
            said=f"{stock} of {capacity}",
            percent=min(100, stock * 100 // capacity) if capacity else None,
            row=row,
            place=place,
        )
        for row, name in enumerate(sorted(rows))
        for place, (column, product, stock, capacity) in enumerate(
            sorted(rows[name], key=lambda one: (len(one[0]), one[0]))
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A site on the map; ``size`` grows with its machines."""

    code: str
    label: str
    href: str
    x: int
    y: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A cell on the map: its corners as SVG has them, what it is, and that in words."""

    label: str
    said: str
    points: str


Spot = tuple[int, int]
"""Latitude and longitude, in millionths of a degree."""


def dots(
    places: Sequence[tuple[str, str, int, int]],
    counts: Mapping[str, int],
    around: Iterable[Spot] = (),
) -> list[Dot]:
    """Return the sites by name, code, latitude and longitude (millionths of a degree), north above;
    ``around`` is to be on the picture too. A degree of longitude is as long as one of latitude:
    what is shown is where things are from one another, in a town or a country.
    """
    if not places:
        return []
    frame = _frame([*((one[2], one[3]) for one in places), *around])
    most = max(counts.values(), default=0)
    return [
        Dot(
            code=code,
            label=name,
            href=f"/places?site={code}",
            x=frame.x(longitude),
            y=frame.y(latitude),
            size=DOT_MIN + ((DOT_MAX - DOT_MIN) * counts.get(code, 0) // most if most else 0),
        )
        for name, code, latitude, longitude in places
    ]


def outlines(
    cells: Sequence[tuple[str, str, Sequence[Spot]]], around: Iterable[Spot] = ()
) -> list[Outline]:
    """Return the cells by what they are, that in words, and their corners, on the picture on which
    ``around``, the sites, is too.
    """
    if not cells:
        return []
    frame = _frame([*around, *(corner for _, _, corners in cells for corner in corners)])
    return [
        Outline(
            label=label,
            said=words,
            points=" ".join(f"{frame.x(east)},{frame.y(north)}" for north, east in corners),
        )
        for label, words, corners in cells
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """One unit of the picture is ``unit`` millionths, both ways."""

    north: int
    west: int
    unit: int
    left: int
    top: int

    def x(self, longitude: int) -> int:
        return self.left + (longitude - self.west) // self.unit

    def y(self, latitude: int) -> int:
        return self.top + (self.north - latitude) // self.unit


def _frame(spots: Sequence[Spot]) -> _Frame:
    """Return the picture that holds all of them, in its middle."""
    north, south = max(one[0] for one in spots), min(one[0] for one in spots)
    east, west = max(one[1] for one in spots), min(one[1] for one in spots)
    wide, high = MAP_WIDTH - 2 * _MARGIN, MAP_HEIGHT - 2 * _MARGIN
    unit = max(1, -(-(east - west) // wide), -(-(north - south) // high))
    return _Frame(
        north=north,
        west=west,
        unit=unit,
        left=_MARGIN + (wide - (east - west) // unit) // 2,
        top=_MARGIN + (high - (north - south) // unit) // 2,
    )


HOURS = 24
HEAT_LEVELS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """One hour of the week, ``row`` 0 is Monday. ``level`` 1 to HEAT_LEVELS, by the amount."""

    row: int
    hour: int
    level: int
    said: str


def heat(of: Mapping[tuple[int, int], tuple[int, str]]) -> list[Heat]:
    """Return the hours of which something is known: number and words by weekday (1: Monday) and
    hour. What is not there is not drawn.
    """
    most = max((number for number, _ in of.values()), default=0)
    return [
        Heat(
            row=weekday - 1,
            hour=hour,
            level=max(1, -(-number * HEAT_LEVELS // most)) if most > 0 else 1,
            said=said,
        )
        for (weekday, hour), (number, said) in sorted(of.items())
    ]


COLUMN_HEIGHT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What is and what was, side by side, each of COLUMN_HEIGHT at most; None: nothing known."""

    now: int | None
    before: int | None
    said: str


def pairs(of: Sequence[tuple[int | None, int | None, str]]) -> list[Pair]:
    """Return the columns of a day, all in one scale."""
    most = max(
        (one for now, before, _ in of for one in (now, before) if one is not None), default=0
    )

    def height(number: int | None) -> int | None:
        if number is None:
            return None
        return max(0, number) * COLUMN_HEIGHT // most if most > 0 else 0

    return [Pair(now=height(now), before=height(before), said=said) for now, before, said in of]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What is, on a line on which the usual lies from ``low`` to ``high``, of BAR_LENGTH."""

    now: int
    low: int
    middle: int
    high: int


def band(now: int, low: int, middle: int, high: int) -> Band:
    """Return the places of these numbers on a line that begins at nothing."""
    most = max(now, high, 1)
    now, low, middle, high = (max(0, one) * BAR_LENGTH // most for one in (now, low, middle, high))
    return Band(now=now, low=low, middle=middle, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """From ``low`` to ``high`` with the ``middle`` between, on a line of BAR_LENGTH with nothing in
    its middle.
    """

    label: str
    said: str
    low: int
    middle: int
    high: int


def ranges(of: Sequence[tuple[str, tuple[int, int, int], str]]) -> list[Range]:
    """Return the places of low, middle and high, which may be below nothing, all in one scale."""
    most = max((abs(one) for _, three, _ in of for one in three), default=0) or 1
    half = BAR_LENGTH // 2

    def place(number: int) -> int:
        return half + number * half // most

    return [
        Range(label=label, said=said, low=place(low), middle=place(middle), high=place(high))
        for label, (low, middle, high), said in of
    ]


SPARK_STEP = 3
SPARK_HEIGHT = 22
SPARK_WIDTH = 28 * SPARK_STEP


def spark(of: Sequence[int | None]) -> str:
    """Return the path of a small picture of some days."""
    return strokes(of, SPARK_STEP, SPARK_HEIGHT)


def strokes(of: Sequence[int | None], step: int, height: int) -> str:
    """Return a path: a stroke for each day, from the ground up, none where nothing is known. What
    is there is seen, however little it is.
    """
    most = max((one for one in of if one is not None), default=0)
    return "".join(
        f"M{place * step + step // 2} {height}v-{_stroke_height(one, most, height)}"
        for place, one in enumerate(of)
        if one is not None
    )


def _stroke_height(one: int, most: int, height: int) -> int:
    return max(1, one * height // most) if most > 0 else 1

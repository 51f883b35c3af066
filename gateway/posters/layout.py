"""Where everything stands on a poster. Pure.

Flows in: what a machine's poster says, how the operator wants it to look, the sheet, and how wide
a text is. Flows out: what is to be drawn, in its order. Lengths are points (1/72 inch), counted
from the upper left corner of the trimmed sheet, to the right and down; what hangs over the edge
is cut off, if there is a bleed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from actors.machine.state import Mode
from gateway.posters.code import QUIET, Modules
from gateway.posters.refusals import PosterRefused
from gateway.posters.words import WORDS, Sentences

MM = 72 / 25.4
BLEED = 3 * MM
SLUG = 10 * MM
"""Around the trimmed sheet, where there is a bleed: room for that and for the marks."""
CODE_SHARE_MIN = 0.3
"""Of the shorter edge, so that a code is read from where a customer stands."""
_CODE_SHARES = (1.0, 0.9, 0.8)
"""Of the code's usual size, tried in turn where much is to be said."""
TEXT_SIZE_MIN = 5.0
WHITE = "#ffffff"
FIXED = "\u00a0"
"""A space at which no line ends."""
_NEVER_FIRST = "，。、；：？！）」』”’,.;:?!)"


class Size(StrEnum):
    """What is printed on."""

    A4 = "a4"
    A5 = "a5"
    STICKER = "sticker"


TRIMMED: Mapping[Size, tuple[float, float]] = {
    Size.A4: (210 * MM, 297 * MM),
    Size.A5: (148 * MM, 210 * MM),
    Size.STICKER: (80 * MM, 120 * MM),
}
"""Width and height of what is left when it was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A size, with a bleed and marks to cut along or without."""

    size: Size
    bleed: bool = False

    @property
    def trimmed(self) -> tuple[float, float]:
        """Width and height of what is left when it was cut."""
        return TRIMMED[self.size]

    @property
    def margin(self) -> float:
        """How far the page reaches beyond that, on each side."""
        return SLUG if self.bleed else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """What stands on one machine's poster. ``code_id`` names the code, ``place`` is empty if
    nobody said where the machine stands.
    """

    machine_id: str
    modules: Modules
    code_id: str
    mode: Mode
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the operator wants posters to look. ``logo`` and ``mark``: how much wider than high those
    pictures are; None if there is none. Colours are ``#rrggbb``.
    """

    languages: Sequence[str]
    phone: str
    ink: str
    accent: str
    logo: float | None = None
    mark: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A text in one line; ``y`` is its baseline."""

    x: float
    y: float
    size: float
    text: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code's dark modules, each ``module`` wide, in black; the quiet zone is left free."""

    x: float
    y: float
    module: float
    modules: Modules


@dataclass(frozen=True, slots=True, kw_only=True)
class Artwork:
    """A picture of the operator's: ``which`` is logo or mark."""

    x: float
    y: float
    width: float
    height: float
    which: str


Element = Box | TextLine | Code | Artwork
WidthOf = Callable[[str, float], float]
"""How wide a text of that size is."""


def arrange(poster: Poster, style: Style, sheet: Sheet, width_of: WidthOf) -> Sequence[Element]:
    """Return what is to be drawn, with as large a code as leaves room for all that is said. Raises
    PosterRefused, POSTER_TOO_FULL, if none does.
    """
    for share in _CODE_SHARES[:-1]:
        try:
            return _arranged(poster, style, sheet, width_of, share)
        except PosterRefused:
            continue
    return _arranged(poster, style, sheet, width_of, _CODE_SHARES[-1])


def _arranged(
    poster: Poster, style: Style, sheet: Sheet, width_of: WidthOf, share: float
) -> Sequence[Element]:
    width, height = sheet.trimmed
    page = _Page(width=width, height=height, width_of=width_of)
    over = BLEED if sheet.bleed else 0.0
    y = _pictures(page, style)
    y = _band(page, style, y, over)
    y = _code(page, poster, y + 0.022 * height, share * _code_side(page, style))
    y = _names(page, poster, style, y + 0.012 * height)
    foot = height - 0.016 * height
    page.add(
        Box(
            x=-over,
            y=foot,
            width=width + 2 * over,
            height=height - foot + over,
            colour=style.accent,
        )
    )
    small = max(4.5, 0.009 * height)
    tag = f"{poster.machine_id} · {poster.code_id}"
    tag_y = foot - 0.5 * small
    page.centred(tag, tag_y, page.fitting(tag, small, least=3.5), style.ink)
    _sentences(page, poster, style, y + 0.014 * height, tag_y - 1.6 * small)
    return page.elements


def texts_of(poster: Poster, style: Style) -> Sequence[tuple[str, str]]:
    """Return every text that the poster says, each with what it is, for whoever looks whether a
    font has all of it.
    """
    said = [("the machine's id", poster.machine_id), ("the name of its place", poster.place)]
    for language in style.languages:
        words = WORDS[language]
        said += [(f"a sentence in {language}", one) for one in _said(words, poster, style)]
        said.append((f"the title in {language}", words.title))
    return [(what, text) for what, text in said if text]


def _said(words: Sentences, poster: Poster, style: Style) -> list[str]:
    said = [words.how[poster.mode], words.refund]
    if style.phone:
        phone = style.phone.replace(" ", FIXED)
        said.append(words.help.format(phone=phone, machine=poster.machine_id))
    return said


class _Page:
    """Collects what is drawn."""

    def __init__(self, *, width: float, height: float, width_of: WidthOf) -> None:
        self.width, self.height, self.width_of = width, height, width_of
        self.edge = 0.06 * width
        self.elements: list[Element] = []

    @property
    def inner(self) -> float:
        """How wide a text may be."""
        return self.width - 2 * self.edge

    def add(self, element: Element) -> None:
        self.elements.append(element)

    def fitting(self, text: str, size: float, *, least: float = TEXT_SIZE_MIN) -> float:
        """Return the size, or as much of it as lets the text stand in one line."""
        wide = self.width_of(text, size)
        return size if wide <= self.inner else max(least, size * self.inner / wide)

    def centred(self, text: str, y: float, size: float, colour: str) -> None:
        x = (self.width - self.width_of(text, size)) / 2
        self.add(TextLine(x=x, y=y, size=size, text=text, colour=colour))


def _pictures(page: _Page, style: Style) -> float:
    """Draw the logo to the left and the mark to the right; return where they end."""
    if style.logo is None and style.mark is None:
        return 0.0
    top, high, wide = 0.018 * page.height, 0.062 * page.height, 0.48 * page.inner
    for which, ratio in (("logo", style.logo), ("mark", style.mark)):
        if ratio is None:
            continue
        width = min(wide, high * ratio)
        height = width / ratio
        x = page.edge if which == "logo" else page.width - page.edge - width
        y = top + (high - height) / 2
        page.add(Artwork(x=x, y=y, width=width, height=height, which=which))
    return 2 * top + high


def _band(page: _Page, style: Style, y: float, over: float) -> float:
    """Draw the titles on the operator's colour; return where it ends."""
    titles = [WORDS[language].title for language in style.languages]
    first = 0.042 if len(titles) > 1 else 0.055
    wanted = [first, *(0.026 for _ in titles[1:])]
    sizes = [page.fitting(one, of * page.height) for one, of in zip(titles, wanted, strict=True)]
    pad = 0.016 * page.height
    deep = 2 * pad + sum(sizes) * 1.22
    top = y or -over
    page.add(
        Box(x=-over, y=top, width=page.width + 2 * over, height=y + deep - top, colour=style.accent)
    )
    line = y + pad
    for title, size in zip(titles, sizes, strict=True):
        page.centred(title, line + 0.95 * size, size, WHITE)
        line += 1.22 * size
    return y + deep


def _code_side(page: _Page, style: Style) -> float:
    """Return how wide the code shall be with its quiet zone: wider where less is said."""
    less = 3 - len(style.languages)
    return min((0.6 + 0.07 * less) * page.width, (0.36 + 0.05 * less) * page.height)


def _code(page: _Page, poster: Poster, y: float, side: float) -> float:
    """Draw the code; return where its quiet zone ends."""
    module = side / (poster.modules.count + 2 * QUIET)
    if module * poster.modules.count < CODE_SHARE_MIN * min(page.width, page.height):
        raise AssertionError("the code is too small")
    x = (page.width - side) / 2 + QUIET * module
    page.add(Code(x=x, y=y + QUIET * module, module=module, modules=poster.modules))
    return y + side


def _names(page: _Page, poster: Poster, style: Style, y: float) -> float:
    """Write which machine it is and where; return where that ends."""
    size = page.fitting(poster.machine_id, 0.032 * page.height)
    y += size
    page.centred(poster.machine_id, y, size, style.ink)
    if not poster.place:
        return y
    for size in _sizes(0.02 * page.height):
        lines = broken(poster.place, size, page.inner, page.width_of)
        if len(lines) <= 2:
            break
    else:
        raise _too_full("the name of its place")
    for line in lines:
        y += 1.35 * size
        page.centred(line, y, size, style.ink)
    return y


def _sentences(page: _Page, poster: Poster, style: Style, top: float, bottom: float) -> None:
    """Write what to do in each language, as large as there is room for."""
    said = [_said(WORDS[language], poster, style) for language in style.languages]
    for size in _sizes((0.0205 + 0.004 * (3 - len(said))) * page.height):
        blocks = [
            [line for one in block for line in broken(one, size, page.inner, page.width_of)]
            for block in said
        ]
        gap = 0.75 * size
        deep = sum(map(len, blocks)) * 1.36 * size + (len(blocks) - 1) * gap
        if deep <= bottom - top:
            break
    else:
        raise _too_full("what it says")
    y = top + (bottom - top - deep) / 2
    for block in blocks:
        for line in block:
            page.centred(line, y + size, size, style.ink)
            y += 1.36 * size
        y += gap


def _sizes(most: float) -> Sequence[float]:
    steps = int((most - TEXT_SIZE_MIN) / 0.25)
    return [most - 0.25 * step for step in range(max(1, steps + 1))]


def broken(text: str, size: float, width: float, width_of: WidthOf) -> Sequence[str]:
    """Return a text as lines that are no wider, as few as can be, and about as long as one another.
    A line ends at a space, or between two Chinese characters, or within a word that is longer than
    a line.
    """
    lines = _filled(text, size, width, width_of)
    longest = max((width_of(one.rstrip(" "), size) for one in _pieces(text)), default=0.0)
    for share in (0.55, 0.65, 0.75, 0.85, 0.92):
        if len(lines) > 1 and longest <= share * width:
            even = _filled(text, size, share * width, width_of)
            if len(even) == len(lines):
                return even
    return lines


def _filled(text: str, size: float, width: float, width_of: WidthOf) -> Sequence[str]:
    lines, line = [], ""
    for piece in _pieces(text):
        if width_of((line + piece).rstrip(" "), size) <= width:
            line += piece
            continue
        if line.strip(" "):
            lines.append(line)
        line = piece.lstrip(" ")
        while width_of(line.rstrip(" "), size) > width and len(line) > 1:
            fits = next(
                (end for end in range(len(line) - 1, 0, -1) if width_of(line[:end], size) <= width),
                1,
            )
            lines.append(line[:fits])
            line = line[fits:]
    lines.append(line)
    return [one.strip(" ").replace(FIXED, " ") for one in lines if one.strip(" ")]


def _pieces(text: str) -> Sequence[str]:
    """Return what no line ends in."""
    pieces: list[str] = []
    for letter in text:
        joined = bool(pieces) and (
            letter in _NEVER_FIRST
            or letter == " "
            or not (_is_wide(letter) or _is_wide(pieces[-1][-1]) or pieces[-1][-1] == " ")
        )
        if joined:
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def _is_wide(letter: str) -> bool:
    return letter >= "\u2e80" and letter not in _NEVER_FIRST


def _too_full(what: str) -> PosterRefused:
    return PosterRefused(
        "POSTER_TOO_FULL",
        f"there is no room for {what}: choose a larger size or fewer languages, or say it shorter",
    )

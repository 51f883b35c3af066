"""Where everything stands on a poster: nothing over the edge, nothing over the code."""

import itertools

import pytest

from actors.machine.state import Mode
from gateway.posters import layout
from gateway.posters.code import QUIET, modules_of
from gateway.posters.layout import Artwork, Box, Code, Element, Sheet, Size, Style, TextLine
from gateway.posters.refusals import PosterRefused
from gateway.posters.words import WORDS
from tests.gateway.posters.pages import poster

LANGUAGES = [some for count in (1, 2, 3) for some in itertools.combinations(WORDS, count)]
Area = tuple[float, float, float, float]


def width_of(text: str, size: float) -> float:
    """As wide as a font might be: Chinese characters are squares, others half of it."""
    return sum(size if letter >= "\u2e80" else 0.55 * size for letter in text)


def style(**changes: object) -> Style:
    """A look with everything, but for ``changes``."""
    said: dict[str, object] = {
        "languages": tuple(WORDS),
        "phone": "+852 2131 8181",
        "ink": "#000000",
        "accent": "#1f4e5f",
        "logo": 2.5,
        "mark": 1.0,
    }
    return Style(**said | changes)  # type: ignore[arg-type]  # what tests give is right


def area(element: Element) -> Area:
    """Left, top, right and bottom of what is drawn."""
    match element:
        case TextLine():
            wide = width_of(element.text, element.size)
            return (element.x, element.y - element.size, element.x + wide, element.y)
        case Code():
            quiet, side = QUIET * element.module, element.modules.count * element.module
            return (
                element.x - quiet,
                element.y - quiet,
                element.x + side + quiet,
                element.y + side + quiet,
            )
        case Box() | Artwork():
            return (
                element.x,
                element.y,
                element.x + element.width,
                element.y + element.height,
            )


def overlap(one: Area, other: Area) -> bool:
    """Whether two areas have more than an edge in common."""
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > 0.01
        and min(one[3], other[3]) - max(one[1], other[1]) > 0.01
    )


@pytest.mark.parametrize("languages", LANGUAGES, ids="+".join)
@pytest.mark.parametrize("size", Size)
def test_everything_has_its_place(size: Size, languages: tuple[str, ...]) -> None:
    """For each choice, mode and name: on the sheet, and no two things over one another; only titles
    stand on the operator's colour.
    """
    names = {"place": "W" * 60, "machine_id": "M" * 32}
    sheet = Sheet(size=size)
    for mode, long, phone in ((Mode.BOTH, True, "+1"), *((mode, False, "") for mode in Mode)):
        said = poster(mode=mode, **(names if long else {}))
        elements = layout.arrange(said, style(languages=languages, phone=phone), sheet, width_of)
        width, height = sheet.trimmed
        areas = [(element, area(element)) for element in elements]
        for _, (left, top, right, bottom) in areas:
            assert min(left, top) >= -0.01
            assert right <= width + 0.01
            assert bottom <= height + 0.01
        drawn = [one for one in areas if not isinstance(one[0], Box)]
        for one, other in itertools.combinations(drawn, 2):
            assert not overlap(one[1], other[1]), (one, other)
        boxes = [at for element, at in areas if isinstance(element, Box)]
        titles = {WORDS[language].title for language in languages}
        for element, at in drawn:
            on = any(overlap(at, box) for box in boxes)
            assert on == (isinstance(element, TextLine) and element.text in titles), element


@pytest.mark.parametrize("payload", ["https://qr.alipay.com/x", "x" * 256], ids=len)
@pytest.mark.parametrize("size", Size)
def test_the_code_is_large_enough(size: Size, payload: str) -> None:
    """At least 30 % of the shorter edge, without the quiet zone, and no module below a third of a
    millimetre.
    """
    sheet = Sheet(size=size)
    said = poster(modules=modules_of(payload))
    (code,) = [
        one for one in layout.arrange(said, style(), sheet, width_of) if isinstance(one, Code)
    ]
    assert code.module * code.modules.count >= 0.3 * min(sheet.trimmed)
    assert code.module >= layout.MM / 3


@pytest.mark.parametrize("size", Size)
def test_a_bleed_goes_over_the_edge(size: Size) -> None:
    """The operator's colour reaches 3 mm beyond where the sheet is cut; nothing else does."""
    plain = layout.arrange(poster(), style(logo=None, mark=None), Sheet(size=size), width_of)
    bled = layout.arrange(
        poster(), style(logo=None, mark=None), Sheet(size=size, bleed=True), width_of
    )
    boxes = [area(one) for one in bled if isinstance(one, Box)]
    width, height = Sheet(size=size).trimmed
    over = 3 * layout.MM
    for left, _, right, _ in boxes:
        assert [-over, width + over] == pytest.approx([left, right])
    assert [-over, height + over] == pytest.approx([boxes[0][1], boxes[1][3]])
    assert [one for one in plain if not isinstance(one, Box)] == [
        one for one in bled if not isinstance(one, Box)
    ]


def test_what_has_no_room_is_refused() -> None:
    """A font so wide that a sentence does not fit at the smallest size that can be read."""
    with pytest.raises(PosterRefused) as refused:
        layout.arrange(
            poster(), style(), Sheet(size=Size.STICKER), lambda text, size: 4 * size * len(text)
        )
    assert "POSTER_TOO_FULL" == refused.value.reason
    assert "choose a larger size or fewer languages" in str(refused.value)


def test_a_phone_number_stays_in_one_line() -> None:
    """Whoever copies it from a poster copies all of it."""
    for width in range(20, 400, 7):
        lines = layout.broken("Call +852\u00a02131\u00a08181 now", 10, width, width_of)
        assert all(width_of(line, 10) <= width for line in lines)
        if width_of("+852 2131 8181", 10) <= width:
            assert "Call +852 2131 8181 now" == " ".join(lines)
            assert any("+852 2131 8181" in line for line in lines)


def test_no_line_begins_with_a_mark_of_punctuation() -> None:
    """As in any Chinese print."""
    said = WORDS["zh-Hant"].how[Mode.BOTH]
    for width in range(25, 400, 3):
        lines = layout.broken(said, 10, width, width_of)
        assert said == "".join(lines)
        assert not any(line[0] in "，。" for line in lines)


def test_nothing_is_lost_of_a_word_that_is_too_long() -> None:
    """It is cut where the line ends."""
    lines = layout.broken("W" * 100, 10, 58, width_of)
    assert "W" * 100 == "".join(lines)
    assert 10 == len(lines)

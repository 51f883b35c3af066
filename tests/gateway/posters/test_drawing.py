"""Posters of every size are read by a reader of codes that knows nothing of us, and the same poster
is the same bytes.
"""

import functools
import io
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image, ImageDraw

from gateway.posters import layout, pictures
from gateway.posters.layout import Sheet, Size
from tests.gateway.posters.pages import PAYLOAD, a_font, found_in, line, pressed, read, settings

LANGUAGES = [("zh-Hant", "zh-Hans", "en"), ("zh-Hant",), ("zh-Hans",), ("en",)]


def _picture(pdf: bytes) -> Image.Image:
    return Image.open(io.BytesIO(pictures.png(pdf))).convert("RGB")


def _text(pdf: bytes, page: int = 0) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return str(document[page].get_textpage().get_text_bounded())


@pytest.mark.parametrize("languages", LANGUAGES, ids="+".join)
@pytest.mark.parametrize("size", Size)
def test_the_code_is_read_back(size: Size, languages: Any) -> None:
    """At 300 dots an inch, and at half of it; with a bleed and without."""
    bleed = languages == ("en",)
    made = _picture(pressed(line(), size=size, bleed=bleed, section=settings(languages=languages)))
    assert [PAYLOAD] == read(made)
    assert [PAYLOAD] == read(made.reduce(2))


@pytest.mark.parametrize("place", [(0.5, 0.5), (0.7, 0.7), (0.45, 0.4), (0.3, 0.5)], ids=str)
@pytest.mark.parametrize("size", Size)
def test_the_code_is_read_with_a_fifth_of_it_covered(
    size: Size, place: tuple[float, float]
) -> None:
    """By something white, black or grey, that covers none of the three squares by which a code is
    found.
    """
    made, edge, side = _code(size)
    for colour in ("white", "black", "#888888"):
        covered = made.copy()
        part = side * 0.2**0.5
        x, y = (edge + side * at - part / 2 for at in place)
        ImageDraw.Draw(covered).rectangle((x, y, x + part, y + part), fill=colour)
        assert [PAYLOAD] == read(covered), colour


@functools.cache
def _code(size: Size) -> tuple[Image.Image, float, float]:
    """Return the code of a poster, drawn once, with some of what is around it: how much, and the
    width of the code, in dots.
    """
    made = _picture(pressed(line(), size=size))
    left, top, side = _where(made)
    edge = 0.1 * side
    return (
        made.crop((left - edge, top - edge, left + side + edge, top + side + edge)),
        edge,
        side,
    )


def test_the_reader_is_no_clairvoyant() -> None:
    """Covered by a half, the code is read by nobody: what is read above comes from its squares."""
    made = _picture(pressed(line()))
    left, top, side = _where(made)
    ImageDraw.Draw(made).rectangle((left, top, left + side, top + side * 0.5), fill="white")
    assert [] == read(made)


def _where(made: Image.Image) -> tuple[float, float, float]:
    """Return the code's left and upper edge and its width, in dots."""
    (found,) = found_in(made)
    at = found.position
    return at.top_left.x, at.top_left.y, at.top_right.x - at.top_left.x


def test_the_same_poster_is_the_same_bytes() -> None:
    """Made twice, of one machine and of many, as PDF and as PNG; another code is other bytes."""
    lines = [line(f"VM-{number}") for number in range(3)]
    assert pressed(*lines) == pressed(*lines)
    assert pictures.png(pressed(lines[0])) == pictures.png(pressed(lines[0]))
    assert pressed(line()) != pressed(line(payload=PAYLOAD + "x"))


def test_what_was_drawn_before_leaves_no_trace() -> None:
    """A poster is the same bytes whatever was drawn first in this process."""
    first = pressed(line())
    pressed(line("VM-OTHER", place="Quay 1"), size=Size.STICKER)
    assert first == pressed(line())


def test_two_fonts_of_one_name_are_two(tmp_path: Path) -> None:
    """An operator may take the whole of the font of which ours is a part: each text is drawn with
    the one that has it, on one page and on those behind it.
    """
    made = []
    for name in ("Squares", "WenQuanYiMicroHei"):
        font = a_font(tmp_path / f"{name}.ttf", "中環", name=name)
        section = settings(languages=["en"], font_file=font)
        pages = pressed(line(place="中環"), line(place="Pier"), size=Size.STICKER, section=section)
        made.append(pictures.png(pages))
    assert made[0] == made[1]


def test_every_page_stands_alone() -> None:
    """Each machine's page has its own id, place and code, in the order that was asked for."""
    lines = [line(f"VM-{number}", payload=f"{PAYLOAD}{number}") for number in (2, 1, 3)]
    made = pressed(*lines, size=Size.A5)
    with pypdfium2.PdfDocument(made) as document:
        assert 3 == len(document)
        seen = [read(page.render(scale=2).to_pil().convert("RGB")) for page in document]
    assert [[f"{PAYLOAD}{number}"] for number in (2, 1, 3)] == seen
    assert all(f"VM-{number}" in _text(made, page) for page, number in enumerate((2, 1, 3)))


def test_a_poster_says_what_it_should() -> None:
    """In words that can be searched: who to call, how a refund comes back, which code it is."""
    said = " ".join(_text(pressed(line())).split())
    for part in (
        *("Pier 7", "VM-0017", "bb7f0dcf386d", "+852 2131 8181", "用支付寶付款", "用支付宝付款"),
        "Money that you do not spend goes back to your Alipay account.",
    ):
        assert part in said
    silent = _text(pressed(line(place=""), section=settings(support_phone="", languages=["en"])))
    assert "Questions" not in silent
    assert "支付" not in silent


def test_markup_is_text() -> None:
    """What another program might take for a command stands there as it was said."""
    name = "<b>50% & (more)</b> \\n $x {0} %s"
    assert name in _text(pressed(line(place=name)))


@pytest.mark.parametrize("size", Size)
def test_a_sheet_with_bleed_says_where_it_is_cut(size: Size) -> None:
    """In the boxes that printers' programs read, around what the sheet is without."""
    width, height = layout.TRIMMED[size]
    with pypdfium2.PdfDocument(pressed(line(), size=size, bleed=True)) as document:
        page = document[0]
        cut, bled, whole = page.get_trimbox(), page.get_bleedbox(), page.get_mediabox()
    assert [width, height] == pytest.approx([cut[2] - cut[0], cut[3] - cut[1]], abs=0.01)
    over = 3 * layout.MM
    assert [over] * 4 == pytest.approx(
        [cut[0] - bled[0], cut[1] - bled[1], bled[2] - cut[2], bled[3] - cut[3]], abs=0.01
    )
    assert Sheet(size=size, bleed=True).margin == pytest.approx(cut[0] - whole[0], abs=0.01)
    with pypdfium2.PdfDocument(pressed(line(), size=size)) as document:
        assert (width, height) == pytest.approx(document[0].get_size(), abs=0.01)


def test_the_code_is_drawn_in_black_alone() -> None:
    """One path, grey level 0: a printer takes its black ink and nothing else."""
    with pypdfium2.PdfDocument(pressed(line())) as document:
        kinds = [one.type for one in document[0].get_objects()]
    made = _picture(pressed(line()))
    left, top, side = _where(made)
    inside = made.crop((left + 9, top + 9, left + side - 9, top + side - 9))
    red, green, blue = (inside.getchannel(one).tobytes() for one in range(3))
    assert red == green == blue
    assert 3 == kinds.count(pypdfium2.raw.FPDF_PAGEOBJ_PATH)  # the band, the code, the foot

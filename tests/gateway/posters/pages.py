"""Posters as tests make them and look at them: machines, fonts with a few characters, and a reader
of codes that is nobody's here.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zxingcpp
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from gateway.posters.child import Job
from gateway.posters.code import modules_of
from gateway.posters.layout import Poster, Sheet, Size
from gateway.posters.press import Press
from gateway.process.sections import Posters
from storage.office.poster_lines import PosterLine

PAYLOAD = "https://qr.alipay.com/bax03851ykzdlkgdcqxf00b4"


def line(machine_id: str = "VM-0017", **changes: Any) -> PosterLine:
    """A machine that can have a poster, but for ``changes``."""
    said = {"payload": PAYLOAD, "status": "ACTIVE", "mode": "BOTH", "place": "Pier 7"} | changes
    return PosterLine(machine_id=machine_id, **said)


def poster(**changes: Any) -> Poster:
    """A poster, but for ``changes``."""
    said: dict[str, Any] = {
        "machine_id": "VM-0017",
        "modules": modules_of(PAYLOAD),
        "code_id": "0123456789ab",
        "mode": "BOTH",
        "place": "Pier 7",
    }
    return Poster(**said | changes)


def pressed(
    *lines: PosterLine, size: Size = Size.A4, bleed: bool = False, section: Posters | None = None
) -> bytes:
    """Return the PDF of some machines, none of which is refused."""
    file = io.BytesIO()
    made = Press(section or settings(), Sheet(size=size, bleed=bleed)).pdf(file, lines)
    assert not made.refused
    return file.getvalue()


def settings(**changes: Any) -> Posters:
    """What an operator would set, but for ``changes``."""
    return Posters(**{"support_phone": "+852 2131 8181"} | changes)


def job(**changes: object) -> Job:
    """Two machines on A5, but for ``changes``."""
    said: dict[str, object] = {
        "section": settings().model_dump(mode="json"),
        "size": Size.A5,
        "bleed": False,
        "png": False,
        "bytes_max": 1_000_000,
        "lines": [line("VM-1"), line("VM-2", payload=PAYLOAD + "2")],
    }
    return Job(**said | changes)  # type: ignore[arg-type]  # what tests give is right


def read(picture: Image.Image) -> list[str]:
    """Return the text of each QR code in a picture, which is the right way up."""
    return [one.text for one in found_in(picture)]


def found_in(picture: Image.Image) -> Sequence[zxingcpp.Barcode]:
    """Return each QR code in a picture, and where it is."""
    wanted = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    return zxingcpp.read_barcodes(picture, formats=wanted, try_rotate=False, try_invert=False)


def a_font(
    path: Path, characters: str, *, hollow: str = "", rights: int = 0, name: str = "Squares"
) -> Path:
    """Write a TrueType font in which each of the characters is a square; the ``hollow`` ones have
    nothing in their glyph. ``rights`` is what its licence allows (OS/2 fsType),
    ``name`` what it calls itself.
    """
    names = {one: f"u{ord(one):04X}" for one in dict.fromkeys(characters + hollow)}
    order = [".notdef", *names.values()]
    pen = TTGlyphPen(None)
    for move, *corners in [[(0, 0), (0, 800), (800, 800), (800, 0)]]:
        pen.moveTo(move)
        for corner in corners:
            pen.lineTo(corner)
        pen.closePath()
    square, empty = pen.glyph(), TTGlyphPen(None).glyph()
    bare = {names[one] for one in hollow + " " if one in names}
    built = FontBuilder(1000, isTTF=True)
    built.setupGlyphOrder(order)
    built.setupCharacterMap({ord(one): name for one, name in names.items()})
    built.setupGlyf({name: empty if name in bare else square for name in order})
    built.setupHorizontalMetrics(dict.fromkeys(order, (1000, 0)))
    built.setupHorizontalHeader(ascent=800, descent=-200)
    built.setupNameTable({"familyName": "Squares", "styleName": "Regular", "psName": name})
    built.setupOS2(fsType=rights)
    built.setupPost()
    built.save(path)
    return path


def a_picture(path: Path, size: tuple[int, int] = (200, 80), colour: Sequence[int] = ()) -> Path:
    """Write a PNG of one colour."""
    Image.new("RGBA", size, tuple(colour) or (200, 30, 30, 255)).save(path, "PNG")
    return path

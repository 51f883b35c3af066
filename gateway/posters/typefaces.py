"""Fonts: which characters they have, how wide a text is, and what draws it. Needs the extra
``poster``.

Flows in: the operator's font file, if there is one. Flows out: for each text the first font that
has all of it. A character that no font has is an error before anything is drawn: on paper it would
be a box, and nobody sees it before it hangs.
"""

import functools
import io
import struct
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from fontTools.ttLib import TTFont as FontFile
from fontTools.ttLib import TTLibError
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from gateway.posters.layout import FIXED
from gateway.posters.refusals import PosterRefused
from gateway.posters.texts import named, quoted
from gateway.process.files import content_of

OURS = Path(__file__).parent / "fonts" / "micro-hei-subset.ttf"
FONT_BYTES_MAX = 64 * 1_048_576
_RESTRICTED = 0x0002
"""OS/2 ``fsType``: "must not be modified, embedded or exchanged in any manner"."""
_ONLY_BITMAPS = 0x0200
_DAMAGED = (
    *(TTLibError, TTFError, struct.error, AssertionError, AttributeError),
    *(KeyError, IndexError, ValueError, TypeError, OverflowError, EOFError),
)
"""What the two libraries raise over a file that is no font, or half of one."""
_REGISTERED: dict[str, TTFont] = {}
"""What the library knows by name, for the whole process: as many as the operator has font files."""


class Typeface:
    """A TrueType font. Raises PosterRefused, POSTER_SETTINGS, if it is none that can be printed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = content_of(path, most=FONT_BYTES_MAX)
            if len(content) > FONT_BYTES_MAX:
                raise _unusable(path, f"has more than {FONT_BYTES_MAX // 1_048_576} MiB")
            file = FontFile(io.BytesIO(content), fontNumber=0, lazy=True)
            if "glyf" not in file:
                raise _unusable(path, "has no TrueType outlines (an .otf with CFF has none)")
            if "OS/2" in file:
                rights = file["OS/2"].fsType
                if rights & 0x000F == _RESTRICTED or rights & _ONLY_BITMAPS:
                    raise _unusable(path, "says that its licence lets nobody embed it")
            self._cmap: dict[int, str] = file.getBestCmap() or {}
            self._widths = file["hmtx"].metrics
            self._units = file["head"].unitsPerEm
            self._outlines = file["glyf"]
            self.drawn = _registered(content)
        except OSError as error:
            raise _unusable(path, f"cannot be read ({error.strerror or error})") from None
        except _DAMAGED as error:
            raise _unusable(path, f"is no font that can be read ({error})") from None

    def missing(self, text: str) -> str:
        """Return the first character that it has no shape for; empty if there is none."""
        return next((one for one in text if not self._has(one)), "")

    def width(self, text: str, size: float) -> float:
        """Return how wide a text is that it has all characters of."""
        units = sum(self._widths[self._cmap[ord(one)]][0] for one in text)
        return float(units) * size / float(self._units)

    @functools.cache  # noqa: B019 - as many as there are characters, as long as the font is used
    def _has(self, letter: str) -> bool:
        name = self._cmap.get(ord(letter))
        if name is None or name == ".notdef" or ord(letter) not in self.drawn.face.charToGlyph:
            return False
        if letter.isspace():
            return True
        return bool(self._outlines[name].numberOfContours)


class Typefaces:
    """The operator's font, if any, and before or behind it ours: which one draws what."""

    def __init__(self, path: Path | None) -> None:
        self._faces: Sequence[Typeface] = [ours()] if path is None else [Typeface(path), ours()]

    def of(self, text: str, what: str = "a text") -> Typeface:
        """Return the first that has all of a text. Raises PosterRefused, GLYPH_MISSING."""
        plain = text.replace(FIXED, " ")
        for face in self._faces:
            if not face.missing(plain):
                return face
        letter = self._faces[0].missing(plain)
        own = len(self._faces) > 1
        where = f"the font {self._faces[0].path}" if own else "the font that ships with Vendgate"
        raise PosterRefused(
            "GLYPH_MISSING",
            f"{where} has no shape for {named(letter)} in {what} {quoted(text)}: "
            f"set posters.font_file to {'another' if own else 'a TrueType font'} that has",
        )

    def width(self, text: str, size: float) -> float:
        """Return how wide a text is."""
        plain = text.replace(FIXED, " ")
        return self.of(plain).width(plain, size)


@functools.cache
def ours() -> Typeface:
    """Return the font that ships with the product: its own sentences, ids, Western names."""
    return Typeface(OURS)


def _registered(content: bytes) -> TTFont:
    """Return the font as it is drawn with. Its name comes from what is in it, so that equal posters
    are equal bytes, and a file that was changed is another font.
    """
    name = f"vendgate-{sha256(content).hexdigest()[:16]}"
    if name not in _REGISTERED:
        font = TTFont(name, io.BytesIO(content), subfontIndex=0, asciiReadable=0, shapable=False)
        # A document tells fonts apart by this name alone, and two files may have the same in them,
        # such as ours and the whole font that it is a part of.
        font.face.name = name.encode()
        pdfmetrics.registerFont(font)
        _REGISTERED[name] = font
    return _REGISTERED[name]


def _unusable(path: Path, why: str) -> PosterRefused:
    return PosterRefused(
        "POSTER_SETTINGS", f"posters.font_file: {path} {why}; name a TrueType font (.ttf or .ttc)."
    )

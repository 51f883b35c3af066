"""The operator's own pictures, and a poster as a picture. Needs the extra ``poster``.

Flows in: a PNG, JPEG or PDF file of the operator's; a page of a PDF. Flows out: a picture in
memory, bounded; a PNG. Whatever is in such a file, only its dots reach a poster.
"""

import io
from pathlib import Path

import pypdfium2
from PIL import Image

from gateway.posters.refusals import PosterRefused
from gateway.process.files import content_of

DPI = 300
FILE_BYTES_MAX = 16 * 1_048_576
DOTS_MAX = 40_000_000
SIDE_MAX = 1_600
"""No logo on A4 needs more dots than this at 300 dpi."""
RATIO_MAX = 20


def read(name: str, path: Path) -> Image.Image:
    """Return a picture in RGBA, at most SIDE_MAX wide and high. Raises PosterRefused,
    POSTER_SETTINGS, which names the setting ``name``.
    """
    try:
        content = content_of(path, most=FILE_BYTES_MAX)
    except OSError as error:
        raise _unusable(name, path, f"cannot be read ({error.strerror or error})") from None
    if len(content) > FILE_BYTES_MAX:
        raise _unusable(name, path, f"has more than {FILE_BYTES_MAX // 1_048_576} MiB")
    picture = _page(name, path, content) if content[:5] == b"%PDF-" else _dots(name, path, content)
    if not 1 / RATIO_MAX <= picture.width / picture.height <= RATIO_MAX:
        raise _unusable(name, path, f"is more than {RATIO_MAX} times as long as it is wide")
    picture.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.LANCZOS)
    return picture


def _dots(name: str, path: Path, content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > DOTS_MAX:
                raise _unusable(name, path, f"has more than {DOTS_MAX:,} dots")
            return opened.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unusable(name, path, f"is no picture that can be read ({error})") from None


def _page(name: str, path: Path, content: bytes) -> Image.Image:
    """Draw the first page of a PDF."""
    try:
        with pypdfium2.PdfDocument(content) as document:
            page = document[0]
            scale = SIDE_MAX / max(1.0, *page.get_size())
            bitmap = page.render(scale=scale, fill_color=(255, 255, 255, 0))
            drawn: Image.Image = bitmap.to_pil().convert("RGBA")
            return drawn
    except (pypdfium2.PdfiumError, ValueError, IndexError) as error:
        raise _unusable(name, path, f"is no PDF that can be read ({error})") from None


def png(pdf: bytes) -> bytes:
    """Return the first page of a PDF of ours as a PNG with DPI dots an inch."""
    with pypdfium2.PdfDocument(pdf) as document:
        picture = document[0].render(scale=DPI / 72).to_pil().convert("RGB")
    written = io.BytesIO()
    picture.save(written, "PNG", dpi=(DPI, DPI), optimize=False)
    return written.getvalue()


def _unusable(name: str, path: Path, why: str) -> PosterRefused:
    return PosterRefused(
        "POSTER_SETTINGS", f"posters.{name}: {path} {why}; name a PNG, JPEG or PDF file."
    )

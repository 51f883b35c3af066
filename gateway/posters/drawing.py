"""Posters as a PDF, one page a machine. Needs the extra ``poster``.

Flows in: posters and how they shall look. Flows out: bytes into a file. The same posters are the
same bytes: no time, no random id. The code is drawn as vectors, in nothing but black ink.
"""

from collections.abc import Iterable, Mapping
from typing import IO

from PIL import Image
from reportlab.lib.colors import HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from gateway.posters import layout
from gateway.posters.layout import Artwork, Box, Code, Poster, Sheet, Style, TextLine
from gateway.posters.typefaces import Typefaces

_MARK_FROM = layout.BLEED + 1 * layout.MM
_MARK_TO = layout.BLEED + 6 * layout.MM


class Drawing:
    """A PDF under way: ``add`` a page for each poster, then ``save``."""

    def __init__(
        self,
        file: IO[bytes],
        sheet: Sheet,
        style: Style,
        faces: Typefaces,
        pictures: Mapping[str, Image.Image],
    ) -> None:
        self._sheet, self._style, self._faces = sheet, style, faces
        self._pictures = {which: ImageReader(one) for which, one in pictures.items()}
        width, height = sheet.trimmed
        self._margin = sheet.margin
        self._page = (width + 2 * self._margin, height + 2 * self._margin)
        self._canvas = Canvas(file, pagesize=self._page, invariant=1, pageCompression=1)
        self._canvas.setCreator("Vendgate")
        self._canvas.setTitle("Posters")

    def add(self, poster: Poster) -> None:
        """Draw a page. Raises PosterRefused; then there is none of it."""
        for what, text in layout.texts_of(poster, self._style):
            self._faces.of(text, what)
        elements = layout.arrange(poster, self._style, self._sheet, self._faces.width)
        self._canvas.bookmarkPage(poster.machine_id)
        self._canvas.addOutlineEntry(poster.machine_id, poster.machine_id)
        if self._sheet.bleed:
            self._boxes()
        for element in elements:
            match element:
                case Box():
                    self._box(element)
                case TextLine():
                    self._line(element)
                case Code():
                    self._code(element)
                case Artwork():
                    self._picture(element)
        self._canvas.showPage()

    def save(self) -> None:
        """Write the end of the file."""
        self._canvas.save()

    def _at(self, x: float, y: float) -> tuple[float, float]:
        """Return a place of the layout in PDF's coordinates, which begin lower left."""
        return x + self._margin, self._page[1] - self._margin - y

    def _box(self, box: Box) -> None:
        self._canvas.setFillColor(HexColor(box.colour))
        x, y = self._at(box.x, box.y + box.height)
        self._canvas.rect(x, y, box.width, box.height, stroke=0, fill=1)

    def _line(self, line: TextLine) -> None:
        x, y = self._at(line.x, line.y)
        face = self._faces.of(line.text).drawn
        self._canvas.setFillColor(HexColor(line.colour))
        self._canvas.setFont(face.fontName, line.size)
        self._canvas.drawString(x, y, line.text)

    def _code(self, code: Code) -> None:
        """One path, so that no hairline shows between two modules."""
        self._canvas.setFillGray(0)
        path = self._canvas.beginPath()
        for run in code.modules.runs:
            x, y = self._at(code.x + run.column * code.module, code.y + (run.row + 1) * code.module)
            path.rect(x, y, run.length * code.module, code.module)
        self._canvas.drawPath(path, stroke=0, fill=1)

    def _picture(self, picture: Artwork) -> None:
        x, y = self._at(picture.x, picture.y + picture.height)
        self._canvas.drawImage(
            self._pictures[picture.which], x, y, picture.width, picture.height, mask="auto"
        )

    def _boxes(self) -> None:
        """Say where the sheet is cut, and mark it."""
        width, height = self._page
        cut = (self._margin, self._margin, width - self._margin, height - self._margin)
        over = self._margin - layout.BLEED
        self._canvas.setTrimBox(cut)
        self._canvas.setBleedBox((over, over, width - over, height - over))
        self._canvas.setStrokeGray(0)
        self._canvas.setLineWidth(0.25)
        sides, ends = ((cut[0], -1), (cut[2], 1)), ((cut[1], -1), (cut[3], 1))
        marks = [
            (x + way * _MARK_FROM, y, x + way * _MARK_TO, y) for x, way in sides for y, _ in ends
        ]
        marks += [
            (x, y + way * _MARK_FROM, x, y + way * _MARK_TO) for y, way in ends for x, _ in sides
        ]
        self._canvas.lines(marks)


def draw(
    file: IO[bytes],
    posters: Iterable[Poster],
    *,
    sheet: Sheet,
    style: Style,
    faces: Typefaces,
    pictures: Mapping[str, Image.Image],
) -> None:
    """Write a PDF with a page for each poster, in their order. Raises PosterRefused."""
    drawing = Drawing(file, sheet, style, faces, pictures)
    for poster in posters:
        drawing.add(poster)
    drawing.save()

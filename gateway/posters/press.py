"""From machines to posters. Flows in: what SQL has of machines, the operator's settings, a sheet.
Flows out: a PDF in a file, or a PNG; which machines are on it, and why others are not.

A poster says what is so when it is made. It is made only of a code that can be paid and is about to
stay: a sticker hangs for years.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from actors.machine.code import CodeStatus
from actors.machine.state import Mode
from gateway.posters import looks
from gateway.posters.code import code_id, modules_of
from gateway.posters.layout import Poster, Sheet, Style
from gateway.posters.refusals import NOT_INSTALLED, PosterRefused
from gateway.posters.texts import printable
from gateway.process.sections import Posters
from storage.office.poster_lines import PosterLine, Printed

if TYPE_CHECKING:
    from PIL import Image

    from gateway.posters.typefaces import Typefaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What came of it: whose posters there are, in the order of the pages, and why there are no
    others.
    """

    printed: Sequence[Printed]
    refused: Sequence[PosterRefused]


class Press:
    """Draws posters that look alike. To make one raises PosterRefused: POSTER_EXTRA_MISSING, or
    POSTER_SETTINGS with all that cannot be used.

    It takes the time of one processor; a gateway gives it a thread.
    """

    def __init__(self, section: Posters, sheet: Sheet) -> None:
        if not looks.installed():
            raise PosterRefused("POSTER_EXTRA_MISSING", NOT_INSTALLED)
        if wrong := looks.problems(section):
            raise PosterRefused("POSTER_SETTINGS", " ".join(wrong))
        from gateway.posters import pictures, typefaces  # the extra

        self._sheet = sheet
        self._faces: Typefaces = typefaces.Typefaces(section.font_file)
        self._pictures: dict[str, Image.Image] = {
            which: pictures.read(f"{which}_file", path)
            for which, path in looks.pictures_of(section).items()
        }
        wide = {which: one.width / one.height for which, one in self._pictures.items()}
        self._style = Style(
            languages=section.languages,
            phone=section.support_phone,
            ink=section.ink,
            accent=section.accent,
            logo=wide.get("logo"),
            mark=wide.get("mark"),
        )

    def pdf(self, file: IO[bytes], lines: Iterable[PosterLine]) -> Pressed:
        """Write a page for each machine that can have one, in their order, if any can."""
        from gateway.posters.drawing import Drawing  # the extra

        drawing = Drawing(file, self._sheet, self._style, self._faces, self._pictures)
        printed: list[Printed] = []
        refused: list[PosterRefused] = []
        for line in lines:
            try:
                poster = poster_of(line)
                drawing.add(poster)
            except PosterRefused as error:
                refused.append(error.of(line.machine_id))
            else:
                printed.append(
                    Printed(machine_id=line.machine_id, code_id=poster.code_id, place=poster.place)
                )
        if printed:
            drawing.save()
        return Pressed(printed=printed, refused=refused)

    def png(self, line: PosterLine) -> tuple[bytes, Printed]:
        """Return one machine's poster as a PNG. Raises PosterRefused."""
        from gateway.posters import pictures  # the extra

        page = io.BytesIO()
        pressed = self.pdf(page, [line])
        if pressed.refused:
            raise pressed.refused[0]
        return pictures.png(page.getvalue()), pressed.printed[0]


def poster_of(line: PosterLine) -> Poster:
    """Return what stands on a machine's poster. Raises PosterRefused: MACHINE_RETIRED,
    CODE_NOT_READY, TEXT_NOT_PRINTABLE.
    """
    if line.retired:
        raise PosterRefused(
            "MACHINE_RETIRED", "it was retired, and nobody can pay it: take its posters down"
        )
    if why := _not_ready(line):
        raise PosterRefused("CODE_NOT_READY", why)
    return Poster(
        machine_id=line.machine_id,
        modules=modules_of(printable("the code's text", line.payload, most=PAYLOAD_LENGTH_MAX)),
        code_id=code_id(line.payload),
        mode=Mode(line.mode),
        place=printable("the name of its place", line.place),
    )


PAYLOAD_LENGTH_MAX = 256


def _not_ready(line: PosterLine) -> str:
    """Return why the machine's code is not to be printed, and what to do; empty if it is."""
    error = f" ({line.error})" if line.error else ""
    if not line.payload:
        return f"Alipay has not given it a code yet{error}: print when GetMachine shows it"
    if line.status == CodeStatus.STOPPED and not line.enabled:
        return "its code is stopped, because the machine is disabled: EnableMachine, then print"
    if line.differs:
        return (
            f"its code waits for Alipay, in {', '.join(line.differs)}{error}: print when "
            "ListMachines with code_differs no longer lists it"
        )
    if line.status != CodeStatus.ACTIVE:
        return f"its code is {line.status}, not ACTIVE{error}: GetMachine shows when it is"
    return ""

"""What PosterService asks of its requests, and how a gateway draws: one call after the other, in a
thread of its own, so many posters a minute for each caller and for all.

Flows in: a request, and who calls. Flows out: the drawn file, once the audit log has a row for each
poster on it; or CallRefused.
"""

import asyncio
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from actors.ports import Clock
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused, not_found, not_possible
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import poster_service_pb2 as wire
from gateway.posters.layout import Sheet, Size
from gateway.posters.press import Press, Pressed
from gateway.posters.refusals import PosterRefused
from gateway.process.sections import Posters
from storage.office.posters import PosterBooks, PosterLine, Printed

MACHINES_MAX = 50
BYTES_MAX = 3 * 1_048_576
"""An answer fits a client's 4 MiB."""
MINUTE_MS = 60_000
SHOWN_MAX = 5
"""A refusal names so many machines: a status has room for little."""
Drawn = TypeVar("Drawn")


class PostersAMinute:
    """How many posters are drawn in a minute: ``caller_max`` for one caller, ``all_max`` for all of
    them together.
    """

    def __init__(self, *, caller_max: int = 100, all_max: int = 300) -> None:
        self._caller_max, self._all_max = caller_max, all_max
        self._minute = 0
        self._drawn: dict[str, int] = {}

    def take(self, caller: str, count: int, now_ms: int) -> None:
        """Count them. Raises CallRefused, TOO_MANY_POSTERS, and counts nothing."""
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            self._minute, self._drawn = minute, {}
        mine = self._drawn.get(caller, 0) + count
        if mine > self._caller_max or sum(self._drawn.values()) + count > self._all_max:
            raise CallRefused(fleet_errors.TOO_MANY_POSTERS)
        self._drawn[caller] = mine


class PosterCalls:
    """One method for each call."""

    def __init__(
        self,
        *,
        section: Posters,
        books: PosterBooks,
        clock: Clock,
        allowance: PostersAMinute | None = None,
    ) -> None:
        self._section, self._books, self._clock = section, books, clock
        self._allowance = allowance or PostersAMinute()
        # One thread, because one of the libraries bears no second.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="posters")

    async def get(self, request: wire.GetPosterRequest, act: Act) -> wire.GetPosterResponse:
        """GetPoster."""
        fields = PlaceFields().machine_id(request.machine_id)
        sheet = _sheet(fields, request.size, bleed=request.bleed)
        form = fields.word("format", wire.PosterFormat, request.format) or "PDF"
        fields.done()
        self._allow(act, 1)
        lines = await self._books.lines([request.machine_id], self._clock.now_ms())
        if not lines:
            raise not_found("machine", request.machine_id)
        content, printed = await self._drawn(lambda: self._one(lines[0], sheet, form))
        await self._noted([printed], f"{sheet.size} {form.lower()}", act)
        return wire.GetPosterResponse(content=content, code_id=printed.code_id)

    async def export(
        self, request: wire.ExportPostersRequest, act: Act
    ) -> wire.ExportPostersResponse:
        """ExportPosters."""
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        sheet = _sheet(fields, request.size, bleed=request.bleed)
        fields.done()
        now_ms = self._clock.now_ms()
        held = await self._books.held(selector, now_ms, limit=MACHINES_MAX + 1)
        if len(held) > MACHINES_MAX:
            raise not_possible(
                "TOO_MANY_MACHINES",
                f"the selector holds more than {MACHINES_MAX} machines: vendgate poster makes the "
                "posters of as many as there are; or name a part of them",
            )
        if not held:
            raise not_possible(
                "NO_MACHINES",
                "the selector holds no machine: nothing was printed",
            )
        self._allow(act, len(held))
        lines = await self._books.lines(held, now_ms)
        content, pressed = await self._drawn(lambda: self._many(lines, sheet))
        if pressed.refused and not (request.skip and pressed.printed):
            raise _refused_some(pressed)
        await self._noted(pressed.printed, f"{sheet.size} pdf", act)
        return wire.ExportPostersResponse(
            pdf=content,
            posters=[
                wire.MadePoster(machine_id=one.machine_id, code_id=one.code_id)
                for one in pressed.printed
            ],
            left_out=[
                wire.LeftOutPoster(machine_id=one.machine_id, reason=one.reason, message=str(one))
                for one in pressed.refused
            ],
        )

    def _allow(self, act: Act, count: int) -> None:
        self._allowance.take(act.person or act.actor, count, self._clock.now_ms())

    async def _noted(self, printed: Sequence[Printed], form: str, act: Act) -> None:
        await self._books.note(printed, form=form, actor=act.by, now_ms=self._clock.now_ms())

    def _one(self, line: PosterLine, sheet: Sheet, form: str) -> tuple[bytes, Printed]:
        press = Press(self._section, sheet)
        if form == "PNG":
            return press.png(line)
        file = io.BytesIO()
        pressed = press.pdf(file, [line])
        if pressed.refused:
            raise pressed.refused[0]
        return file.getvalue(), pressed.printed[0]

    def _many(self, lines: list[PosterLine], sheet: Sheet) -> tuple[bytes, Pressed]:
        file = io.BytesIO()
        pressed = Press(self._section, sheet).pdf(file, lines)
        return file.getvalue(), pressed

    async def _drawn(self, draw: Callable[[], tuple[bytes, Drawn]]) -> tuple[bytes, Drawn]:
        """Draw in the thread. Raises CallRefused."""
        loop = asyncio.get_running_loop()
        try:
            content, drawn = await loop.run_in_executor(self._thread, draw)
        except PosterRefused as error:
            about = {"machine": error.machine_id} if error.machine_id else {}
            raise not_possible(error.reason, str(error), **about) from None
        if len(content) > BYTES_MAX:
            raise not_possible(
                "POSTER_TOO_LARGE",
                f"the file has more than {BYTES_MAX} bytes, which no answer holds: vendgate poster "
                "makes it, or give a smaller picture or fewer machines",
            )
        return content, drawn


def _sheet(fields: PlaceFields, size: int, *, bleed: bool) -> Sheet:
    word = fields.word("size", wire.PosterSize, size)
    known = {one.name: one for one in Size}
    return Sheet(size=known.get(word, Size.A4), bleed=bleed)


def _refused_some(pressed: Pressed) -> CallRefused:
    shown = "; ".join(str(one) for one in pressed.refused[:SHOWN_MAX])
    more = len(pressed.refused) - SHOWN_MAX
    behind = f"; and {more} more" if more > 0 else ""
    return not_possible(
        "POSTERS_REFUSED",
        f"nothing was printed: {shown}{behind}; with skip the others are",
        machines=str(len(pressed.refused)),
    )

"""What PosterService asks of its requests, and how a gateway lets draw: one call after the other,
by a process of its own, so many posters a minute for each caller and for all.

Flows in: a request, and who calls. Flows out: the drawn file, once the audit log has a row for each
poster on it; or CallRefused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from actors.ports import Clock
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act
from gateway.fleet.answering import CALL_MAX_S
from gateway.fleet.errors import CallRefused, not_found, not_possible
from gateway.office.errors import in_words
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import poster_service_pb2 as wire
from gateway.posters import apart
from gateway.posters.child import DrawnPosters, Job, Why
from gateway.posters.layout import Sheet, Size
from gateway.posters.refusals import PosterRefused
from gateway.process.sections import Posters
from storage.office.poster_lines import PosterLine, Printed
from storage.office.posters import PosterBooks

MACHINES_MAX = 50
BYTES_MAX = 3 * 1_048_576
"""An answer fits a client's 4 MiB."""
MINUTE_MS = 60_000
SHOWN_MAX = 5
"""A refusal names so many machines: a status has room for little."""


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
        draw: Callable[[Job], Awaitable[DrawnPosters]] = apart.draw,
    ) -> None:
        self._section, self._books, self._clock = section, books, clock
        self._allowance = allowance or PostersAMinute()
        self._draw = draw
        self._turn = asyncio.Lock()

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
        made = await self._drawn(lines, sheet, png=form == "PNG")
        if made.refused:
            raise not_possible(
                made.refused[0].reason, made.refused[0].sentence, machine=request.machine_id
            )
        await self._noted(made.printed, f"{sheet.size} {form.lower()}", act)
        return wire.GetPosterResponse(content=made.content, code_id=made.printed[0].code_id)

    async def export(
        self, request: wire.ExportPostersRequest, act: Act
    ) -> wire.ExportPostersResponse:
        """ExportPosters."""
        fields = PlaceFields()
        selector = fields.selector(request.selector)
        sheet = _sheet(fields, request.size, bleed=request.bleed)
        fields.done()
        now_ms = self._clock.now_ms()
        with in_words():
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
        made = await self._drawn(lines, sheet)
        if made.refused and not (request.skip and made.printed):
            raise _refused_some(made.refused)
        await self._noted(made.printed, f"{sheet.size} pdf", act)
        return wire.ExportPostersResponse(
            pdf=made.content,
            posters=[
                wire.MadePoster(machine_id=one.machine_id, code_id=one.code_id)
                for one in made.printed
            ],
            left_out=[
                wire.LeftOutPoster(
                    machine_id=one.machine_id, reason=one.reason, message=one.sentence
                )
                for one in made.refused
            ],
        )

    def _allow(self, act: Act, count: int) -> None:
        self._allowance.take(act.person or act.actor, count, self._clock.now_ms())

    async def _noted(self, printed: Sequence[Printed], form: str, act: Act) -> None:
        await self._books.note(printed, form=form, actor=act.by, now_ms=self._clock.now_ms())

    async def _drawn(
        self, lines: Sequence[PosterLine], sheet: Sheet, *, png: bool = False
    ) -> DrawnPosters:
        """Draw, when it is this call's turn. Raises CallRefused."""
        job = Job(
            section=self._section.model_dump(mode="json"),
            size=sheet.size,
            bleed=sheet.bleed,
            png=png,
            bytes_max=BYTES_MAX,
            lines=list(lines),
        )
        try:
            async with asyncio.timeout(CALL_MAX_S), self._turn:
                outcome = await self._draw(job)
            if outcome.wholly is not None:
                raise outcome.wholly.error
        except PosterRefused as error:
            about = {"machine": error.machine_id} if error.machine_id else {}
            raise not_possible(error.reason, str(error), **about) from None
        return outcome


def _sheet(fields: PlaceFields, size: int, *, bleed: bool) -> Sheet:
    word = fields.word("size", wire.PosterSize, size)
    known = {one.name: one for one in Size}
    return Sheet(size=known.get(word, Size.A4), bleed=bleed)


def _refused_some(refused: Sequence[Why]) -> CallRefused:
    shown = "; ".join(one.sentence for one in refused[:SHOWN_MAX])
    more = len(refused) - SHOWN_MAX
    behind = f"; and {more} more" if more > 0 else ""
    return not_possible(
        "POSTERS_REFUSED",
        f"nothing was printed: {shown}{behind}; with skip the others are",
        machines=str(len(refused)),
    )

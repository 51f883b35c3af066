"""A process that draws posters for a gateway, and ends: ``python -m gateway.posters.child``.

Flows in: a job on standard input. Flows out: what came of it on standard output. The gateway draws
nothing itself, because drawing holds Python's lock for tens of milliseconds and loading a font for
hundreds, while machines wait for their approvals; and because whatever is in the operator's files
can end this process only.
"""

import io
import os
import resource
import sys
from typing import Any

import msgspec

from gateway.posters.layout import Sheet, Size
from gateway.posters.press import Press
from gateway.posters.refusals import PosterRefused
from gateway.process.sections import Posters
from storage.office.poster_lines import PosterLine, Printed

PROCESSOR_MAX_S = 60
"""No font or picture keeps a processor for longer, even if the gateway is gone."""
NICE = 5


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be drawn: ``lines`` on one PDF, or the first of them as a PNG. ``section`` is
    ``[posters]``; an answer has ``bytes_max`` at most.
    """

    section: dict[str, Any]
    size: Size
    bleed: bool
    png: bool
    bytes_max: int
    lines: list[PosterLine]


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no poster, as PosterRefused says it."""

    reason: str
    sentence: str
    machine_id: str

    @property
    def error(self) -> PosterRefused:
        """The exception that it was."""
        return PosterRefused(self.reason, self.sentence, self.machine_id)


class DrawnPosters(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a file with ``printed``, without ``refused``; or nothing, because of
    ``wholly``.
    """

    content: bytes = b""
    printed: list[Printed] = []
    refused: list[Why] = []
    wholly: Why | None = None


def drawn(job: Job) -> DrawnPosters:
    """Draw it."""
    try:
        made = _made(job)
    except PosterRefused as error:
        return DrawnPosters(wholly=_why(error))
    if len(made.content) <= job.bytes_max:
        return made
    return DrawnPosters(
        wholly=Why(
            reason="POSTER_TOO_LARGE",
            sentence=(
                f"the file has more than {job.bytes_max} bytes, which no answer holds: vendgate "
                "poster makes it, or give a smaller picture or fewer machines"
            ),
            machine_id="",
        )
    )


def _made(job: Job) -> DrawnPosters:
    press = Press(Posters.model_validate(job.section), Sheet(size=job.size, bleed=job.bleed))
    if job.png:
        content, printed = press.png(job.lines[0])
        return DrawnPosters(content=content, printed=[printed])
    file = io.BytesIO()
    pressed = press.pdf(file, job.lines)
    return DrawnPosters(
        content=file.getvalue(),
        printed=list(pressed.printed),
        refused=[_why(error) for error in pressed.refused],
    )


def _why(error: PosterRefused) -> Why:
    return Why(reason=error.reason, sentence=str(error), machine_id=error.machine_id)


def main() -> None:
    """Read a job, draw it, write what came of it."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_MAX_S, PROCESSOR_MAX_S))
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.msgpack.encode(drawn(job)))


if __name__ == "__main__":
    main()

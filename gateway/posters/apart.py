"""Posters drawn by another process, for whoever must not stand still meanwhile.

Flows in: a job. Flows out: what came of it. The process is ours alone: it is gone when the call is,
however that ended.
"""

from asyncio.subprocess import Process
from collections.abc import Sequence

import msgspec

from gateway.posters import looks
from gateway.posters.child import DrawnPosters, Job
from gateway.posters.refusals import NOT_INSTALLED, PosterRefused
from gateway.process import offspring

PROGRAM: Sequence[str] = offspring.program("gateway.posters.child")
SAID_MAX = 2_000


class NotDrawn(Exception):
    """The process ended without an answer: a defect, or files that break the libraries. The text
    has what it said last.
    """


async def draw(job: Job, *, program: Sequence[str] = PROGRAM) -> DrawnPosters:
    """Draw it and return what came of it. Raises PosterRefused if nothing is installed that draws;
    NotDrawn, OSError.
    """
    if not looks.installed():
        raise PosterRefused("POSTER_EXTRA_MISSING", NOT_INSTALLED)
    child = await offspring.begun(program)
    try:
        told, said = await child.communicate(msgspec.msgpack.encode(job))
    finally:
        await _gone(child)
    if child.returncode != 0:
        last = said.decode("utf-8", "replace")[-SAID_MAX:]
        raise NotDrawn(f"what draws posters ended with status {child.returncode}: {last}")
    return msgspec.msgpack.decode(told, type=DrawnPosters)


async def _gone(child: Process) -> None:
    if child.returncode is None:
        child.kill()
        # What it still writes is read, or its pipes would stay.
        await child.communicate()

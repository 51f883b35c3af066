"""What a visitor reads while something takes its time: what it is, for how long already, and the
newest thing that the process said of itself.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.text import Text

LOOK_EVERY_S = 0.5
_TAIL_BYTES = 4_096


@contextlib.asynccontextmanager
async def shown(
    console: Console | None, what: str, *, log: Path | None = None
) -> AsyncIterator[None]:
    """Say ``what`` is going on while the block lasts, and that it is done; without a console,
    nothing.
    """
    if console is None:
        yield
        return
    began = asyncio.get_running_loop().time()
    if not console.is_terminal:
        console.print(Text(f"{what} ..."))
    with console.status(Text(what)) as status:
        telling = asyncio.create_task(_tell(status, what, began, log))
        try:
            yield
        finally:
            telling.cancel()
    if console.is_terminal:
        took_s = asyncio.get_running_loop().time() - began
        console.print(Text(f"{what}: done in {took_s:.0f} s", style="dim"))


async def _tell(status: Status, what: str, began: float, log: Path | None) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        so_far_s = asyncio.get_running_loop().time() - began
        said = newest_message(log) if log is not None else ""
        status.update(Text(f"{what}, {so_far_s:.0f} s{f': {said}' if said else ''}"))


def newest_message(log: Path) -> str:
    """Return the message of the last whole line of a log of JSON lines that has one; else an empty
    text.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next(_messages(reversed(lines)), "")


def _messages(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        with contextlib.suppress(ValueError):
            if isinstance(said := json.loads(line), dict) and "message" in said:
                yield str(said["message"])

"""What takes its time says so."""

import asyncio
import io
import re
from pathlib import Path

from rich.console import Console

from gateway.demo import progress


def written(*, terminal: bool) -> tuple[Console, io.StringIO]:
    """A console and what it writes."""
    file = io.StringIO()
    return Console(file=file, width=100, force_terminal=terminal), file


async def test_a_terminal_sees_what_for_how_long_and_the_newest_word(tmp_path: Path) -> None:
    """While it lasts: the seconds and the log's newest message; then: that it is done."""
    log = tmp_path / "gateway.log"
    log.write_text('{"message": "made a new database"}\nno json\n{"other": 1}\n[1]\n')
    console, file = written(terminal=True)
    async with asyncio.timeout(90), progress.shown(console, "starting Ray", log=log):
        while not re.search(r"starting Ray, \d+ s: made a new database", file.getvalue()):
            await asyncio.sleep(0.05)

    assert re.search(r"starting Ray: done in \d+ s", file.getvalue())


async def test_a_file_sees_one_line() -> None:
    """Whoever reads later wants no seconds."""
    console, file = written(terminal=False)
    async with progress.shown(console, "starting Ray"):
        pass

    assert ["starting Ray ..."] == [line for line in file.getvalue().splitlines() if line.strip()]


async def test_without_a_console_nothing_is_said() -> None:
    """JSON at the end is all that is wanted."""
    async with progress.shown(None, "starting Ray"):
        pass


def test_a_log_that_says_nothing(tmp_path: Path) -> None:
    """No file, or none with a message."""
    assert "" == progress.newest_message(tmp_path / "none")
    (tmp_path / "empty").write_text("plain words\n")
    assert "" == progress.newest_message(tmp_path / "empty")

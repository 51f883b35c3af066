"""Whoever asks another process to draw goes on meanwhile, and is told how it ended."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from gateway.posters import apart, looks
from gateway.posters.apart import NotDrawn
from gateway.posters.child import drawn
from gateway.posters.refusals import PosterRefused
from tests.gateway.posters.pages import job


async def test_what_it_drew_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if we had drawn it. What lies in the gateway's folder is not taken for a library: whoever
    may write there would be the gateway.
    """
    (tmp_path / "msgspec.py").write_text("raise SystemExit('taken for a library')")
    monkeypatch.chdir(tmp_path)
    assert drawn(job()) == await apart.draw(job())


async def test_it_hears_nothing_of_the_gateway_s_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads files of others, and one of them may be there to take it over."""
    monkeypatch.setenv("VENDGATE_DATABASE__URL", "postgresql://u:secret@db/x")
    said = "import os; raise SystemExit(str('VENDGATE_DATABASE__URL' in os.environ))"
    with pytest.raises(NotDrawn, match="status 1: False"):
        await apart.draw(job(), program=[sys.executable, "-c", said])


async def test_a_process_that_fails_says_what_it_said() -> None:
    """Its status and its last words, for the log."""
    program = [sys.executable, "-c", "raise SystemExit('the font broke me')"]
    with pytest.raises(NotDrawn, match="status 1: the font broke me"):
        await apart.draw(job(), program=program)


async def test_a_process_that_is_killed_is_no_answer() -> None:
    """As by the kernel, for its memory."""
    program = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    with pytest.raises(NotDrawn, match="status -9"):
        await apart.draw(job(), program=program)


async def test_a_call_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    """A font over which a library hangs: the process goes with the call."""
    mine = tmp_path / "pid"
    said = f"open({str(mine)!r}, 'w').write(str(os.getpid()))"
    hangs = f"import os, time; {said}; time.sleep(3600)"
    asked = asyncio.create_task(apart.draw(job(), program=[sys.executable, "-uc", hangs]))
    while not (mine.exists() and mine.read_text()):
        await asyncio.sleep(0.01)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    with pytest.raises(ProcessLookupError):
        os.kill(int(mine.read_text()), 0)


async def test_without_the_extra_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setattr(looks, "PARTS", ("no_such_package",))
    with pytest.raises(PosterRefused, match="pip install"):
        await apart.draw(job(), program=["/no/such/program"])

"""Who presses the machine's buttons and pulls its plug: a tester who is asked, or a program.

Flows in: what a play wants done. Flows out: whether it was done. A program is called with the act
and, where there is one, the column: ``PROGRAM select A1``; status 0: done, any other: it cannot.
``PROGRAM turns`` prints how often the machine's motors have turned so far.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

PROGRAM_WITHIN_S = 60.0
HUNG = 124
"""The status of a program that took longer."""


class HandAct(StrEnum):
    """What hands can be asked for."""

    SELECT = "select"
    CANCEL = "cancel"
    COMPLETE = "complete"
    CASH = "cash"
    POWER_CUT = "power-cut"
    """Off, and on again after some seconds."""
    ERASE = "erase"
    """As a power cut, and the journal's flash is empty afterwards, as on a new board."""
    TURNS = "turns"
    """Count how often motors have turned so far."""


ASKS = {
    HandAct.SELECT: "press the button of column {column}",
    HandAct.CANCEL: "press cancel",
    HandAct.COMPLETE: "press the button for the rest of the money",
    HandAct.POWER_CUT: "pull the plug now, and put it in again after five seconds",
    HandAct.ERASE: "pull the plug, empty the flash or put in a new one, and switch on again",
    HandAct.TURNS: "how often have motors turned since you began? (Enter: not counted)",
}


class Hands(Protocol):
    """``can``: what may be asked for. ``patience_ms``: how long what follows may take.
    ``again_ms``: after so long without it the act is done once more. ``sure``: what was to be done
    has been done when ``do`` says so; a person was only asked.
    """

    can: frozenset[HandAct]
    patience_ms: int
    again_ms: int
    sure: bool

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
        """Do it, or ask for it; False: it cannot be done. ``in_vain``: nothing is to follow, so
        return when it was really done.
        """

    async def turns(self) -> int | None:
        """Return how often motors have turned so far; None: nobody counts."""


class NoHands:
    """Nobody is there: only what machines do by themselves is examined."""

    can: frozenset[HandAct] = frozenset()
    patience_ms = again_ms = 1_000
    sure = False

    async def do(
        self,
        act: HandAct,  # noqa: ARG002  nobody is there
        column: str = "",  # noqa: ARG002
        *,
        in_vain: bool = False,  # noqa: ARG002
    ) -> bool:
        """Return that it cannot be done."""
        return False

    async def turns(self) -> int | None:
        """Return that nobody counts."""
        return None


class ProgramHands:
    """A program does all, or the power cut alone (``power_cut``), or both are given."""

    patience_ms = 60_000
    again_ms = 5_000
    sure = True

    def __init__(self, program: str = "", *, power_cut: str = "") -> None:
        self._program = shlex.split(program)
        self._power_cut = shlex.split(power_cut)
        self.can = frozenset(HandAct if program else ()) | (
            {HandAct.POWER_CUT} if power_cut else set()
        )

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:  # noqa: ARG002  it is done when the program ends
        """Run the program. One that hung is not asked for the same again: each time is a minute."""
        if act is HandAct.POWER_CUT and self._power_cut:
            status, _ = await _run(self._power_cut)
        elif not self._program:
            return False
        else:
            status, _ = await _run([*self._program, act.value, *([column] if column else [])])
        if status == HUNG:
            self.can -= {act}
        return status == 0

    async def turns(self) -> int | None:
        """Run the program and read its number."""
        if not self._program:
            return None
        status, output = await _run([*self._program, HandAct.TURNS.value])
        return int(output) if status == 0 and output.strip().isdigit() else None


class AskedHands:
    """A person at the machine, who is asked on the terminal. ``read`` returns their next line and
    is called in a thread of its own; ``power_cut``: a program that does that one thing.
    """

    patience_ms = again_ms = 120_000
    sure = False

    def __init__(
        self, write: Callable[[str], None], read: Callable[[], str], *, power_cut: str = ""
    ) -> None:
        self._write = write
        self._read = read
        self._program = ProgramHands(power_cut=power_cut)
        # Nobody puts in coins forty times.
        self.can = frozenset(HandAct) - {HandAct.CASH}
        self._lines: asyncio.Queue[str] | None = None

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
        """Ask; what the machine says shows that it was done."""
        if act in self._program.can:
            return await self._program.do(act)
        asked = ASKS[act].format(column=column)
        if not in_vain:
            self._write(f">> {asked}")
            return True
        return await self._answer(f"{asked}; nothing should happen; then press Enter") is not None

    async def turns(self) -> int | None:
        """Ask for the number."""
        answer = (await self._answer(ASKS[HandAct.TURNS]) or "").strip()
        return int(answer) if answer.isdigit() else None

    async def _answer(self, asked: str) -> str | None:
        """Return the line that the person types; None if none comes in time, or no more come."""
        if self._lines is None:
            self._lines = asyncio.Queue()
            into, loop = self._lines, asyncio.get_running_loop()
            threading.Thread(target=self._listen, args=(into, loop), daemon=True).start()
        while not self._lines.empty():  # what was typed before the question is no answer
            self._lines.get_nowait()
        self._write(f">> {asked}")
        try:
            async with asyncio.timeout(self.patience_ms / 1000):
                return await self._lines.get() or None
        except TimeoutError:
            return None

    def _listen(self, into: "asyncio.Queue[str]", loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed while we waited for a line
            while line := self._read():
                loop.call_soon_threadsafe(into.put_nowait, line)
            loop.call_soon_threadsafe(into.put_nowait, "")


async def _run(words: list[str]) -> tuple[int, str]:
    """Return the status and the output; a program that takes too long, or is none, has failed."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
    except OSError:
        return 127, ""
    try:
        async with asyncio.timeout(PROGRAM_WITHIN_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return HUNG, ""
    finally:  # too late, or the examination was ended
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it has begun
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")

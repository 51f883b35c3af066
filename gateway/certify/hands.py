"""Who presses the machine's buttons and pulls its plug: a tester who is asked, or a program.

Flows in: what a play wants done. Flows out: whether it was done. A program is called with the act
and, where there is one, the column: ``PROGRAM select A1``; status 0: done, any other: it cannot.
``PROGRAM turns`` prints how often the machine's motors have turned so far.
"""

import asyncio
import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

PROGRAM_WITHIN_S = 60.0


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
    """``can``: what may be asked for. ``patience_ms``: how long what follows may take."""

    can: frozenset[HandAct]
    patience_ms: int

    async def do(self, act: HandAct, column: str = "") -> bool:
        """Do it, or ask for it; False: it cannot be done."""

    async def turns(self) -> int | None:
        """Return how often motors have turned so far; None: nobody counts."""


class NoHands:
    """Nobody is there: only what machines do by themselves is examined."""

    can: frozenset[HandAct] = frozenset()
    patience_ms = 1_000

    async def do(self, act: HandAct, column: str = "") -> bool:  # noqa: ARG002  nobody is there
        """Return that it cannot be done."""
        return False

    async def turns(self) -> int | None:
        """Return that nobody counts."""
        return None


class ProgramHands:
    """A program does all, or the power cut alone (``power_cut``), or both are given."""

    patience_ms = 15_000

    def __init__(self, program: str = "", *, power_cut: str = "") -> None:
        self._program = shlex.split(program)
        self._power_cut = shlex.split(power_cut)
        self.can = frozenset(HandAct if program else ()) | (
            {HandAct.POWER_CUT} if power_cut else set()
        )

    async def do(self, act: HandAct, column: str = "") -> bool:
        """Run the program."""
        if act is HandAct.POWER_CUT and self._power_cut:
            status, _ = await _run(self._power_cut)
        elif not self._program:
            return False
        else:
            status, _ = await _run([*self._program, act.value, *([column] if column else [])])
        return status == 0

    async def turns(self) -> int | None:
        """Run the program and read its number."""
        if not self._program:
            return None
        status, output = await _run([*self._program, HandAct.TURNS.value])
        return int(output) if status == 0 and output.strip().isdigit() else None


class AskedHands:
    """A person at the machine, who is asked on the terminal. ``power_cut``: a program that does
    that one thing.
    """

    patience_ms = 120_000

    def __init__(
        self, write: Callable[[str], None], read: Callable[[], str], *, power_cut: str = ""
    ) -> None:
        self._write = write
        self._read = read
        self._program = ProgramHands(power_cut=power_cut)
        # Nobody puts in coins forty times.
        self.can = frozenset(HandAct) - {HandAct.CASH}

    async def do(self, act: HandAct, column: str = "") -> bool:
        """Ask; what the machine says shows that it was done."""
        if act in self._program.can:
            return await self._program.do(act)
        self._write(f">> {ASKS[act].format(column=column)}")
        return True

    async def turns(self) -> int | None:
        """Ask for the number."""
        self._write(f">> {ASKS[HandAct.TURNS]}")
        answer = (await asyncio.to_thread(self._read)).strip()
        return int(answer) if answer.isdigit() else None


async def _run(words: list[str]) -> tuple[int, str]:
    """Return the status and the output; a program that takes too long, or is none, has failed."""
    try:
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    except OSError:
        return 127, ""
    try:
        async with asyncio.timeout(PROGRAM_WITHIN_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, ""
    return process.returncode or 0, output.decode(errors="replace")

"""The reference machine in C as a process: built once, told what a customer does, and read line by
line.

Its power is cut with ``kill -9``, from within (``--die-at``) or without.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.architecture.house import ROOT

KIT = ROOT / "deploy" / "kit" / "c"
PATIENCE_S = 120
"""How long one answer may take on a busy computer; no verdict depends on it."""
NEEDED = ("pb_encode.h", "nghttp2/nghttp2.h")


def missing() -> str:
    """Return what the computer lacks to build it, empty if nothing."""
    compiler = shutil.which("cc")
    if compiler is None or shutil.which("make") is None:
        return "no C compiler or no make"
    if not (shutil.which("nanopb_generator") or shutil.which("nanopb_generator.py")):
        return "nanopb is not installed"
    for header in NEEDED:
        found = subprocess.run(
            [compiler, "-E", "-include", header, "-"], input=b"", capture_output=True, check=False
        )
        if found.returncode:
            return f"{header} is not installed"
    return ""


def make(folder: Path, target: str, *, sanitized: bool = True) -> str:
    """Build a target below ``folder``; return what the build printed."""
    run = subprocess.run(
        ["make", "-C", str(KIT), f"BUILD={folder}", f"SAN={sanitized:d}", target],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MAKEFLAGS": ""},
    )
    assert 0 == run.returncode, run.stdout + run.stderr
    return run.stdout


@dataclass(frozen=True, slots=True)
class Line:
    """What the machine printed: a word, a number, and the rest."""

    word: str
    amount: int
    text: str


def _parsed(line: str) -> Line:
    word, _, rest = line.partition(" ")
    amount, _, text = rest.partition(" ")
    return Line(word, int(amount) if amount.lstrip("-").isdigit() else 0, text)


class PowerCut(Exception):
    """The machine's process is gone."""


class CMachine:
    """One process at a time; ``start`` again after a power cut."""

    def __init__(self, program: Path, folder: Path, machine_id: str, *arguments: str) -> None:
        self._program = program
        self.folder = folder
        self.machine_id = machine_id
        self._arguments = arguments
        self._process: asyncio.subprocess.Process
        self.lines: list[Line] = []
        """All that this boot printed."""

    async def start(self, *more: str) -> Self:
        """Switch it on."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        names = ("--machine", self.machine_id, "--state-dir", str(self.folder))
        self.lines = []
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            *names,
            *self._arguments,
            *more,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    def press(self, text: str) -> None:
        """Say what a customer or a technician does."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(text.encode() + b"\n")

    async def heard(self) -> Line:
        """Return the next line. Raises PowerCut when the process is gone."""
        stdout = self._process.stdout
        assert stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            text = await stdout.readline()
            if not text:
                code = await self._process.wait()
                assert code in {-9, 0}, f"the machine ended with {code}"
                raise PowerCut
        line = _parsed(text.decode().rstrip("\n"))
        self.lines.append(line)
        return line

    async def until(self, *words: str, where: Callable[[Line], bool] = lambda _: True) -> Line:
        """Return the next line with one of these words."""
        while True:
            line = await self.heard()
            if line.word in words and where(line):
                return line

    async def ready(self) -> None:
        """Wait until it is welcome, may sell, and has a planogram."""
        await self.until("WELCOME")
        if not any(line.word == "PLANOGRAM" for line in self.lines):
            await self.until("PLANOGRAM")

    async def dead(self) -> None:
        """Read on until the power has failed."""
        try:
            while True:
                await self.heard()
        except PowerCut:
            return

    async def kill(self) -> None:
        """``kill -9``."""
        self.cut_power()
        await self.dead()

    def cut_power(self) -> None:
        """``kill -9``, while somebody else listens to it."""
        self._process.kill()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    async def stop(self) -> None:
        """Switch it off in order, if it runs; a sanitizer's complaint fails here."""
        if self._process.returncode is None:
            self.press("quit")
            await self.dead()

    def shelf(self, act: str) -> Counter[str]:
        """How often a motor turned (``turn``) or an item fell (``drop``) for each vend."""
        path = self.folder / "shelf.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(body["cause"] for body in map(json.loads, lines) if body["act"] == act)

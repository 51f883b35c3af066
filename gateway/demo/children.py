"""The processes of the demo.

Flows in: command lines of this program. Flows out: what each child says when it is ready (one JSON
line on its standard output). Children are ended in the reverse order of their start, politely
first; none is left behind. What a child writes goes to files, so that it never waits for a reader;
and each child holds a lifeline, so that it ends when this process does, even after ``kill -9``.
"""

import asyncio
import contextlib
import json
import math
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.process import offspring

VENDGATE = offspring.program("gateway", "--lifeline")
READY_TIMEOUT_S = 90
STOP_TIMEOUT_S = 15
"""For the first SIGTERM, and again for the second, which hurries the gateway."""
HURRY_TIMEOUT_S = 5
"""The same once somebody has lost patience."""
KILL_TIMEOUT_S = 5
ORPHANS_TIMEOUT_S = 60
"""How long Ray's agents look for their head after a gateway died hard. Later the group's number may
be somebody else's.
"""
LOG_BYTES_MAX = 32 * 1024 * 1024
"""For each file of a child's; what is older than the newest half goes, and a line says so."""
_LOOK_EVERY_S = 0.05
_MEASURE_EVERY_S = 5


class ChildFailed(Exception):
    """A process of the demo ended, or never became ready. The message says where to read on."""


class NoAnswer(ChildFailed):
    """A process of the demo does not answer."""


class Child:
    """One process, its files, and what it said when it was ready."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, out: Path, log: Path
    ) -> None:
        self.name = name
        self.process = process
        self.out = out
        self.log = log
        self.ready: dict[str, Any] = {}
        self.missed = True
        self.gone = asyncio.create_task(process.wait())
        self.gone.add_done_callback(self._note_the_end)
        self._gone_at_s = math.inf

    def tell(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still there."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the process and what it has started: politely, then hastily, then not politely. Takes
        no longer than the limits above.
        """
        for _ in range(2):
            self.tell(signal.SIGTERM)
            if await self._is_gone_within(STOP_TIMEOUT_S, hurry):
                break
        if self.process.returncode != 0 and time.monotonic() < self._gone_at_s + ORPHANS_TIMEOUT_S:
            self._kill()
            await asyncio.wait([self.gone], timeout=KILL_TIMEOUT_S)

    async def _is_gone_within(self, timeout_s: float, hurry: asyncio.Event) -> bool:
        impatient = asyncio.create_task(hurry.wait())
        await asyncio.wait(
            [self.gone, impatient], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        impatient.cancel()
        await asyncio.wait([self.gone], timeout=HURRY_TIMEOUT_S if hurry.is_set() else 0)
        return self.gone.done()

    def _note_the_end(self, _: "asyncio.Task[int]") -> None:
        self._gone_at_s = time.monotonic()

    def _kill(self) -> None:
        """Kill the child's whole group. It is the child's own, and whoever is left in it has nobody
        else.
        """
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Children:
    """All of them. ``program`` is the command that arguments are added to."""

    def __init__(self, folder: Path, *, program: Sequence[str] = VENDGATE) -> None:
        self._folder = folder
        self._program = program
        self._children: list[Child] = []
        self._ended = asyncio.Event()
        self._hurry = asyncio.Event()
        self._lifeline: int | None = None
        """The writing end. It is never written to: that it is open means that we live."""
        self._held: int | None = None
        self._measuring: asyncio.Task[None] | None = None

    async def start(
        self,
        name: str,
        *arguments: str,
        program: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        missed: bool = True,
    ) -> Child:
        """Start the program with the arguments and wait until it is ready. Raises ChildFailed.

        ``program`` takes the place of the usual one; ``environment`` is added to ours. Whoever is
        not ``missed`` may end without an end of the demo: somebody else looks after it.
        """
        if self._held is None:
            self._held, self._lifeline = os.pipe()
            self._measuring = asyncio.create_task(self._measure())
        out, log = self._folder / f"{name}.out", self._folder / f"{name}.log"
        out.unlink(missing_ok=True)
        with out.open("ab") as stdout, log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(program or self._program),
                *arguments,
                env={**os.environ, **offspring.importable(), **(environment or {})},
                stdin=self._held,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C is for the demo, which ends its children in order
            )
        child = Child(name, process, out, log)
        child.missed = missed
        self._children.append(child)
        if missed:
            child.gone.add_done_callback(lambda _: self._ended.set())
        child.ready = await _ready(child)
        return child

    async def lost(self) -> Child:
        """Wait for a child to end although nobody asked it to, and return it."""
        await self._ended.wait()
        return next(child for child in self._children if child.missed and child.gone.done())

    async def finished(self, child: Child) -> None:
        """Wait until a child that is not missed has done its work. Raises ChildFailed."""
        await asyncio.wait([child.gone])
        await self.end(child)
        if child.process.returncode:
            raise ChildFailed(f"{child.name} failed; the end of {child.log}:\n{_tail(child.log)}")

    async def end(self, child: Child) -> None:
        """End one child, or what is left of it."""
        await child.stop(self._hurry)
        if child in self._children:  # the end of all may have come first
            self._children.remove(child)

    def hurry(self) -> None:
        """Let the stop, now or later, take seconds only."""
        self._hurry.set()

    async def stop(self) -> None:
        """End all children, the youngest first."""
        while self._children:
            await self._children.pop().stop(self._hurry)
        if self._measuring is not None:
            self._measuring.cancel()
        for descriptor in (self._lifeline, self._held):
            if descriptor is not None:
                os.close(descriptor)
        self._lifeline = self._held = self._measuring = None

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(_MEASURE_EVERY_S)
            for child in self._children:
                for path in (child.out, child.log):
                    if child.ready and path.exists():
                        shorten(path, LOG_BYTES_MAX)


def shorten(path: Path, bytes_max: int) -> None:
    """Keep the newest half of a file that is too long. Who appends to it goes on; what comes in the
    milliseconds between is lost.
    """
    if path.stat().st_size <= bytes_max:
        return
    with path.open("r+b") as file:
        dropped = file.seek(-(bytes_max // 2), os.SEEK_END)
        kept = file.read()
        file.truncate(0)
    with path.open("ab") as file:
        file.write(f"... {dropped} bytes were here\n".encode() + kept)


async def _ready(child: Child) -> dict[str, Any]:
    said = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_TIMEOUT_S):
            while not said.endswith(b"\n"):
                over = child.gone.done()
                with child.out.open("rb") as file:
                    said = file.readline()
                if over:
                    break
                await asyncio.wait([child.gone], timeout=_LOOK_EVERY_S)
    try:
        ready = json.loads(said)
    except ValueError:
        what = (
            "ended before it was ready"
            if child.gone.done()
            else f"was not ready within {READY_TIMEOUT_S} s"
        )
        raise ChildFailed(
            f"{child.name} {what}; the end of {child.log}:\n{_tail(child.log)}"
        ) from None
    assert isinstance(ready, dict)
    return ready


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])

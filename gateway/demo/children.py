"""The processes of the demo.

Flows in: command lines of this program. Flows out: what each child says when it is ready (one JSON
line on its standard output). Children are ended in the reverse order of their start, politely
first; none is left behind.
"""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

READY_TIMEOUT_S = 90
STOP_TIMEOUT_S = 20


class ChildFailed(Exception):
    """A process of the demo ended, or never became ready. The message ends with the last lines of
    its log.
    """


class Child:
    """One process, its log file, and what it said when it was ready."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: Path, ready: dict[str, Any]
    ) -> None:
        self.name = name
        self.process = process
        self.log = log
        self.ready = ready

    def tell(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still there."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def stop(self) -> None:
        """End the process: politely, then not."""
        self.tell(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.tell(signal.SIGKILL)
            await self.process.wait()


class Children:
    """All of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    async def start(self, name: str, *arguments: str) -> Child:
        """Start ``vendgate ARGUMENTS`` and wait until it is ready. Raises ChildFailed."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C is for the demo, which ends its children in order
            )
        child = Child(name, process, log, {})
        self._children.append(child)
        child.ready = await self._ready(child)
        return child

    async def _ready(self, child: Child) -> dict[str, Any]:
        stdout = child.process.stdout
        assert stdout is not None
        try:
            line = await asyncio.wait_for(stdout.readline(), READY_TIMEOUT_S)
        except TimeoutError:
            line = b""
        try:
            ready = json.loads(line)
        except ValueError:
            raise ChildFailed(
                f"{child.name} did not become ready; the end of {child.log}:\n{_tail(child.log)}"
            ) from None
        assert isinstance(ready, dict)
        return ready

    def dead(self) -> Child | None:
        """Return a child that has ended although nobody asked it to."""
        return next(
            (child for child in self._children if child.process.returncode is not None), None
        )

    async def stop(self) -> None:
        """End all children, the youngest first."""
        while self._children:
            await self._children.pop().stop()


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])

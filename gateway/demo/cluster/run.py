"""A cluster that runs until somebody ends it, live on one screen.

Flows in: how many machines, a seed, a terminal. Flows out: drawings; nothing is left behind.
"""

import asyncio
import contextlib
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.live import Live

from actors.session_folder import LOCK, PATH_BYTES_MAX
from gateway.demo.children import ChildFailed, Children
from gateway.demo.cluster.plan import SESSIONS, planned
from gateway.demo.cluster.screen import ClusterPicture, ClusterScene, figures_line
from gateway.demo.cluster.system import System, running
from gateway.demo.folder import own_folder
from gateway.demo.interruptions import Interruptions
from gateway.demo.stage import make_folder
from gateway.demo.terminal import Terminal

MACHINES = 200
PACE_S = 20.0
"""Seconds between two customers of one machine: with 200 machines some eight of them a second."""
LOOK_EVERY_S = 1.0
FIGURES_EVERY_S = 30.0

Result = TypeVar("Result")
Story = Callable[[System, Interruptions], Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What to start. ``keep``: a folder to leave everything in; None: one that is removed."""

    machines: int = MACHINES
    seed: int = 1
    pace_s: float = PACE_S
    keep: Path | None = None


async def play(
    cluster: Cluster,
    story: Story[Result],
    *,
    console: Terminal | None,
    evidence: Callable[[Result], bool],
) -> Result | None:
    """Start the cluster, tell the story in it, end everything; return what the story returned, or
    None if it was interrupted before its end. What is ``evidence`` leaves its folder. Raises
    ChildFailed.
    """
    with contextlib.nullcontext(cluster.keep) if cluster.keep else own_folder() as folder:
        _check_room(folder)
        make_folder(folder)
        # A link would be another name for it, by which nobody would find who lives in it.
        folder = folder.resolve()  # noqa: PLW2901 - nothing else runs here yet
        children = Children(folder)
        interruptions = Interruptions(children)
        result = None
        with interruptions.heard():
            try:
                result = await interruptions.play(
                    _in(folder, cluster, story, children, interruptions, console)
                )
            except ChildFailed:
                if not interruptions.wanted:
                    raise
            except (asyncio.CancelledError, OSError):
                if not interruptions.wanted:
                    raise
            finally:
                await children.stop()
        if cluster.keep is None and (result is None or not evidence(result)):
            shutil.rmtree(folder, ignore_errors=True)
        elif cluster.keep is None:
            print(f"everything is left in {folder}", file=sys.stderr)
        return result


def _check_room(folder: Path) -> None:
    """Refuse a folder in which the cluster cannot live, before anything is in it. Raises
    ChildFailed.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if any(one.name != LOCK for one in folder.iterdir()):
            raise ChildFailed(
                f"{folder} is not empty: a cluster makes all that it has anew. Name a new or an "
                "empty folder with --keep."
            )
    # Both put sockets into it, whose names may have 107 bytes.
    too_long = len(os.fsencode((folder / SESSIONS).resolve())) - PATH_BYTES_MAX
    if too_long > 0:
        raise ChildFailed(
            f"{folder} is {too_long} bytes too long for the sockets of Ray and PostgreSQL: "
            "name a folder with a shorter path with --keep."
        )


async def _in(
    folder: Path,
    cluster: Cluster,
    story: Story[Result],
    children: Children,
    interruptions: Interruptions,
    console: Terminal | None,
) -> Result:
    plan = planned(folder, machines=cluster.machines, seed=cluster.seed, pace_s=cluster.pace_s)
    async with running(plan, children, console) as system:
        interruptions.began = True
        try:
            return await story(system, interruptions)
        finally:
            if console is not None:
                with contextlib.suppress(OSError):  # a terminal that is not there any more
                    console.print("ending the processes ...")


async def watch(system: System, interruptions: Interruptions, console: Terminal) -> None:
    """Show what there is until somebody ends it."""
    async with on_screen(system, interruptions, console, lambda: "selling"):
        while not interruptions.wanted:  # noqa: ASYNC110 - a signal says so, to all of us
            await asyncio.sleep(LOOK_EVERY_S / 4)


@contextlib.asynccontextmanager
async def on_screen(
    system: System, interruptions: Interruptions, console: Terminal, title: Callable[[], str]
) -> AsyncIterator[None]:
    """Draw what there is while the block lasts; ``title`` says what goes on. A pipe or a file gets
    one picture, then what becomes of parts as it happens, and each half minute the figures.
    """
    drawing = asyncio.create_task(_draw(system, interruptions, console, title))
    try:
        yield
    finally:
        drawing.cancel()
        await asyncio.gather(drawing, return_exceptions=True)


async def _draw(
    system: System, interruptions: Interruptions, console: Terminal, title: Callable[[], str]
) -> None:
    began = time.monotonic()
    terminal = console.file if console.file.isatty() else None
    told = _Told(console)
    screen = Live(console=console, screen=True, refresh_per_second=4)
    with screen if console.is_terminal else contextlib.nullcontext():
        while True:
            # Its window was closed, and only the leader of the session was told; or whoever read
            # the pipe has read enough.
            if (terminal is not None and not terminal.isatty()) or console.unread:
                if not interruptions.wanted:
                    signal.raise_signal(signal.SIGHUP)
                return
            scene = ClusterScene(
                plan=system.plan,
                moment=await system.look.moment(),
                parts=system.parts.views(),
                happened=system.parts.happened,
                title=title(),
                running_s=time.monotonic() - began,
            )
            if console.is_terminal:
                screen.update(ClusterPicture(scene))
            else:
                told.tell(scene)
            await asyncio.sleep(LOOK_EVERY_S)


class _Told:
    """What a pipe or a file was told."""

    def __init__(self, console: Terminal) -> None:
        self._console = console
        self._happened: Sequence[str] = ()
        self._figures_at_s = -math.inf

    def tell(self, scene: ClusterScene) -> None:
        """Say what is new: all of it at first."""
        first = self._figures_at_s == -math.inf
        if first:
            self._console.print(ClusterPicture(scene))
        else:
            known = set(self._happened)
            for line in (one for one in scene.happened if one not in known):
                self._say(line)
        self._happened = scene.happened
        if scene.running_s - self._figures_at_s < FIGURES_EVERY_S:
            return
        self._figures_at_s = scene.running_s
        if not first:
            self._say(f"sales {figures_line(scene.moment, len(scene.plan.machine_ids))}")

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

"""``vendgate cluster``: arguments in, a screen out, and an exit status."""

import asyncio
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

from gateway.demo.children import ChildFailed
from gateway.demo.cluster import network, table
from gateway.demo.cluster.chaos import Aftermath, chaos
from gateway.demo.cluster.run import Cluster, on_screen, play, watch
from gateway.demo.cluster.system import System, wanting
from gateway.demo.interruptions import Interruptions
from gateway.demo.terminal import Terminal

INTERRUPTED = 130


def cluster(*, machines: int, seed: int, pace: float, chaos_s: int, keep: Path | None) -> int:
    """Run the cluster until somebody ends it, or chaos over it; return the exit status: 0 if all
    money is where it should be and every part came back.
    """
    if lacking := wanting():
        print("\n".join(lacking), file=sys.stderr)
        return 1
    if chaos_s and not network.is_own() and network.possible():
        network.enter(sys.argv[1:])
    console = Terminal()
    wanted = Cluster(machines=machines, seed=seed, pace_s=pace, keep=keep)
    try:
        if not chaos_s:
            return asyncio.run(_watched(wanted, console))
        return asyncio.run(_chaotic(wanted, console, chaos_s))
    except ChildFailed as failure:
        print(failure, file=sys.stderr)
        return 1


async def _watched(wanted: Cluster, console: Terminal) -> int:
    async def story(system: System, interruptions: Interruptions) -> None:
        await watch(system, interruptions, console)

    await play(wanted, story, console=console, evidence=lambda _: False)
    return 0


async def _chaotic(wanted: Cluster, console: Terminal, chaos_s: int) -> int:
    said = ["selling"]

    def say(what: str) -> None:
        said.append(what)
        if not console.is_terminal:
            console.print(what, highlight=False, markup=False)

    async def story(system: System, interruptions: Interruptions) -> Aftermath:
        async with on_screen(system, interruptions, console, lambda: said[-1]):
            return await chaos(
                system,
                interruptions,
                seconds=chaos_s,
                seed=wanted.seed,
                cut=network.is_own(),
                say=say,
            )

    found = await play(wanted, story, console=console, evidence=lambda one: not one.good)
    if found is None:
        return INTERRUPTED
    for line in told(found, cut=network.is_own()):
        print(line)
    return 0 if found.good else 1


def told(found: Aftermath, *, cut: bool) -> list[str]:
    """Return what chaos has shown, as lines."""
    uname: Any = os.uname()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    rate = found.sales / max(found.seconds, 1.0)
    size = (
        f"{os.cpu_count()} processors, {memory:.0f} GiB, {uname.sysname}; {found.machines} "
        f"machines, {found.sales} sales, {rate:.1f} a second; "
        f"longest pause in calm {found.calm_pause_s:.1f} s"
    )
    lines = [
        "",
        *textwrap.wrap(size, 80),
        "",
        *table.lines(found.measured),
    ]
    if not cut:
        lines += ["", "No node was cut off: only root may make a network namespace for that."]
    if found.wrong:
        return [*lines, "", *found.wrong[:50], "", f"{len(found.wrong)} things are wrong."]
    return [
        *lines,
        "",
        "Our ledger, the pretend Alipay's book and the machines' shelves agree, and every",
        "invariant of our database holds.",
    ]

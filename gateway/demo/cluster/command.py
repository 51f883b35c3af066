"""``vendgate cluster``: arguments in, a screen out, and an exit status."""

import asyncio
import sys
from pathlib import Path

from gateway.demo.children import ChildFailed
from gateway.demo.cluster.run import Cluster, play, watch
from gateway.demo.cluster.system import wanting
from gateway.demo.terminal import Terminal


def cluster(*, machines: int, seed: int, pace: float, keep: Path | None) -> int:
    """Run the cluster until somebody ends it; return the exit status."""
    if lacking := wanting():
        print("\n".join(lacking), file=sys.stderr)
        return 1
    console = Terminal()
    wanted = Cluster(machines=machines, seed=seed, pace_s=pace, keep=keep)
    try:
        asyncio.run(
            play(
                wanted,
                lambda system, interruptions: watch(system, interruptions, console),
                console=console,
                evidence=lambda _: False,
            )
        )
    except ChildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0

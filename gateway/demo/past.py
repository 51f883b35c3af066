"""A past for the demo, lived by a program of its own before all others start.

Flows in: the demo's folder and settings. Flows out: a database, the pretend Alipay's book, the
files of machines, and sentences about what was lived and found.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from gateway.demo import stage
from gateway.demo.children import Children
from gateway.demo.progress import shown
from gateway.demo.terminal import Terminal

NAME = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSize:
    """How much is lived, by which chance."""

    seed: int
    weeks: int
    machines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What there was before. ``sentences`` are for people."""

    sales: int = 0
    sentences: tuple[str, ...] = ()


NO_PAST = Past()


async def lived(
    children: Children,
    console: Terminal | None,
    folder: Path,
    settings: Path,
    keys: Path,
    size: PastSize,
) -> Past:
    """Have it lived, which takes a minute or more, and say what came of it. Raises ChildFailed."""
    what = f"living {size.weeks} weeks of {size.machines} machines on virtual time"
    async with shown(console, what, log=folder / f"{NAME}.log"):
        child = await children.start(
            NAME,
            *("simulate", NAME, "--config", str(settings)),
            *("--state-dir", str(folder / stage.FLEET_FOLDER), "--alipay-dir", str(keys)),
            *("--seed", str(size.seed), "--weeks", str(size.weeks)),
            *("--machines", str(size.machines), "--json-ready"),
            missed=False,
        )
        await children.finished(child)
    told = json.loads(child.out.read_text(encoding="utf-8").splitlines()[-1])
    past = Past(sales=told["sales"], sentences=tuple(told["sentences"]))
    if console is not None:
        for sentence in past.sentences:
            console.print(sentence, markup=False)
    return past

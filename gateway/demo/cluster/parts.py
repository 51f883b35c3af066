"""The parts of the cluster as they live: whoever ends is started again, as a supervisor does in
production.

Flows in: recipes. Flows out: processes, and what each is doing, since when. A part that cannot be
started at first is ChildFailed; later it is tried again and again, and its state says so.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.demo.children import Child, ChildFailed, Children
from gateway.demo.cluster.plan import Recipe
from gateway.demo.processes import with_descendants

AGAIN_AFTER_S = 2.0
"""Between two tries to start a part again."""


class State(StrEnum):
    """What a part is doing."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """One part at one moment. ``pid`` is 0 while there is none; ``since_s`` is how long it has
    been in its state; ``starts`` counts those after the first.
    """

    name: str
    pid: int
    state: State
    since_s: float
    starts: int


class Part:
    """One process that is kept alive."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.state = State.STARTING
        self.child: Child | None = None
        self.starts = -1
        self.up = asyncio.Event()
        self._since = time.monotonic()

    @property
    def pid(self) -> int:
        """The process itself, not who keeps it; 0 if there is none."""
        if self.child is None or self.child.gone.done():
            return 0
        return int(self.child.ready.get("pid", self.child.process.pid))

    def set(self, state: State) -> None:
        """Note a new state."""
        if state is not self.state:
            self.state, self._since = state, time.monotonic()
        (self.up.set if state is State.UP else self.up.clear)()

    def view(self) -> PartView:
        """Return what is to be shown."""
        return PartView(
            name=self.recipe.name,
            pid=self.pid,
            state=self.state,
            since_s=time.monotonic() - self._since,
            starts=max(self.starts, 0),
        )


class KeptParts:
    """All of them, until ``close``."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._parts: dict[str, Part] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self.happened: list[str] = []
        """What became of parts, in sentences, the newest last; the oldest are forgotten."""

    async def start(self, recipe: Recipe) -> None:
        """Start a part and keep it. Raises ChildFailed."""
        part = self._parts[recipe.name] = Part(recipe)
        await self._start(part)
        self._keeping.append(asyncio.create_task(self._keep(part)))

    async def start_together(self, recipes: Iterable[Recipe]) -> None:
        """Start some at the same time. Raises ChildFailed."""
        await asyncio.gather(*map(self.start, recipes))

    async def _start(self, part: Part) -> None:
        recipe = part.recipe
        part.child = await self._children.start(
            recipe.name,
            *recipe.arguments,
            program=recipe.program,
            environment=recipe.environment,
            missed=False,
        )
        part.starts += 1
        part.set(State.UP)

    async def _keep(self, part: Part) -> None:
        name = part.recipe.name
        while True:
            assert part.child is not None
            status = await asyncio.shield(part.child.gone)
            part.set(State.DOWN)
            self._tell(f"{name} ended ({_ending(status)})")
            await self._children.end(part.child)
            await asyncio.sleep(part.recipe.back_after_s)
            while True:
                for needed in part.recipe.needs:
                    await self._parts[needed].up.wait()
                part.set(State.STARTING)
                try:
                    await self._start(part)
                except ChildFailed as failure:
                    part.set(State.DOWN)
                    self._tell(f"{name} does not start: {str(failure).splitlines()[-1]}")
                    await asyncio.sleep(AGAIN_AFTER_S)
                else:
                    self._tell(f"{name} is back")
                    break

    def _tell(self, what: str) -> None:
        self.happened = [*self.happened, f"{time.strftime('%H:%M:%S')} {what}"][-100:]

    # --- what is done to them ---

    def part(self, name: str) -> Part:
        """Return the part of this name."""
        return self._parts[name]

    def views(self) -> Sequence[PartView]:
        """Return all, in the order of their starts."""
        return [part.view() for part in self._parts.values()]

    def kill(self, name: str) -> None:
        """``kill -9`` of the part with all that it has started, at once, as when its computer
        loses its power.
        """
        child = self._parts[name].child
        assert child is not None
        for pid in reversed(with_descendants(child.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        part = self._parts[name]
        os.kill(part.pid, signal.SIGSTOP)
        part.set(State.FROZEN)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        part = self._parts[name]
        with contextlib.suppress(ProcessLookupError):
            os.kill(part.pid, signal.SIGCONT)
        if part.state is State.FROZEN:
            part.set(State.UP)

    async def close(self) -> None:
        """Start nobody again from now on, and end all, the last of the plan first: machines before
        gateways, gateways before Ray, whoever was started again meanwhile.
        """
        for part in self._parts.values():
            if part.state is State.FROZEN and part.pid:
                self.thaw(part.recipe.name)  # who is stopped hears no SIGTERM
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for part in reversed(self._parts.values()):
            if part.child is not None:
                await self._children.end(part.child)


def _ending(status: int | None) -> str:
    if status is None or status >= 0:
        return f"status {status}"
    return f"signal {-status}"

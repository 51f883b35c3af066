"""Much work that falls into parts which need nothing of one another, as plain tasks of Ray's.

Flows in: a function that workers can import, and its arguments, one for each task. Flows out: what
it returned, as it comes. So many tasks are under way at a time, and no more wait in Ray. A task
whose worker died is done again, three times at most; so the function must be one that may be done
twice. What it raises comes out here, and ends the work.

Nobody who sells waits for it: its workers leave the processor to everything else on their computer.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

A = TypeVar("A")
R = TypeVar("R")

RETRIES = 3
NICENESS = 15
_LOOK_S = 1.0


class TasksFailed(Exception):
    """Ray could not do it, as a sentence."""


async def done_on_ray(
    function: Callable[[A], R], arguments: Sequence[A], *, at_once: int = 0
) -> AsyncIterator[R]:
    """Yield what the function returns for each argument, in the order in which they are done, on
    the Ray that this process is in. ``at_once`` 0: twice as many as there are processors. Raises
    what the function raises, or TasksFailed; the other tasks are cancelled then.
    """
    there: Any = ray  # which says nothing of types there
    bound = at_once or 2 * max(1, int(there.cluster_resources().get("CPU", 1)))
    task: Any = ray.remote(num_cpus=1, max_retries=RETRIES)(_politely)
    waiting = list(reversed(arguments))
    running: list[Any] = []
    try:
        while waiting or running:
            while waiting and len(running) < bound:
                running.append(task.remote(function, waiting.pop()))
            done, running = await asyncio.to_thread(
                ray.wait, running, num_returns=1, timeout=_LOOK_S
            )
            for one in done:
                yield await asyncio.to_thread(_result, one)
    finally:
        for one in running:
            ray.cancel(one)


def _result(one: Any) -> Any:
    try:
        return ray.get(one)
    except RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise TasksFailed(str(error)) from None
    except RayError as error:
        raise TasksFailed(f"A task of Ray's did not end: {error}") from error


def _politely(function: Callable[[Any], Any], argument: Any) -> Any:
    """Run in a worker, which serves this work alone."""
    os.nice(max(0, NICENESS - os.nice(0)))
    return function(argument)

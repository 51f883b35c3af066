"""Programs of the world that can be killed, frozen and cut off at any await.

Flows in: coroutines, run under the name of a process. Flows out: nothing, once the process is dead:
every way to the outside leads through ``cross``, which a dead process never passes and a frozen one
only after it has thawed. What its cancelled tasks still do in their own memory nobody can see.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")
_TASKS_SWEPT_AT = 64

_current: "ContextVar[Process | None]" = ContextVar("process", default=None)


class Died(Exception):
    """The process that was asked is dead; nobody knows what it still did."""


class Process:
    """One program. ``died`` is called once when it is killed."""

    def __init__(self, name: str, died: Callable[["Process"], None]) -> None:
        self.name = name
        self.alive = True
        self.crossings = 0
        self.dies_at_crossing: int | None = None
        self.awaits = 0
        self.dies_at_await: int | None = None
        """Awaits are counted only if this is set before the process starts."""
        self._died = died
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._asked: dict[asyncio.Future[Any], None] = {}
        self._thawed: asyncio.Event | None = None

    def spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run a coroutine as part of the process, with all the tasks that it makes."""
        context = copy_context()
        context.run(_current.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """A task was made by the process."""
        self._tasks[task] = None
        if len(self._tasks) > _TASKS_SWEPT_AT and len(self._tasks) % _TASKS_SWEPT_AT == 0:
            self._tasks = {each: None for each in self._tasks if not each.done()}

    async def ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the process do something for another one. Raises Died if it is killed meanwhile."""
        if not self.alive:
            work.close()
            raise Died(self.name)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._asked[answer] = None

        async def do() -> None:
            try:
                result = await work
            except Exception as error:  # noqa: BLE001 - it is the asker's
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(result)

        # A process that is killed before its turn comes does not begin the work.
        self.spawn(do()).add_done_callback(lambda _: work.close())
        try:
            return await answer
        finally:
            self._asked.pop(answer, None)

    async def cross(self) -> None:
        """Pass between the process and the outside, if it is alive and not frozen."""
        self.crossings += 1
        if self.dies_at_crossing is not None and self.crossings >= self.dies_at_crossing:
            self.kill()
        while self._thawed is not None and self.alive:
            await self._thawed.wait()
        if not self.alive:
            await asyncio.get_running_loop().create_future()  # it is being cancelled

    def goes_on(self) -> None:
        """One of its tasks goes on after an await."""
        self.awaits += 1
        if self.dies_at_await is not None and self.awaits >= self.dies_at_await:
            self.kill()

    def disarm(self) -> None:
        """It is not to die any more."""
        self.dies_at_crossing = self.dies_at_await = None

    def freeze(self) -> None:
        """Stop it, as SIGSTOP does."""
        if self._thawed is None:
            self._thawed = asyncio.Event()

    def thaw(self) -> None:
        """Let it go on."""
        if self._thawed is not None:
            self._thawed.set()
            self._thawed = None

    def kill(self) -> None:
        """End it at once: nothing of it reaches anybody any more."""
        if not self.alive:
            return
        self.alive = False
        self.disarm()
        self.thaw()
        for task in list(self._tasks):
            task.cancel()
        for answer in list(self._asked):
            if not answer.done():
                answer.set_exception(Died(self.name))
        self._died(self)

    async def buried(self) -> None:
        """Wait until the last task is gone, at the end of the world."""
        self.kill()
        tasks = [task for task in self._tasks if not task.done()]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait(tasks, timeout=60) if tasks else None


def task_factory(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any
) -> "asyncio.Task[T]":
    """Make a task and tell its process."""
    context = options.get("context")
    process = _current.get() if context is None else context.get(_current)
    if process is not None and process.dies_at_await is not None:
        work = _Counted(process, work)
    task: asyncio.Task[T] = asyncio.Task(work, loop=loop, **options)
    if process is not None:
        process.adopt(task)
    return task


class _Counted(Coroutine[Any, Any, T]):
    """A coroutine whose process wants to know of each time that it goes on."""

    def __init__(self, process: Process, work: Coroutine[Any, Any, T]) -> None:
        self._process = process
        self._work = work

    def send(self, value: Any) -> Any:
        self._process.goes_on()
        return self._work.send(value)

    def throw(self, *what: Any) -> Any:
        self._process.goes_on()
        return self._work.throw(*what)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._work.__await__()


def outside(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Run a coroutine as part of the world, not of the process that asks for it."""
    context = copy_context()
    context.run(_current.set, None)
    task = asyncio.get_running_loop().create_task(work, context=context)
    task.add_done_callback(_seen)
    return task


def _seen(task: "asyncio.Task[Any]") -> None:
    """Whoever asked may be dead by now."""
    if not task.cancelled():
        task.exception()

"""Carries imports of machines and applications of planograms out, at the rate that was asked for.

Flows in: the import that runs, if no other gateway holds it. Flows out: what became of its lines,
some each second. Every gateway runs this; one of them holds the import, and when it dies another
goes on. A line that somebody was away for, or that this gateway fails on, waits, and fails when
that takes too long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from actors.ports import Clock, StoreError
from storage.office.imports import ImportLine, Imports, ImportState, ImportView, LineState

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
SECOND_S = 1.0
AT_ONCE = 10
"""So many lines are carried out at once: each is work of this process, and machines that sell must
not wait behind many.
"""
BEGIN_MS = 30_000
"""No more lines are begun in one go after this: those that were may each wait for somebody who is
away, and all of it ends while the import is held.
"""
PAUSE_S = 5.0
"""After a second in which somebody was away."""
TRIES_MAX = 24
"""A line for which somebody was away is tried this often: two minutes."""
FAILED_HERE = "the gateway failed on this line: its log says more"
HELD_MS = 90_000
"""Nothing that is done in one go takes longer."""


class Lines(Protocol):
    """What carries out the lines of one kind."""

    async def carry_out(self, line: ImportLine, of: ImportView) -> ImportLine:
        """Return what became of the line. Raises StoreError."""
        ...


@dataclass(slots=True, kw_only=True)
class ImportWorker:
    """Of one kind of import. ``holder`` names this gateway's process among all of them, past ones
    too.
    """

    imports: Imports
    lines: Lines
    clock: Clock
    holder: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _tries: dict[tuple[str, int], int] = field(default_factory=dict)
    _holds: bool = False

    def wake(self) -> None:
        """There is something to carry out."""
        self._woken.set()

    async def run(self) -> None:
        """Carry out what there is, until cancelled; then let another go on."""
        try:
            while True:
                if not await self._once():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY_S):
                            await self._woken.wait()
                self._woken.clear()
        finally:
            if self._holds:  # a gateway that stops waits for no database otherwise
                with suppress(StoreError):
                    await self.imports.let_go(self.holder)

    async def _once(self) -> bool:
        try:
            return await self.once()
        except StoreError as error:
            log.warning("an import waits for the database", error=str(error))
        except Exception:
            log.exception("an import failed on this gateway; it goes on by itself")
        return False

    async def once(self) -> bool:
        """Carry out the lines of one second and return whether there was an import to carry out.
        Raises StoreError; nothing is lost by it.
        """
        view = await self.imports.take(self.holder, now_ms=self.clock.now_ms(), held_ms=HELD_MS)
        self._holds = view is not None
        if view is None:
            self._tries.clear()
            return False
        waiting = await self.imports.lines(
            view.import_id, LineState.WAITING, limit=view.lines_per_s
        )
        second = asyncio.create_task(_slept(self.sleep, SECOND_S))
        try:
            told = await self._some_at_once(waiting, view)
            ended = [one for one in told if one.state is not LineState.WAITING]
            view = await self.imports.ended(
                view.import_id, ended, holder=self.holder, now_ms=self.clock.now_ms()
            )
            if view.state is not ImportState.RUNNING:
                _say(view)
                return True
            await second
        finally:
            second.cancel()
        if len(ended) < len(told):
            await self.sleep(PAUSE_S)
        return True

    async def _some_at_once(
        self, waiting: Sequence[ImportLine], view: ImportView
    ) -> list[ImportLine]:
        """Return what became of the lines, or of the first of them if they take long."""
        told: list[ImportLine] = []
        begun_ms = self.clock.now_ms()
        while len(told) < len(waiting) and self.clock.now_ms() - begun_ms < BEGIN_MS:
            some = waiting[len(told) : len(told) + AT_ONCE]
            told += await asyncio.gather(*(self._carried_out(one, view) for one in some))
        return told

    async def _carried_out(self, line: ImportLine, view: ImportView) -> ImportLine:
        try:
            told = await self.lines.carry_out(line, view)
        except StoreError:
            raise
        except Exception:
            # One line that we cannot carry out must not hold up all others for ever.
            log.exception(
                "a line of an import failed on this gateway",
                import_id=view.import_id,
                line=line.line,
            )
            told = replace(line, said=FAILED_HERE)
        if told.state is not LineState.WAITING:
            return told
        key = (view.import_id, line.line)
        self._tries[key] = self._tries.get(key, 0) + 1
        return replace(told, state=LineState.FAILED) if self._tries[key] >= TRIES_MAX else told


async def _slept(sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
    await sleep(seconds)


def _say(view: ImportView) -> None:
    log.info(
        "an import or an application has ended",
        kind=view.kind.value,
        import_id=view.import_id,
        state=view.state.value,
        done=view.done_count,
        failed=view.failed_count,
        why=view.reason,
    )

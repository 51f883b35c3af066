"""Carries imports of machines and applications of planograms out, at the rate that was asked for.

Flows in: the imports that run and that no other gateway holds. Flows out: what became of their
lines, some each second. Every gateway runs this; one of them holds an import, and when it dies
another goes on. Several go side by side, and each has its turn, so that a slow one keeps none that
is about other machines (``storage.office.import_turns`` says who goes first where it is the same).
A line that somebody was away for, or that this gateway fails on, waits, and fails when that takes
too long.
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
SIDE_BY_SIDE = 5
"""So many imports of a kind a gateway carries out at once; they share AT_ONCE."""
TURN_MS = 10_000
"""After this another one has its turn, if one waits."""
LEAST_AT_ONCE = AT_ONCE // SIDE_BY_SIDE


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
    _turns: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def wake(self) -> None:
        """There is something to carry out."""
        self._woken.set()

    async def run(self) -> None:
        """Carry out what there is, until cancelled; then let others go on."""
        held = False
        try:
            while True:
                while len(self._turns) < SIDE_BY_SIDE and await self._guarded(self._begun()):
                    held = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            for turn in self._turns.values():
                turn.cancel()
            if self._turns:
                await asyncio.wait(self._turns.values())
            if held:  # a gateway that stops waits for no database otherwise
                with suppress(StoreError):
                    await self.imports.let_go(self.holder)

    async def _begun(self) -> bool:
        """Begin a turn of an import, and return whether there was one."""
        view = await self._taken()
        if view is None:
            return False
        turn = asyncio.create_task(self._turn(view))
        self._turns[view.import_id] = turn
        turn.add_done_callback(lambda _: self._ended(view.import_id))
        return True

    def _ended(self, import_id: str) -> None:
        del self._turns[import_id]
        self._woken.set()

    async def _turn(self, view: ImportView) -> None:
        if not await self._guarded(self._seconds(view)):
            await self.sleep(LOOK_EVERY_S)

    async def _seconds(self, view: ImportView) -> bool:
        """Carry out lines of an import second by second, until it ends, none may be carried out
        now, or others have waited for long enough; and let go of it.
        """
        until_ms = self.clock.now_ms() + TURN_MS
        more: ImportView | None = view
        while more is not None and await self._second(more):
            if self.clock.now_ms() >= until_ms:
                break
            more = await self._taken(only=view.import_id)
        now_ms = self.clock.now_ms()
        await self.imports.let_go(self.holder, only=view.import_id, now_ms=now_ms)
        return True

    async def _guarded(self, work: Awaitable[bool]) -> bool:
        try:
            return await work
        except StoreError as error:
            log.warning("an import waits for the database", error=str(error))
        except Exception:
            log.exception("an import failed on this gateway; it goes on by itself")
        return False

    async def once(self) -> bool:
        """Carry out the lines of one second of one import and return whether there was one. Raises
        StoreError; nothing is lost by it.
        """
        view = await self._taken()
        if view is None:
            return False
        await self._second(view)
        return True

    async def _taken(self, only: str = "") -> ImportView | None:
        return await self.imports.take(
            self.holder,
            now_ms=self.clock.now_ms(),
            held_ms=HELD_MS,
            besides=() if only else tuple(self._turns),
            only=only,
        )

    async def _second(self, view: ImportView) -> bool:
        """Carry out the lines of one second, and return whether the import goes on."""
        waiting = await self.imports.carried_out_next(view)
        second = asyncio.create_task(_slept(self.sleep, SECOND_S))
        try:
            told = await self._some_at_once(waiting, view)
            ended = [one for one in told if one.state is not LineState.WAITING]
            view = await self.imports.ended(
                view.import_id, ended, holder=self.holder, now_ms=self.clock.now_ms()
            )
            if view.state is not ImportState.RUNNING:
                self._forget(view.import_id)
                _say(view)
                return False
            await second
        finally:
            second.cancel()
        if len(ended) < len(told):
            await self.sleep(PAUSE_S)
        return True

    def _forget(self, import_id: str) -> None:
        for key in [key for key in self._tries if key[0] == import_id]:
            del self._tries[key]

    async def _some_at_once(
        self, waiting: Sequence[ImportLine], view: ImportView
    ) -> list[ImportLine]:
        """Return what became of the lines, or of the first of them if they take long."""
        told: list[ImportLine] = []
        begun_ms = self.clock.now_ms()
        while len(told) < len(waiting) and self.clock.now_ms() - begun_ms < BEGIN_MS:
            most = max(LEAST_AT_ONCE, AT_ONCE // max(1, len(self._turns)))
            some = waiting[len(told) : len(told) + most]
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

"""Brings machines into memory: their first letter, or a commit that failed, makes them strangers
that must be loaded before their turn.

Flows in: strangers from the mailroom. Flows out: runners that can take turns, with what their state
owes taken up again: calls to Alipay under their old ids, the timer, the registry's configuration,
and, after a COMMIT whose answer was lost, what the machine was not told.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from actors.host.calls import Calls
from actors.host.gateways import Reception
from actors.host.mailboxes import Mailroom
from actors.host.refusals import Refusals
from actors.host.runner import Letter, Runner
from actors.host.timers import Timers
from actors.link import CloseReason
from actors.machine.events import TimePassed
from actors.ports import LoadedMachine, MachineStore, StoreError


class Loader:
    """``done`` is called after each load, whatever came of it."""

    def __init__(
        self,
        *,
        store: MachineStore,
        mailroom: Mailroom,
        reception: Reception,
        refusals: Refusals,
        calls: Calls,
        timers: Timers,
        done: Callable[[], None],
        store_failed: Callable[[Exception], None],
        halt: Callable[[Runner, Exception], None],
    ) -> None:
        self._store = store
        self._mailroom = mailroom
        self._reception = reception
        self._refusals = refusals
        self._calls = calls
        self._timers = timers
        self._done = done
        self._store_failed = store_failed
        self._halt = halt
        self._loads: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Some machine is being loaded."""
        return bool(self._loads)

    def can_load(self, *, at_once: int) -> bool:
        """Return whether a machine waits for being loaded and there is room for one more load."""
        return self._mailroom.has_strangers and len(self._loads) < at_once

    def load_strangers(self, *, at_once: int) -> None:
        """Start loading as many machines as may be loaded side by side."""
        while self.can_load(at_once=at_once):
            task = asyncio.get_running_loop().create_task(self._load(self._mailroom.stranger()))
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)

    def adopt(self, runner: Runner, loaded: LoadedMachine) -> None:
        """Let the machine go on from what the database has, and take up what it owes."""
        state = loaded.state
        runner.adopt(loaded)
        runner.used_at_s = asyncio.get_running_loop().time()
        first: list[Letter] = []
        if loaded.halted:
            runner.marked = runner.alone = True
            if not any(letter.proves for letter in runner.mailbox):
                self._mailroom.post(runner, Letter(event=TimePassed(), proves=True))
        if loaded.configuration.configuration.revision > state.configuration.revision:
            first.append(Letter(event=loaded.configuration))
        door = runner.doors.get(state.link.stream_id)
        if state.link.online and (door is None or door.attachment.broken):
            self._reception.expect(runner.machine_id, state.link.stream_id)
        elif state.link.online and door is not None and runner.in_doubt:
            # What a lost COMMIT ordered never left; the machine is told where it stands. The
            # journal that its Hello brought is old by now and must not be judged by.
            first.append(
                Letter(
                    event=replace(door.connected, journal=(), journal_lost=True),
                    attachment=door.attachment,
                )
            )
        runner.in_doubt = False
        # A store that can be read and saves nothing (a full disk) leads here again and again: what
        # waits already is not added once more.
        answered = {letter.call for letter in runner.mailbox if letter.call is not None}
        for call in runner.core.owed(state):
            if call not in answered:
                self._calls.start(runner.machine_id, call, loaded.place, state.currency)
        self._mailroom.put_back(runner, [letter for letter in first if not _waits(runner, letter)])
        if not runner.timer_waits:
            self._timers.arm(runner.machine_id, runner.deadline_ms())

    async def close(self) -> None:
        """Load nothing more."""
        loads = list(self._loads)
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)

    async def _load(self, runner: Runner) -> None:
        if not runner.halted:  # since it took its place
            await self._read(runner)
        self._mailroom.queue_again(runner)
        task = asyncio.current_task()
        if task is not None:
            self._loads.discard(
                task
            )  # before it is told: who is woken looks whether there is room for the next one
        self._done()

    async def _read(self, runner: Runner) -> None:
        # before the database is asked: who wants it anew from now on wants what is there later
        runner.stale = False
        try:
            loaded = await self._store.load(runner.machine_id)
        except StoreError as error:
            self._store_failed(error)
        except Exception as error:  # noqa: BLE001 - what cannot be read is one machine's matter
            self._halt(runner, error)
        else:
            if loaded is None:
                self._unknown(runner)
            elif not runner.halted:
                self.adopt(runner, loaded)

    def _unknown(self, runner: Runner) -> None:
        self._refusals.refuse(runner, self._mailroom.empty(runner), CloseReason.UNKNOWN_MACHINE)
        for stream_id in list(runner.doors):
            self._reception.leave(runner, stream_id)
        self._mailroom.drop(runner)


def _waits(runner: Runner, letter: Letter) -> bool:
    """Whether the mailbox holds the same already, for the same gateway."""
    return any(
        other.event == letter.event and other.attachment is letter.attachment
        for other in runner.mailbox
    )

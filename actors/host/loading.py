"""Brings machines into memory before their turn: at their first letter, and after a COMMIT that
failed. What waits for that is read together: a storm of machines costs a read for each hundred.

Flows in: unloaded machines from the mailboxes. Flows out: machines that can take turns, with what
their state owes taken up: calls to Alipay under their old ids, the timer, the registry's
configuration. After a COMMIT whose answer was lost the machine is welcomed once more, because what
it was to hear never left.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from actors.host.calls import Calls
from actors.host.gateways import Gateways
from actors.host.life import IllegalMove, Life
from actors.host.mailboxes import Mailboxes
from actors.host.release import Refusals
from actors.host.runner import Letter, Runner
from actors.host.timers import Timers
from actors.link import CloseReason
from actors.machine.effects import CodeCall, subject
from actors.machine.events import CodeStopOrdered, TimePassed
from actors.machine.ids import MachineId
from actors.machine.values import replace
from actors.ports import LoadedMachine, MachineStore, StoreError, Unreadable

log = structlog.get_logger()


class Loader:
    """``done`` is called after each read with the number of its machines, whatever came of it;
    ``store_failed``, ``halt`` and ``fatal`` tell the loop that the store, one machine or this host
    must stop. ``resume`` makes the letter that tells a machine that its host listens again,
    ``wish`` the one that tells it what its code shall say.
    """

    def __init__(
        self,
        *,
        store: MachineStore,
        mailboxes: Mailboxes,
        gateways: Gateways,
        refusals: Refusals,
        calls: Calls,
        timers: Timers,
        resume: Callable[[Runner], Letter | None],
        wish: Callable[[LoadedMachine], Letter | None],
        done: Callable[[int], None],
        store_failed: Callable[[Exception], None],
        halt: Callable[[Runner, Exception], None],
        fatal: Callable[[str], None],
    ) -> None:
        self._store = store
        self._mailboxes = mailboxes
        self._gateways = gateways
        self._refusals = refusals
        self._calls = calls
        self._timers = timers
        self._resume = resume
        self._wish = wish
        self._done = done
        self._store_failed = store_failed
        self._halt = halt
        self._fatal = fatal
        self._loads: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether some machine is being loaded."""
        return bool(self._loads)

    def can_load(self, *, at_once: int) -> bool:
        """Return whether a machine waits for being loaded and there is room for one more read."""
        return self._mailboxes.has_unloaded and len(self._loads) < at_once

    def load_more(self, *, at_once: int, machines_max: int) -> None:
        """Start as many reads as may run side by side, each of at most ``machines_max``
        machines.
        """
        while self.can_load(at_once=at_once):
            if not (runners := self._next(machines_max)):
                return
            task = asyncio.get_running_loop().create_task(self._load(runners))
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)

    def _next(self, machines_max: int) -> list[Runner]:
        runners: list[Runner] = []
        while self._mailboxes.has_unloaded and len(runners) < machines_max:
            runner = self._mailboxes.next_unloaded()
            if not runner.halted:  # while it stood in line
                runner.read()
                runners.append(runner)
        return runners

    def adopt(self, runner: Runner, loaded: LoadedMachine) -> None:
        """Let the machine go on from what the database has, and take up what it owes. A machine
        whose core raises over its state is halted.
        """
        try:
            self._take_up(runner, loaded)
        except IllegalMove:
            raise  # the host's mistake, not the machine's
        except Exception as error:  # noqa: BLE001 - a mistake about one machine must not stop the others
            self._halt(runner, error)

    def _take_up(self, runner: Runner, loaded: LoadedMachine) -> None:
        state, was_in_doubt = loaded.state, runner.life is Life.RESOLVING
        runner.adopt(loaded)
        runner.used_at_s = asyncio.get_running_loop().time()
        resumed = self._resume(runner)
        first: list[Letter] = [] if resumed is None else [resumed]
        if loaded.halted:
            runner.halt_recorded = runner.isolated = True
            runner.halted_at_ms, runner.code_stop = loaded.halted_at_ms, loaded.code_stop
            if not any(letter.forced for letter in runner.mailbox):
                self._mailboxes.post(runner, Letter(event=TimePassed(), forced=True))
            told = Letter(event=CodeStopOrdered())
            if loaded.code_stop and not _waits(runner, told):
                # Last: the code is paid again only if the machine gets so far.
                self._mailboxes.post(runner, told)
        if (wished := self._wish(loaded)) is not None:
            first.append(wished)
        if loaded.configuration.configuration.revision > state.configuration.revision:
            first.append(Letter(event=loaded.configuration))
        route = runner.routes.get(state.link.stream_id)
        if state.link.online and (route is None or route.attachment.broken):
            self._gateways.expect(runner.machine_id, state.link.stream_id)
        elif state.link.online and route is not None and was_in_doubt:
            # What a lost COMMIT ordered never left, so the machine is welcomed again. The journal
            # that its Hello brought is old by now and must not settle anything.
            first.append(
                Letter(
                    event=replace(route.connected, journal=(), journal_lost=True),
                    attachment=route.attachment,
                )
            )
        # A store that can be read and saves nothing (a full disk) leads here again and again: a
        # letter that waits already is not added once more.
        answered = {subject(letter.call) for letter in runner.mailbox if letter.call is not None}
        for call in runner.core.owed(state):
            if runner.code_stop and isinstance(call, CodeCall):
                continue  # Its code was stopped: only once it has heard of that it is asked for.
            if subject(call) not in answered:
                self._calls.start(runner.machine_id, call, loaded.place, state.currency)
        self._mailboxes.put_back(runner, [letter for letter in first if not _waits(runner, letter)])
        if not runner.timer_waits:
            self._timers.arm(runner.machine_id, runner.deadline_ms())

    async def close(self) -> None:
        """End all loads."""
        loads = list(self._loads)
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)

    async def _load(self, runners: Sequence[Runner]) -> None:
        try:
            await self._read(runners)
        except IllegalMove as error:
            # Nobody waits for this task, so the error would be lost with it.
            log.exception("a load broke", machine_ids=[runner.machine_id for runner in runners])
            self._fatal(f"{type(error).__name__}: {error}")
            return
        for runner in runners:
            self._mailboxes.queue(runner)
        task = asyncio.current_task()
        if task is not None:
            # Before ``done``: the loop that it wakes asks whether there is room for the next load.
            self._loads.discard(task)
        self._done(len(runners))

    async def _read(self, runners: Sequence[Runner]) -> None:
        try:
            found = await self._store.load_each([runner.machine_id for runner in runners])
        except StoreError as error:
            for runner in runners:
                if not runner.halted:
                    runner.not_read()
            self._store_failed(error)
        except Exception as error:  # noqa: BLE001 - what cannot be read is one machine's matter
            if len(runners) == 1:
                self._halt(runners[0], error)
                return
            for runner in runners:  # whose it is shows when each is read alone
                await self._read([runner])
        else:
            self._take_in(runners, {_id_of(one): one for one in found})

    def _take_in(
        self, runners: Sequence[Runner], found: Mapping[MachineId, LoadedMachine | Unreadable]
    ) -> None:
        for runner in runners:
            if runner.halted:  # meanwhile, by a sweep that read the same rows
                continue
            if self._mailboxes.runners.get(runner.machine_id) is not runner:
                continue  # its partition has moved meanwhile
            match found.get(runner.machine_id):
                case None:
                    self._unknown(runner)
                case Unreadable(error=error):
                    self._halt(runner, error)
                case loaded:
                    self.adopt(runner, loaded)

    def _unknown(self, runner: Runner) -> None:
        self._refusals.refuse(runner, self._mailboxes.empty(runner), CloseReason.UNKNOWN_MACHINE)
        for stream_id in list(runner.routes):
            self._gateways.leave(runner, stream_id)
        self._mailboxes.drop(runner)


def _id_of(one: LoadedMachine | Unreadable) -> MachineId:
    return one.machine_id if isinstance(one, Unreadable) else one.state.machine_id


def _waits(runner: Runner, letter: Letter) -> bool:
    """Return whether the mailbox holds the same event already, for the same gateway."""
    return any(
        other.event == letter.event and other.attachment is letter.attachment
        for other in runner.mailbox
    )

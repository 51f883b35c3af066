"""What a host looks for from time to time, so that nothing depends on a wake-up that was lost.

It finds notifications that are saved and not taken, registry changes that the actor has not decided
on, streams that no gateway announces, machines that may leave memory, and halted machines that may
try again. One task, on the loop's time.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from actors.host.gateways import Gateways
from actors.host.life import READING, Life
from actors.host.loop import TurnLoop
from actors.host.mailboxes import Mailboxes
from actors.host.runner import Letter, Runner
from actors.machine.events import Disconnected, TimePassed
from actors.machine.ids import MachineId, StreamId
from actors.ports import (
    InboxItem,
    LoadedMachine,
    MachineStore,
    Ownership,
    StaleOwner,
    StoreError,
    Unreadable,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepLimits:
    """How often each sweep comes, and how much it takes. Seconds of the loop's time."""

    streams_s: float = 1.0
    inbox_s: float = 2.0
    inbox_max: int = 1_000
    registry_s: float = 5.0
    registry_max: int = 200
    codes_s: float = 5.0
    codes_max: int = 200
    """Of so many machines at a time a host looks, once after its start, what their codes shall say.
    """
    idle_s: float = 60.0
    idle_after_s: float = 600.0
    """A machine without a stream, a deadline or a call leaves memory after this."""
    silent_s: float = 30.0
    """A gateway that had no call here for this long is gone, and its streams with it."""


class Sweeps:
    """``notified`` puts an inbox row into its machine's mailbox and returns whether there was
    room.
    """

    def __init__(
        self,
        *,
        store: MachineStore,
        mailboxes: Mailboxes,
        gateways: Gateways,
        loop: TurnLoop,
        limits: SweepLimits,
        notified: Callable[[InboxItem], bool],
        fatal: Callable[[str], None],
    ) -> None:
        self._store = store
        self._mailboxes = mailboxes
        self._gateways = gateways
        self._loop = loop
        self._limits = limits
        self._notified = notified
        self._fatal = fatal
        self._reading_inbox = asyncio.Lock()
        self.alone = asyncio.Lock()
        """Held by each round of sweeps, and by whoever changes what is owned: a sweep acts on what
        it read under the ownership of then.
        """
        # Where the next look into the inbox goes on; None: at its beginning.
        self._inbox_after: tuple[int, int] | None = None
        # Behind which machine the walk over all codes goes on; None: it is over.
        self._codes_after: MachineId | None = MachineId("")
        # Those that it passed whose mailboxes were full.
        self._codes_left: list[MachineId] = []

    async def run(self) -> None:
        """Sweep until cancelled. If the store is away, the next sweep finds the same."""
        loop = asyncio.get_running_loop()
        due_s = dict.fromkeys(("inbox", "registry", "codes", "idle"), loop.time())
        while True:
            await asyncio.sleep(self._limits.streams_s)
            self.streams()
            try:
                async with self.alone:
                    await self._round(due_s)
            except StaleOwner as error:
                self._fatal(f"another holder owns this host's partitions: {error}")
                return
            except StoreError as error:
                log.warning("a sweep failed", error=str(error))
            if loop.time() >= due_s["idle"]:
                due_s["idle"] = loop.time() + self._limits.idle_s
                self.idle()

    async def _round(self, due_s: dict[str, float]) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= due_s["inbox"]:
            due_s["inbox"] = loop.time() + self._limits.inbox_s
            await self.inbox()
        if loop.time() >= due_s["registry"]:
            due_s["registry"] = loop.time() + self._limits.registry_s
            await self.registry()
        if loop.time() >= due_s["codes"]:
            due_s["codes"] = loop.time() + self._limits.codes_s
            await self.codes()
        await self.halts()

    async def gained(self, ownership: Ownership) -> None:
        """Look for what waits for machines of partitions that are new here: their notifications
        now, what their codes shall say with the next rounds.
        """
        self._codes_after = MachineId("")
        async with self._reading_inbox:
            self._loop.inbox_taken.clear()
            page = await self._store.untaken(ownership, after=None, limit=self._limits.inbox_max)
            self._post(page.items)

    def streams(self) -> None:
        """Report streams that no gateway announces as disconnected."""
        for machine_id, stream_id in self._gateways.fallen_silent(self._limits.silent_s):
            self._gone(machine_id, stream_id, "its gateway fell silent")
        for machine_id, stream_id in self._gateways.given_up():
            self._gone(machine_id, stream_id, "no gateway attached it again")

    async def inbox(self) -> None:
        """Put the next notifications that nobody has taken into their machines' mailboxes. No clock
        is asked: what a gateway saved a moment ago comes now rather than with its wake-up.
        """
        assert self._loop.ownership is not None, "sweeps begin once the partitions are claimed"
        async with self._reading_inbox:
            self._loop.inbox_taken.clear()
            page = await self._store.untaken(
                self._loop.ownership, after=self._inbox_after, limit=self._limits.inbox_max
            )
            self._inbox_after = page.after
            self._post(page.items)

    async def _inbox_of(self, runners: Sequence[Runner]) -> None:
        assert self._loop.ownership is not None, "sweeps begin once the partitions are claimed"
        machine_ids = [runner.machine_id for runner in runners]
        async with self._reading_inbox:
            self._loop.inbox_taken.clear()
            self._post(
                await self._store.untaken_of(
                    self._loop.ownership, machine_ids, limit=self._limits.inbox_max
                )
            )

    def _post(self, items: Sequence[InboxItem | Unreadable]) -> None:
        for item in items:
            if isinstance(item, Unreadable):
                # A newer gateway wrote it, in the middle of an upgrade: it waits for a host that
                # can read it, and its age is an alarm.
                log.error(
                    "a notification cannot be read by this version",
                    machine_id=item.machine_id,
                    error=str(item.error),
                )
                continue
            # A notification that was saved while the answer was on its way is still in it.
            if item.inbox_id not in self._loop.inbox_taken:
                self._notified(item)

    async def registry(self) -> None:
        """Give machines the configuration that the registry has for them."""
        assert self._loop.ownership is not None, "sweeps begin once the partitions are claimed"
        changed = await self._store.reconfigured(
            self._loop.ownership, limit=self._limits.registry_max
        )
        if wanted := [machine_id for machine_id in changed if not self._is_halted(machine_id)]:
            await self._configure(wanted)

    async def codes(self) -> None:
        """Tell the next machines what their codes shall say, once for each start: what the settings
        say of it is new only then.
        """
        assert self._loop.ownership is not None, "sweeps begin once the partitions are claimed"
        limit, after = self._limits.codes_max, self._codes_after
        left = [machine_id for machine_id in self._codes_left if self._loop.owns(machine_id)]
        page: Sequence[MachineId] = []
        if after is not None:
            page = await self._store.machines_after(self._loop.ownership, after=after, limit=limit)
        if not page and not left:
            self._codes_after, self._codes_left = None, []
            return
        found = await self._store.load_each([*left, *page])
        self._codes_after = page[-1] if len(page) == limit else None
        self._codes_left = [
            one.state.machine_id
            for one in found
            # One that cannot be read is halted by whoever needs it.
            if not isinstance(one, Unreadable) and not self._wish(one)
        ]

    def _wish(self, loaded: LoadedMachine) -> bool:
        """Tell a machine what its code shall say; return False if its mailbox is full. One that is
        loaded, or tried again, later hears of it then.
        """
        machine_id = loaded.state.machine_id
        if self._loop.wishes.unknown(loaded) is None or self._is_halted(machine_id):
            return True
        runner = self._mailboxes.runner(machine_id)
        if (runner.in_line and runner.life is Life.UNLOADED) or runner.life in READING:
            return True
        if runner.life is Life.UNLOADED:
            self._loop.adopt(loaded)
            return True
        if not self._mailboxes.has_room(machine_id):
            return False
        letter = self._loop.wishes.letter(loaded, runner.state)
        if letter is not None and runner.hears_of(loaded):
            self._loop.post(runner, letter)
        return True

    async def _configure(self, machine_ids: Sequence[MachineId]) -> None:
        try:
            found = await self._store.load_each(machine_ids)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - what cannot be read is one machine's matter
            if len(machine_ids) == 1:
                self._loop.halt(self._mailboxes.runner(machine_ids[0]), error, fact="")
                return
            for machine_id in machine_ids:  # whose it is shows when each is read alone
                await self._configure([machine_id])
            return
        for one in found:
            if isinstance(one, Unreadable):
                self._loop.halt(self._mailboxes.runner(one.machine_id), one.error, fact="")
            else:
                self._tell(one)

    def _tell(self, loaded: LoadedMachine) -> None:
        """Give a machine the configuration that it was read with."""
        machine_id = loaded.state.machine_id
        if self._is_halted(machine_id) or not self._mailboxes.has_room(machine_id):
            return
        runner = self._mailboxes.runner(machine_id)
        if runner.in_line or runner.life in READING:
            # A load brings the configuration with it; the next sweep finds what is left.
            return
        if runner.life is Life.UNLOADED:
            self._loop.adopt(loaded)
        elif (
            runner.state is not None
            and runner.state.configuration.revision < loaded.configuration.configuration.revision
            and runner.hears_of(loaded)
        ):
            if (wished := self._loop.wishes.letter(loaded, runner.state)) is not None:
                self._loop.post(runner, wished)
            self._loop.post(runner, Letter(event=loaded.configuration))

    def _is_halted(self, machine_id: MachineId) -> bool:
        known = self._mailboxes.runners.get(machine_id)
        return known is not None and known.halted

    async def halts(self) -> None:
        """Write down which machines are halted, and try those again whose time has come."""
        assert self._loop.ownership is not None, "sweeps begin once the partitions are claimed"
        again = await self._loop.halts.write(self._loop.ownership)
        if self._loop.saves:
            again += self._loop.halts.due()
        if again:
            await self.reload(again, Letter(event=TimePassed(), forced=True))
        stopped, doubtful = await self._loop.halts.order_stops(self._loop.ownership)
        for runner in stopped:
            self._loop.stop_code(runner)
        if doubtful:
            await self.reload(doubtful, Letter(event=TimePassed(), forced=True))

    async def reload(self, runners: Sequence[Runner], last: Letter) -> None:
        """Have machines loaded again. Each decides on what waits for it in the inbox, and then on
        ``last``, which shows that it works.
        """
        for runner in runners:
            self._loop.reload(runner)
        try:
            await self._inbox_of(runners)
        except StoreError as error:
            log.warning(
                "machines are loaded again without what waits in the inbox",
                machines=len(runners),
                error=str(error),
            )
        for runner in runners:
            # Who has left meanwhile is refused; who has left and come back is another one.
            back = self._loop.owns(runner.machine_id)
            here = self._mailboxes.runner(runner.machine_id) if back else runner
            self._loop.post(here, last)

    def idle(self) -> None:
        """Drop machines that owe nothing and have been silent for ``idle_after_s``."""
        now_s = asyncio.get_running_loop().time()
        for runner in list(self._mailboxes.runners.values()):
            if now_s - runner.used_at_s > self._limits.idle_after_s and self._at_rest(runner):
                self._mailboxes.drop(runner)

    def _at_rest(self, runner: Runner) -> bool:
        state = runner.state
        busy = runner.mailbox or runner.routes or runner.halt_recorded or runner.reload_wanted
        return (
            runner.life is Life.READY
            and not busy
            and state is not None
            and not state.link.online
            and not self._loop.needs(runner)
        )

    def _gone(self, machine_id: MachineId, stream_id: StreamId, reason: str) -> None:
        if not self._loop.owns(machine_id):
            return
        log.info("stream is gone", machine_id=machine_id, stream_id=stream_id, reason=reason)
        self._loop.post(
            self._mailboxes.runner(machine_id),
            Letter(event=Disconnected(stream_id=stream_id, reason=reason)),
        )

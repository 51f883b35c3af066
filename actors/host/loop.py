"""The loop of a host: take, decide, commit, release. ``TurnLoop.run`` is all of it.

Flows in: letters from the mailboxes, and deadlines that have come. Flows out: one transaction for
each batch and, after its COMMIT, what ``release`` sends. While a batch is being saved the next one
gathers in the mailboxes. What goes wrong stands elsewhere: a machine that must stop in ``halts``, a
COMMIT that fails in ``saving``. While the store is away requests for goods are denied at once,
because a customer stands there.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from actors.host.attachment import Receipt
from actors.host.calls import Calls, Performs
from actors.host.figures import Figures
from actors.host.gateways import Gateways
from actors.host.halts import HaltLimits, Halts, words
from actors.host.leaving import Leaving
from actors.host.loading import Loader
from actors.host.mailboxes import Mailboxes
from actors.host.release import Refusals, Release
from actors.host.resuming import Resuming
from actors.host.runner import Letter, Runner, Turn
from actors.host.saving import Batch, Saving
from actors.host.store_health import StoreHealth
from actors.host.timers import Timers
from actors.host.wishes import Wishes
from actors.link import CloseReason
from actors.machine.effects import ProviderCall
from actors.machine.events import CodeStopOrdered, Event, FrameReceived, TimePassed
from actors.machine.ids import MachineId
from actors.placement import PARTITION_COUNT_DEFAULT, partition_of
from actors.ports import (
    Clock,
    LoadedMachine,
    MachineStore,
    Ownership,
)

log = structlog.get_logger()

_COUNTED = (
    "turns",
    "batches",
    "commits",
    "commit_failures",
    "loads",
    "halted",
    "turned_away",
    "refused",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLimits:
    """Bounds of the loop. Times in seconds of the loop's clock."""

    batch_max: int = 256
    turns_in_a_row_max: int = 32
    """This many letters of one machine, then the next machine's."""
    reads_max: int = 2
    """So many reads of machines run side by side: the next one takes all that wait by then."""
    machines_read_max: int = 128
    """Machines in one read."""
    calls_in_flight_max: int = 64
    commit_slow_s: float = 3.0
    """While a COMMIT takes longer than this, the store counts as away."""
    retry_first_s: float = 0.2
    retry_longest_s: float = 2.0
    """A database that is back is found within it. There are as many that look as there are hosts.
    """
    isolated_failures_max: int = 5
    """A machine whose changes break the store this often, all by themselves, is halted."""
    timer_check_s: float = 1.0
    """The wall clock is read at least this often, because it may jump."""
    outage_s: float = 5.0
    """Who could save or decide nothing for this long listens again afterwards: machines get time
    to report before their vends' deadlines count. A hiccup is no outage.
    """
    deadline_again_ms: int = 1_000
    """A deadline that is still due after its turn is asked for again this much later, so that a
    mistake cannot spin.
    """
    halts: HaltLimits = field(default_factory=HaltLimits)


class TurnLoop:
    """Owns the timers, the calls and the loads, and empties the mailboxes; calls ``fatal`` if this
    host must not go on.
    """

    def __init__(
        self,
        *,
        store: MachineStore,
        performer: Performs,
        clock: Clock,
        mailboxes: Mailboxes,
        gateways: Gateways,
        figures: Figures,
        wishes: Wishes,
        limits: TurnLimits,
        rng: random.Random,
        fatal: Callable[[str], None],
        partition_count: int = PARTITION_COUNT_DEFAULT,
    ) -> None:
        self.ownership: Ownership | None = None
        self._wake = asyncio.Event()
        self._resting = asyncio.Event()
        self._partition_count = partition_count
        self.receipts: set[Receipt] = set()
        self.inbox_taken: set[int] = set()
        """Notifications that were saved since the sweep last emptied this."""
        self.counts = Counter(dict.fromkeys(_COUNTED, 0))
        self._clock = clock
        self._mailboxes = mailboxes
        self.gateways = gateways
        self.wishes = wishes
        self._limits = limits
        self._figures = figures
        self._timers = Timers(figures.rang)
        self.calls = Calls(
            performer,
            in_flight_max=limits.calls_in_flight_max,
            answered=self._called,
            took=figures.called,
        )
        self.refusals = Refusals(gateways, self.counts)
        self.halts = Halts(store=store, clock=clock, runners=mailboxes.runners, limits=limits.halts)
        self.outgoing = Release(gateways, self.calls)
        self.leaving = Leaving(
            disown=self._disown,
            wake=self._wake.set,
            mailboxes=mailboxes,
            gateways=gateways,
            refusals=self.refusals,
            timers=self._timers,
            calls=self.calls,
            halts=self.halts,
        )
        self._store_health = StoreHealth(
            first_s=limits.retry_first_s,
            longest_s=limits.retry_longest_s,
            rng=rng,
            time_s=lambda: asyncio.get_running_loop().time(),
        )
        self.resuming = Resuming(clock=clock, outage_s=limits.outage_s)
        self._saving = Saving(
            store=store,
            mailboxes=mailboxes,
            refusals=self.refusals,
            timers=self._timers,
            counts=self.counts,
            figures=figures,
            commit_slow_s=limits.commit_slow_s,
            isolated_failures_max=limits.isolated_failures_max,
            store_failed=self._store_failed,
            stop_waiting=self._stop_waiting,
            halt=self.halt,
            fatal=fatal,
        )
        self._loader = Loader(
            store=store,
            mailboxes=mailboxes,
            gateways=gateways,
            refusals=self.refusals,
            calls=self.calls,
            timers=self._timers,
            resume=self.resuming.letter,
            wish=wishes.letter,
            done=self._loaded,
            store_failed=self._store_failed,
            halt=lambda runner, error: self.halt(runner, error, fact=""),
            fatal=fatal,
        )

    # --- for the host and its sweeps ---

    @property
    def saves(self) -> bool:
        """The store answers: a letter that is posted now is saved soon."""
        return not (self._store_health.away or self._saving.slow)

    @property
    def idle(self) -> bool:
        """No letter waits, and no machine is being loaded."""
        return self._mailboxes.size == 0 and not self._loader.busy

    async def done(self) -> None:
        """Return once all letters are decided and released; at once if nothing can be saved."""
        if self.saves:
            await self._resting.wait()

    def owns(self, machine_id: MachineId) -> bool:
        """Return whether the machine is one of this host's."""
        return self.ownership is not None and self.partition_of(machine_id) in self.ownership.epochs

    def _owns(self, runner: Runner) -> bool:
        """Return the same of a machine in memory, whose partition is reckoned once."""
        if runner.partition is None:
            runner.partition = self.partition_of(runner.machine_id)
        return self.ownership is not None and runner.partition in self.ownership.epochs

    @property
    def partitions(self) -> int:
        """How many partitions this host has."""
        return 0 if self.ownership is None else len(self.ownership.epochs)

    def partition_of(self, machine_id: MachineId) -> int:
        """Return the machine's partition."""
        return partition_of(machine_id, self._partition_count)

    def _disown(self, partition: int) -> list[Runner]:
        """Own a partition no more, as far as memory goes; return its machines."""
        assert self.ownership is not None, "only what is owned is let go"
        left = {each: at for each, at in self.ownership.epochs.items() if each != partition}
        self.ownership = replace(self.ownership, epochs=left)
        runners = self._mailboxes.runners.values()
        return [each for each in runners if self.partition_of(each.machine_id) == partition]

    @property
    def timers(self) -> int:
        """How many machines have a deadline."""
        return len(self._timers)

    def post(self, runner: Runner, letter: Letter) -> None:
        """Put a letter into the machine's mailbox. A halted machine's is refused; a request for
        goods that cannot be saved now is denied at once.
        """
        runner.used_at_s = now_s = asyncio.get_running_loop().time()
        if not self._owns(runner):
            self.refusals.let_go([letter])
            self.gateways.announce()
            return
        if runner.halted:
            self.refusals.refuse(runner, [letter], CloseReason.HALTED)
            self.gateways.announce()
            return
        if letter.inbox_id is not None:
            self.refusals.inbox_waiting.add(letter.inbox_id)
        if not self.saves:
            kept = self.refusals.turn_away(runner, [letter])
            self.gateways.announce()
            if not kept:
                return
            letter = kept[0]
        self._mailboxes.post(runner, letter, now_s)
        self._resting.clear()
        self._wake.set()

    def adopt(self, loaded: LoadedMachine) -> None:
        """Let a machine go on from what the database has, and take up what it owes."""
        self._loader.adopt(self._mailboxes.runner(loaded.state.machine_id), loaded)
        self._wake.set()

    def reload(self, runner: Runner) -> None:
        """Have the machine loaded again before its next turn. A halted one tries once more, in a
        batch of its own.
        """
        runner.reload_wanted = True
        if runner.halted:
            log.warning("a halted machine tries again", machine_id=runner.machine_id)
            runner.try_again()
            runner.isolated_failures = self._limits.isolated_failures_max - 1

    def halt(
        self,
        runner: Runner,
        error: Exception,
        letters: Sequence[Letter] = (),
        *,
        fact: str | None = None,
    ) -> None:
        """Halt one machine loudly; the others go on. ``letters`` were taken out of its mailbox;
        ``fact`` names what it halted over, by default the first letter's event.
        """
        runner.halt_recorded = True
        if runner.halted_at_ms is None:
            runner.halted_at_ms = self._clock.now_ms()
        self._timers.arm(runner.machine_id, None)
        undecided = [*letters, *self._mailboxes.empty(runner)]
        if fact is None:
            event = undecided[0].event if undecided else None
            fact = (
                type(event.fact if isinstance(event, FrameReceived) else event).__name__
                if event
                else ""
            )
        self.refusals.halt(runner, words(error), undecided)
        self.halts.happened(runner.machine_id, error=runner.halt_reason, fact=fact)

    def needs(self, runner: Runner) -> bool:
        """Return whether the machine has a deadline, or a call under way, and must stay in
        memory.
        """
        return runner.deadline_ms() is not None or self.calls.of(runner.machine_id) > 0

    async def close(self) -> None:
        """End all loads and calls; nothing is saved after this."""
        await self._loader.close()
        await self.calls.close()

    # --- the loop ---

    async def run(self) -> None:
        """Take, decide, commit, release, until cancelled or until this host must stop."""
        while True:
            await self._something_to_do()
            self.leaving.now()
            self._ring_timers()
            self._load_more()
            batch = self._mailboxes.take(self._limits.batch_max, self._limits.turns_in_a_row_max)
            now_ms = self._clock.now_ms()
            turns = self.decide(batch, now_ms)
            if await self.commit(batch, turns):
                self.release(batch, turns, now_ms)

    def decide(self, batch: Batch, now_ms: int) -> list[Turn]:
        """Let the core decide on each letter. A machine whose core raises is halted; what it
        decided before in this batch still counts.
        """
        turns: list[Turn] = []
        for runner, letters in batch:
            if (resumed := self.resuming.letter(runner)) is not None:
                letters.insert(0, resumed)
            if runner.code_stop:  # Its code is paid again only if it gets over all that waits here.
                letters.sort(key=lambda letter: isinstance(letter.event, CodeStopOrdered))
            for place, letter in enumerate(letters):
                try:
                    turn = runner.turn(letter, now_ms, runner.heard(letters, place, now_ms))
                except Exception as error:  # noqa: BLE001 - a mistake about one machine must not stop the others
                    undecided = letters[place:]
                    del letters[place:]
                    self.halt(runner, error, undecided)
                    break
                if turn is not None:
                    turns.append(turn)
        return turns

    async def commit(self, batch: Batch, turns: Sequence[Turn]) -> bool:
        """Save what was decided, and return whether the database has it. With nothing to save it
        does.
        """
        changes = [turn.change() for turn in turns if turn.to_save]
        if not changes:
            return True
        assert self.ownership is not None, "turns are taken once the partitions are claimed"
        saved = await self._saving.save(self.ownership, batch, changes)
        self.resuming.lost(self._saving.took_s, "the database was slow")
        if saved:
            self._store_works()
        return saved

    def release(self, batch: Batch, turns: Sequence[Turn], now_ms: int) -> None:
        """Send what saved turns ordered, and set their machines' timers."""
        if not batch:
            return
        self.counts["turns"] += len(turns)
        self.counts["batches"] += 1
        self.outgoing.release(turns)
        self._figures.released(turns)
        for turn in turns:
            turn.runner.saved = turn.decision.state
            turn.runner.recovered()
            if turn.letter.inbox_id is not None:
                self.refusals.inbox_waiting.discard(turn.letter.inbox_id)
                self.inbox_taken.add(turn.letter.inbox_id)
        for runner, _ in batch:
            runner.isolated = False
            runner.isolated_failures = 0
            self._arm(runner, now_ms)
        self.gateways.announce()

    # --- when there is something to do ---

    async def _something_to_do(self) -> None:
        await asyncio.sleep(0)  # let exchanges that wait for their turn post their letters
        while True:
            if self._store_health.away:
                await asyncio.sleep(self._store_health.wait_s)
                if self.idle:
                    # Nothing is left to try the store with; the next request must not be denied
                    # because of that.
                    self._store_works()
            timer_s = self._next_timer_s()
            if (
                self.leaving.wanted
                or self._mailboxes.has_work
                or self._loader.can_load(at_once=self._reads_max())
                or timer_s == 0
            ):
                return
            self._wake.clear()
            if self.idle:
                self._resting.set()
            await self._sleep(timer_s)

    async def _sleep(self, timer_s: float | None) -> None:
        """Sleep until somebody wakes the loop, or for so long; notice if it was much longer."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(timer_s):
                await self._wake.wait()
        except TimeoutError:
            if timer_s is not None:
                self.resuming.lost(loop.time() - began_s - timer_s, "the host stood still")

    def _load_more(self) -> None:
        # One machine asks whether the store is back. Should what stands of one machine break each
        # read with it, the others get past it.
        machines_max = 1 if self._store_health.away else self._limits.machines_read_max
        self._loader.load_more(at_once=self._reads_max(), machines_max=machines_max)

    def _reads_max(self) -> int:
        return 1 if self._store_health.away else self._limits.reads_max

    def _next_timer_s(self) -> float | None:
        """Return how long to wait for the next deadline: 0 if it has come, None if there is none.
        Never longer than ``timer_check_s``, because the wall clock may jump.
        """
        next_at_ms = self._timers.next_at_ms()
        if next_at_ms is None:
            return None
        return min(self._limits.timer_check_s, max(0, next_at_ms - self._clock.now_ms()) / 1_000)

    def _ring_timers(self) -> None:
        for machine_id in self._timers.due(self._clock.now_ms()):
            runner = self._mailboxes.runners.get(machine_id)
            if runner is not None and not runner.timer_waits and not runner.halted:
                self._mailboxes.post(runner, Letter(event=TimePassed()))

    def _arm(self, runner: Runner, decided_at_ms: int) -> None:
        try:
            deadline_ms = None if runner.halted or runner.timer_waits else runner.deadline_ms()
        except Exception as error:  # noqa: BLE001 - a mistake about one machine must not stop the others
            self.halt(runner, error)
            return
        if deadline_ms is not None and deadline_ms <= decided_at_ms:
            if not runner.mailbox:  # what is in it may be what the deadline waits for
                log.error(
                    "a deadline stays due", machine_id=runner.machine_id, deadline_ms=deadline_ms
                )
            deadline_ms = decided_at_ms + self._limits.deadline_again_ms
        self._timers.arm(runner.machine_id, deadline_ms)

    # --- the store ---

    def _store_failed(self, error: Exception) -> None:
        if not self._store_health.away:
            log.error("the store does not answer", error=str(error))
        self._store_health.failed()
        self._stop_waiting()

    def _store_works(self) -> None:
        if self._store_health.away:
            log.warning("the store is back", away_s=round(self._store_health.away_s, 1))
            self.resuming.lost(self._store_health.away_s, "the database was away")
            self._store_health.answered()

    def _stop_waiting(self) -> None:
        """Deny the requests that wait, because nothing can be saved now, and let all exchanges
        return with what there is.
        """
        for runner in list(self._mailboxes.runners.values()):
            if runner.mailbox:
                letters = self._mailboxes.empty(runner)
                self._mailboxes.put_back(runner, self.refusals.turn_away(runner, letters))
        self.gateways.announce()
        for receipt in list(self.receipts):
            receipt.release()

    def _loaded(self, machines: int) -> None:
        self.counts["loads"] += machines
        self.gateways.announce()
        self._wake.set()

    def _called(self, machine_id: MachineId, call: ProviderCall, event: Event) -> None:
        if not self.owns(machine_id):
            return
        runner = self._mailboxes.runner(machine_id)
        if not self.halts.answered(runner, call, event):
            self.post(runner, Letter(event=event, call=call))
        elif not runner.halted:  # It heard of the order, and not of what came of it.
            self.post(runner, Letter(event=CodeStopOrdered()))

    def stop_code(self, runner: Runner) -> None:
        """Have the code of a halted machine stopped; that it was ordered is saved. Its own calls
        are answered first: Alipay would hear of both wishes in an order that nobody knows.
        """
        if self.calls.of(runner.machine_id):
            return
        call = self.halts.stopping(runner)
        if call is not None and runner.place is not None and runner.saved is not None:
            self.calls.start(runner.machine_id, call, runner.place, runner.saved.currency)

"""The loop of a host: load, decide, save, let out.

Flows in: letters from the mailroom and timers that came due. Flows out: one transaction for each
batch, and after its COMMIT what the dispatch lets out. While a batch is being saved the next one
gathers. When the store fails, nothing of the batch leaves, its working states are dropped and its
letters stay where they were; requests for goods are denied at once, because a customer stands
there.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from actors.host.attachment import Receipt
from actors.host.calls import Calls, Performs
from actors.host.gateways import Reception
from actors.host.halts import HaltLimits, Halts, words
from actors.host.loading import Loader
from actors.host.mailboxes import Mailroom
from actors.host.refusals import Refusals
from actors.host.release import Dispatch
from actors.host.runner import Letter, Runner, Turn
from actors.host.store_health import Outage
from actors.host.timers import Timers
from actors.link import CloseReason
from actors.machine.effects import ProviderCall
from actors.machine.events import Event, FrameReceived, TimePassed
from actors.machine.ids import MachineId
from actors.ports import (
    Change,
    Clock,
    Conflict,
    LoadedMachine,
    MachineStore,
    Ownership,
    StaleOwner,
    StoreError,
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

Batch = Sequence[tuple[Runner, list[Letter]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLimits:
    """Bounds of the loop. Times in seconds of the loop's clock."""

    batch_max: int = 256
    turns_in_a_row_max: int = 32
    """So many letters of one machine, then the next machine's."""
    loads_max: int = 16
    calls_in_flight_max: int = 64
    commit_slow_s: float = 3.0
    """A COMMIT that takes longer counts as an outage for those who ask meanwhile."""
    retry_first_s: float = 0.2
    retry_longest_s: float = 10.0
    alone_failures_max: int = 5
    """A machine whose changes break the store so often, all by themselves, is halted."""
    timer_check_s: float = 1.0
    """The wall clock is looked at so often, should it jump."""
    deadline_again_ms: int = 1_000
    """A deadline that is still due after its turn is asked for again this much later, so that a
    mistake cannot spin.
    """
    halts: HaltLimits = field(default_factory=HaltLimits)


def _look_at(commit: asyncio.Future[None]) -> None:
    """A host that is cancelled leaves its last COMMIT to itself; whatever becomes of it is no news
    then.
    """
    if not commit.cancelled():
        commit.exception()


class TurnLoop:
    """Owns the mailboxes' contents, the timers and the calls; ``fatal`` is called once if this host
    must not go on.
    """

    def __init__(
        self,
        *,
        store: MachineStore,
        performer: Performs,
        clock: Clock,
        mailroom: Mailroom,
        reception: Reception,
        limits: TurnLimits,
        rng: random.Random,
        fatal: Callable[[str], None],
    ) -> None:
        self.ownership: Ownership | None = None
        self.receipts: set[Receipt] = set()
        self.inbox_taken: set[int] = set()
        """Notifications that were saved since somebody emptied this."""
        self.counts = Counter(dict.fromkeys(_COUNTED, 0))
        self._store = store
        self._clock = clock
        self._mailroom = mailroom
        self._reception = reception
        self._limits = limits
        self._fatal = fatal
        self._timers = Timers()
        self.calls = Calls(
            performer, in_flight_max=limits.calls_in_flight_max, answered=self._called
        )
        self.refusals = Refusals(reception, self.counts)
        self.halts = Halts(store=store, clock=clock, runners=mailroom.runners, limits=limits.halts)
        self._dispatch = Dispatch(reception, self.calls)
        self._outage = Outage(
            first_s=limits.retry_first_s,
            longest_s=limits.retry_longest_s,
            rng=rng,
            time_s=lambda: asyncio.get_running_loop().time(),
        )
        self._slow = False
        self._loader = Loader(
            store=store,
            mailroom=mailroom,
            reception=reception,
            refusals=self.refusals,
            calls=self.calls,
            timers=self._timers,
            done=self._loaded,
            store_failed=self._store_failed,
            halt=lambda runner, error: self.halt(runner, error, fact=""),
        )
        self._wake = asyncio.Event()
        self._resting = asyncio.Event()

    # --- what others give ---

    @property
    def saves(self) -> bool:
        """The store answers; what is given now is saved soon."""
        return not (self._outage.on or self._slow)

    @property
    def idle(self) -> bool:
        """There is no letter anywhere."""
        return self._mailroom.size == 0 and not self._loader.busy

    async def done(self) -> None:
        """Return once all that was given is decided and let out; at once if nothing can be
        saved.
        """
        if self.saves:
            await self._resting.wait()

    @property
    def timers(self) -> int:
        """How many machines have a deadline."""
        return len(self._timers)

    def post(self, runner: Runner, letter: Letter) -> None:
        """Give a machine a letter. A request for goods that cannot be saved now is denied at
        once.
        """
        runner.used_at_s = asyncio.get_running_loop().time()
        if runner.halted:
            self.refusals.refuse(runner, [letter], CloseReason.HALTED)
            self._reception.announce()
            return
        if letter.inbox_id is not None:
            self.refusals.inbox_waiting.add(letter.inbox_id)
        if not self.saves:
            kept = self.refusals.turn_away(runner, [letter])
            self._reception.announce()
            if not kept:
                return
            letter = kept[0]
        self._mailroom.post(runner, letter)
        self._resting.clear()
        self._wake.set()

    def adopt(self, loaded: LoadedMachine) -> None:
        """Take a machine as the database has it, and take up what it owes."""
        self._loader.adopt(self._mailroom.runner(loaded.state.machine_id), loaded)
        self._wake.set()

    def reload(self, runner: Runner) -> None:
        """Have the machine loaded anew before its next turn. A halted one may try again: once, and
        in batches of its own.
        """
        runner.stale = True
        if runner.halted:
            log.warning("a halted machine tries again", machine_id=runner.machine_id)
            runner.halted = ""
            runner.timer_waits = False
            runner.alone = True
            runner.alone_failures = self._limits.alone_failures_max - 1

    def halt(
        self,
        runner: Runner,
        error: Exception,
        letters: Sequence[Letter] = (),
        *,
        fact: str | None = None,
    ) -> None:
        """Stop one machine loudly; the others go on. ``letters`` were taken out of its mailbox;
        ``fact`` is the first one's if not said.
        """
        runner.forget()
        runner.marked = True
        self._timers.arm(runner.machine_id, None)
        undecided = [*letters, *self._mailroom.empty(runner)]
        if fact is None:
            event = undecided[0].event if undecided else None
            fact = (
                type(event.fact if isinstance(event, FrameReceived) else event).__name__
                if event
                else ""
            )
        self.refusals.halt(runner, words(error), undecided)
        self.halts.happened(runner.machine_id, error=runner.halted, fact=fact)

    def needs(self, runner: Runner) -> bool:
        """Return whether the machine must stay in memory for its timer or for a call that is under
        way.
        """
        return runner.deadline_ms() is not None or self.calls.of(runner.machine_id) > 0

    async def close(self) -> None:
        """Stop loading and calling; nothing is saved any more."""
        await self._loader.close()
        await self.calls.close()

    # --- the loop ---

    async def run(self) -> None:
        """Turn until cancelled or until this host must stop."""
        while True:
            await self._something_to_do()
            self._ring_timers()
            self._loader.load_strangers(at_once=self._loads_max())
            batch = self._mailroom.take(self._limits.batch_max, self._limits.turns_in_a_row_max)
            if batch:
                await self._take_turns(batch)

    async def _something_to_do(self) -> None:
        await asyncio.sleep(0)  # let those in who wait to give us something
        while True:
            if self._outage.on:
                await asyncio.sleep(self._outage.wait_s)
                if self.idle:
                    # nothing is left to find it out with: the next request shall not be denied for
                    # that
                    self._store_works()
            timer_s = self._next_timer_s()
            if (
                self._mailroom.has_work
                or self._loader.can_load(at_once=self._loads_max())
                or timer_s == 0
            ):
                return
            self._wake.clear()
            if self.idle:
                self._resting.set()
            try:
                async with asyncio.timeout(timer_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _loads_max(self) -> int:
        return 1 if self._outage.on else self._limits.loads_max

    def _next_timer_s(self) -> float | None:
        """Return how long to wait for the next timer: 0 if it is due, None if there is none; never
        too long for a clock that jumps.
        """
        next_at_ms = self._timers.next_at_ms()
        if next_at_ms is None:
            return None
        return min(self._limits.timer_check_s, max(0, next_at_ms - self._clock.now_ms()) / 1_000)

    def _ring_timers(self) -> None:
        for machine_id in self._timers.due(self._clock.now_ms()):
            runner = self._mailroom.runners.get(machine_id)
            if runner is not None and not runner.timer_waits and not runner.halted:
                runner.timer_waits = True
                self._mailroom.post(runner, Letter(event=TimePassed()))

    async def _take_turns(self, batch: Batch) -> None:
        now_ms = self._clock.now_ms()
        turns = self._decide(batch, now_ms)
        changes = [turn.change() for turn in turns if turn.to_save]
        if changes and not await self._saved(batch, changes):
            return
        self.counts["turns"] += len(turns)
        self.counts["batches"] += 1
        self._dispatch.release(turns)
        for turn in turns:
            turn.runner.saved = turn.decision.state
            turn.runner.marked = bool(turn.runner.halted)
            if turn.letter.inbox_id is not None:
                self.refusals.inbox_waiting.discard(turn.letter.inbox_id)
                self.inbox_taken.add(turn.letter.inbox_id)
        for runner, _ in batch:
            runner.alone = False
            runner.alone_failures = 0
            self._arm(runner, now_ms)
        self._reception.announce()
        if changes:
            self._store_works()

    def _decide(self, batch: Batch, now_ms: int) -> list[Turn]:
        turns: list[Turn] = []
        for runner, letters in batch:
            for place, letter in enumerate(letters):
                try:
                    turn = runner.turn(letter, now_ms)
                except Exception as error:  # noqa: BLE001 - a mistake about one machine must not stop the others
                    undecided = letters[place:]
                    del letters[place:]
                    self.halt(runner, error, undecided)
                    break
                if turn is not None:
                    turns.append(turn)
        return turns

    def _arm(self, runner: Runner, decided_at_ms: int) -> None:
        deadline_ms = None if runner.halted or runner.timer_waits else runner.deadline_ms()
        if deadline_ms is not None and deadline_ms <= decided_at_ms:
            log.error("a deadline stays due", machine_id=runner.machine_id, deadline_ms=deadline_ms)
            deadline_ms = decided_at_ms + self._limits.deadline_again_ms
        self._timers.arm(runner.machine_id, deadline_ms)

    # --- saving ---

    async def _saved(self, batch: Batch, changes: list[Change]) -> bool:
        """Save the batch, or put everything back as it was before it."""
        try:
            await self._commit(changes)
        except StaleOwner as error:
            self._fatal(f"another holder owns this host's partitions: {error}")
        except Conflict as error:
            self._undo(batch, in_doubt=False)
            self._isolate(batch, [error.machine_id], error, failures_max=1)
        except StoreError as error:
            self._undo(batch, in_doubt=True)
            self._store_failed(error)
        except Exception as error:  # a mistake of the store's, perhaps about one machine only
            log.exception("the store broke")
            self._undo(batch, in_doubt=True)
            if not self._isolate(batch, [], error, failures_max=self._limits.alone_failures_max):
                self._store_failed(error)
        else:
            self.counts["commits"] += 1
            return True
        self.counts["commit_failures"] += 1
        return False

    async def _commit(self, changes: list[Change]) -> None:
        assert self.ownership is not None, "turns are taken once the partitions are claimed"
        commit = asyncio.ensure_future(self._store.commit(self.ownership, changes))
        commit.add_done_callback(_look_at)
        done, _ = await asyncio.wait({commit}, timeout=self._limits.commit_slow_s)
        if not done:
            log.warning("the store is slow", changes=len(changes))
            self._slow = True
            try:
                self._stop_waiting()
                await asyncio.wait({commit})
            finally:
                self._slow = False
        await commit

    def _undo(self, batch: Batch, *, in_doubt: bool) -> None:
        """Drop the working states of the batch; its letters come again, in their order, once the
        machines are loaded.
        """
        for runner, letters in batch:
            if runner.halted:
                self.refusals.refuse(runner, letters, CloseReason.HALTED)
                continue
            runner.forget()
            runner.in_doubt = runner.in_doubt or in_doubt
            self._timers.arm(runner.machine_id, None)
            again = [letter for letter in letters if not letter.rings]
            if not runner.timer_waits:
                # Without a letter nobody would load the machine, and what is due of it would wait
                # for ever.
                runner.timer_waits = True
                again.append(Letter(event=TimePassed()))
            self._mailroom.put_back(runner, again)

    def _isolate(
        self, batch: Batch, suspects: Iterable[MachineId], error: Exception, *, failures_max: int
    ) -> bool:
        """Let each suspect (all, if none is named) try again by itself, from what the database has;
        one that fails by itself is halted.

        Return whether one was.
        """
        found = False
        runners = {runner.machine_id: runner for runner, _ in batch}
        for runner in [
            runners[machine_id] for machine_id in suspects if machine_id in runners
        ] or list(runners.values()):
            if runner.alone and len(runners) == 1:
                runner.alone_failures += 1
                if runner.alone_failures >= failures_max:
                    self.halt(runner, error)
                    found = True
            runner.alone = True
        return found

    def _store_failed(self, error: Exception) -> None:
        if not self._outage.on:
            log.error("the store does not answer", error=str(error))
        self._outage.failed()
        self._stop_waiting()

    def _store_works(self) -> None:
        if self._outage.on:
            log.warning("the store is back", away_s=round(self._outage.lasts_s, 1))
            self._outage.over()

    def _stop_waiting(self) -> None:
        """Nothing can be saved now: deny the requests that wait, and let the gateways have what
        there is.
        """
        for runner in list(self._mailroom.runners.values()):
            if runner.mailbox:
                letters = self._mailroom.empty(runner)
                self._mailroom.put_back(runner, self.refusals.turn_away(runner, letters))
        self._reception.announce()
        for receipt in list(self.receipts):
            receipt.release()

    def _loaded(self) -> None:
        self.counts["loads"] += 1
        self._reception.announce()
        self._wake.set()

    def _called(self, machine_id: MachineId, call: ProviderCall, event: Event) -> None:
        self.post(self._mailroom.runner(machine_id), Letter(event=event, call=call))

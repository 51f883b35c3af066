"""One transaction for a batch of turns, and what becomes of the batch if it is not saved.

Flows in: a batch and its changes. Flows out: True once they are saved. If the database refuses, or
does not answer, nothing of the batch leaves: the working states are dropped, the letters go back to
the front of their mailboxes, and a machine that breaks the store all by itself is halted.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import structlog

from actors.host.figures import Figures
from actors.host.mailboxes import Mailboxes
from actors.host.release import Refusals
from actors.host.runner import Letter, Runner
from actors.host.timers import Timers
from actors.link import CloseReason
from actors.machine.events import Resumed, TimePassed
from actors.machine.ids import MachineId
from actors.machine.offer import OfferRefused
from actors.ports import (
    Change,
    Conflict,
    MachineStore,
    OffersSpent,
    Ownership,
    RefusedUse,
    StaleOwner,
    StoreError,
)

log = structlog.get_logger()

Batch = Sequence[tuple[Runner, list[Letter]]]


class Saving:
    """``store_failed`` and ``stop_waiting`` tell the loop that nothing can be saved now, ``halt``
    that one machine must stop, ``fatal`` that this host must not go on.
    """

    def __init__(
        self,
        *,
        store: MachineStore,
        mailboxes: Mailboxes,
        refusals: Refusals,
        timers: Timers,
        counts: Counter[str],
        figures: Figures,
        commit_slow_s: float,
        isolated_failures_max: int,
        store_failed: Callable[[Exception], None],
        stop_waiting: Callable[[], None],
        halt: Callable[[Runner, Exception], None],
        fatal: Callable[[str], None],
    ) -> None:
        self.slow = False
        """A COMMIT has been under way for longer than ``commit_slow_s``."""
        self.took_s = 0.0
        """For how long the last COMMIT was under way."""
        self._store = store
        self.mailboxes = mailboxes
        self._refusals = refusals
        self.timers = timers
        self._counts = counts
        self._figures = figures
        self._commit_slow_s = commit_slow_s
        self._isolated_failures_max = isolated_failures_max
        self._store_failed = store_failed
        self._stop_waiting = stop_waiting
        self._halt = halt
        self._fatal = fatal

    async def save(self, ownership: Ownership, batch: Batch, changes: Sequence[Change]) -> bool:
        """Save the batch, or put everything back as it was before it."""
        for runner, _ in batch:
            runner.save()
        try:
            await self.commit(ownership, changes)
        except StaleOwner as error:
            self._fatal(f"another holder owns this host's partitions: {error}")
        except Conflict as error:
            self.undo(batch, in_doubt=False)
            self._isolate(batch, [error.machine_id], error, failures_max=1)
        except OffersSpent as error:
            _tell_of_offers(batch, changes, error.refused)
            self.undo(batch, in_doubt=False)
            return False  # nothing failed: there is no more to give
        except StoreError as error:
            self.undo(batch, in_doubt=True)
            self._store_failed(error)
        except Exception as error:  # a mistake of the store's, perhaps about one machine only
            log.exception("the store broke")
            self.undo(batch, in_doubt=True)
            if not self._isolate(batch, [], error, failures_max=self._isolated_failures_max):
                self._store_failed(error)
        else:
            self._counts["commits"] += 1
            for runner, _ in batch:
                runner.is_saved()
            return True
        self._counts["commit_failures"] += 1
        return False

    async def commit(self, ownership: Ownership, changes: Sequence[Change]) -> None:
        """Return once the database has answered, however long that takes; meanwhile a slow one
        counts as away.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        commit = asyncio.ensure_future(self._store.commit(ownership, changes))
        commit.add_done_callback(_look_at)
        done, _ = await asyncio.wait({commit}, timeout=self._commit_slow_s)
        if not done:
            log.warning("the store is slow", changes=len(changes))
            self.slow = True
            try:
                self._stop_waiting()
                await asyncio.wait({commit})
            finally:
                self.slow = False
        self.took_s = loop.time() - began_s
        self._figures.commit_s(self.took_s)
        self._figures.commit_changes(len(changes))
        await commit

    def undo(self, batch: Batch, *, in_doubt: bool) -> None:
        """Drop the working states of the batch. Its letters go back to the front of their
        mailboxes, in their order, and are decided again once the machines are loaded.
        """
        for runner, letters in batch:
            if runner.halted:
                self._refusals.refuse(runner, letters, CloseReason.HALTED)
                continue
            runner.undo(in_doubt=in_doubt)
            self.timers.arm(runner.machine_id, None)
            again = [letter for letter in letters if not letter.made_again]
            if any(isinstance(letter.event, Resumed) for letter in letters):
                runner.resumed = 0  # it is to be told again
            if not runner.timer_waits:
                # A machine without a letter is not loaded, and its deadlines would never come.
                again.append(Letter(event=TimePassed()))
            self.mailboxes.put_back(runner, again)

    def _isolate(
        self, batch: Batch, suspects: Iterable[MachineId], error: Exception, *, failures_max: int
    ) -> bool:
        """Give each suspect (all, if none is named) a batch of its own; one that fails alone
        ``failures_max`` times is halted. Return whether one was.
        """
        found = False
        runners = {runner.machine_id: runner for runner, _ in batch}
        named = [runners[machine_id] for machine_id in suspects if machine_id in runners]
        for runner in named or list(runners.values()):
            if runner.isolated and len(runners) == 1:
                runner.isolated_failures += 1
                if runner.isolated_failures >= failures_max:
                    self._halt(runner, error)
                    found = True
            runner.isolated = True
        return found


def _look_at(commit: asyncio.Future[None]) -> None:
    """Take the outcome of a COMMIT that a cancelled host has left to itself."""
    if not commit.cancelled():
        commit.exception()


def _tell_of_offers(batch: Batch, changes: Sequence[Change], refused: Iterable[RefusedUse]) -> None:
    """Put what the books refused in front of the letter that used it, and no further ahead: a
    payment before it in the batch would bring the offer anew, and so for ever.
    """
    used_by = {
        use.vend_id: change.event
        for change in changes
        for use in change.decision.uses
        # Who cancels at once gives it back in the same batch, behind the choice.
        if not use.returned
    }
    letters_of = {runner.machine_id: letters for runner, letters in batch}
    for one in refused:
        letters, event = letters_of[one.machine_id], used_by[one.vend_id]
        place = next(place for place, letter in enumerate(letters) if letter.event is event)
        letters.insert(place, Letter(event=OfferRefused(offer=one.offer, why=one.why)))

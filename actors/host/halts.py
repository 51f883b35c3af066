"""Machines that their host has halted: their rows in the database, and when each is tried again.

Flows in: each halt, as it happens. Flows out: rows, which the sweeps write and no turn waits for,
and the machines whose next try has come: a deploy or a repair may have mended them, and their
customers' money waits. After a while its code is stopped at Alipay, so that nobody pays a machine
that decides nothing: the host orders that, because the machine cannot. The order is saved in the
row before the call is made; whoever loads the machine tells it so (``CodeStopOrdered``), and the
row goes only with the COMMIT in which the machine has heard of it and wants its code back.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from actors.host.runner import Runner
from actors.machine.code import CodeStatus
from actors.machine.codes import stoppable
from actors.machine.effects import ChangeCodeStatus, ProviderCall
from actors.machine.events import CodeFailed, CodeStatusChanged, Event
from actors.machine.ids import MachineId
from actors.ports import (
    Clock,
    CodeStop,
    MachineHalt,
    MachineStore,
    Ownership,
    StaleOwner,
    StoreError,
)

log = structlog.get_logger()

WORDS_MAX = 300
# What could be a customer's id or login at Alipay; no error of ours names one, but not all errors
# are ours.
_BUYER = re.compile(r"(?<![0-9A-Za-z])2088\d{12}(?![0-9A-Za-z])|[^\s@'\"]+@[^\s@'\"]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltLimits:
    """When a halted machine is tried again, and how much is written at once. Seconds of the loop's
    time.
    """

    again_s: tuple[float, ...] = (60.0, 300.0, 900.0, 3_600.0)
    """The wait before each try; the last one stands for all that follow. A machine that worked
    for that long begins with the first wait again.
    """
    rows_max: int = 100
    """Rows of one sweep."""
    stop_code_after_ms: int = 600_000
    """The code of a machine that has been halted for this long is stopped."""


_TOLD = frozenset({CodeStop.DONE, CodeStop.REFUSED})
"""Alipay has answered."""


def words(error: Exception) -> str:
    """Return the error in one bounded line without anything that could name a buyer."""
    first, _, _ = f"{type(error).__name__}: {error}".partition("\n")
    plain = "".join(letter if letter.isprintable() else " " for letter in first)
    return _BUYER.sub("…", plain)[:WORDS_MAX].strip()


@dataclass(slots=True, kw_only=True)
class _Row:
    """A row that may not be written yet. ``sent``: a try was made, so it may be."""

    halt: MachineHalt
    sent: bool = False


@dataclass(slots=True, kw_only=True)
class _Trouble:
    """How many tries were in vain, when the next one comes, and until when these count."""

    tries: int
    next_s: float
    over_s: float
    halt: MachineHalt


@dataclass(slots=True, kw_only=True)
class _Stop:
    """The call about a halted machine's code: ``call`` is under way, or else tried again then."""

    call: ChangeCodeStatus | None = None
    next_s: float = 0.0
    tries: int = 0
    answered: bool = False
    """Alipay's answer is not in the row yet."""


class Halts:
    """The halts of one host. ``runners`` are those of its mailboxes."""

    def __init__(
        self,
        *,
        store: MachineStore,
        clock: Clock,
        runners: Mapping[MachineId, Runner],
        limits: HaltLimits,
    ) -> None:
        self._store = store
        self._clock = clock
        self._runners = runners
        self._limits = limits
        self._rows: dict[MachineId, _Row] = {}
        self._troubles: dict[MachineId, _Trouble] = {}
        self._stops: dict[MachineId, _Stop] = {}

    def happened(self, machine_id: MachineId, *, error: str, fact: str) -> None:
        """Note a halt: its row is written by the next sweep, and its next try comes later than the
        last one did.
        """
        now_s = asyncio.get_running_loop().time()
        known = self._troubles.get(machine_id)
        tries = 0 if known is None else known.tries + 1
        waits_s = self._limits.again_s
        next_s = now_s + waits_s[min(tries, len(waits_s) - 1)]
        halt = MachineHalt(
            machine_id=machine_id, halted_at_ms=self._clock.now_ms(), fact=fact, error=error
        )
        self._troubles[machine_id] = _Trouble(
            tries=tries, next_s=next_s, over_s=next_s + waits_s[-1], halt=halt
        )
        self._rows[machine_id] = _Row(halt=halt)
        log.error(
            "machine halted",
            machine_id=machine_id,
            error=error,
            fact=fact,
            tried=tries,
            again_in_s=round(next_s - now_s),
        )

    def forget(self, machine_id: MachineId) -> None:
        """It is another host's matter from now on, which finds out for itself."""
        for known in (self._rows, self._troubles, self._stops):
            known.pop(machine_id, None)

    def due(self) -> list[Runner]:
        """Return the halted machines whose next try has come, and forget those that have worked for
        long.
        """
        now_s = asyncio.get_running_loop().time()
        found: list[Runner] = []
        for machine_id, trouble in list(self._troubles.items()):
            runner = self._runners.get(machine_id)
            if runner is not None and runner.halted:
                # Its code is not to be stopped behind its back once it works.
                if now_s >= trouble.next_s and not self.stops(machine_id):
                    found.append(runner)
                continue
            if not self.stops(machine_id):
                self._stops.pop(machine_id, None)
            if now_s >= trouble.over_s:
                del self._troubles[machine_id]
        return found

    async def write(self, ownership: Ownership) -> list[Runner]:
        """Write the rows that are missing, and return the machines that work again by now although
        a row may say that they are halted.

        A row that cannot be written now is left to the next call. Raises StaleOwner.
        """
        doubtful: list[Runner] = []
        for machine_id, row in list(self._rows.items())[: self._limits.rows_max]:
            runner = self._runners.get(machine_id)
            if runner is not None and runner.halted:
                row.sent = True
                try:
                    await self._store.halt(ownership, row.halt)
                except StaleOwner:
                    raise
                except StoreError as error:
                    log.warning(
                        "a halt is not written down yet", machine_id=machine_id, error=str(error)
                    )
                    return doubtful
                except Exception:
                    log.exception("a halt cannot be written down", machine_id=machine_id)
            if self._rows.get(machine_id) is row:
                del self._rows[machine_id]
            if runner is not None and not runner.halted and row.sent:
                doubtful.append(runner)
        return doubtful

    # --- the code ---

    def stops(self, machine_id: MachineId) -> bool:
        """Return whether a call that stops its code is under way."""
        stop = self._stops.get(machine_id)
        return stop is not None and stop.call is not None

    async def order_stops(self, ownership: Ownership) -> tuple[list[Runner], list[Runner]]:
        """Return the machines whose code is to be stopped now, and those that work again by now
        although their row may be there again. Orders, and what Alipay answered, are saved; what
        cannot be saved now is left to the next call. Raises StaleOwner.
        """
        found: list[Runner] = []
        doubtful: list[Runner] = []
        left = self._limits.rows_max  # Counted are only those whose turn it is: nobody hides them.
        for machine_id in list(self._troubles):
            runner = self._runners.get(machine_id)
            if runner is None or not runner.halted:
                continue
            stop = self._stops.get(machine_id)
            answered = stop is not None and stop.answered
            if not answered and not self._due_to_stop(runner):
                continue
            if not left:
                break
            left -= 1
            if answered or not runner.code_stop:
                news = runner.code_stop if answered else CodeStop.ORDERED
                try:
                    if not await self._write(ownership, machine_id, news):
                        break
                except StaleOwner:
                    raise
                except Exception:
                    log.exception("an order cannot be written down", machine_id=machine_id)
                    continue
                now = self._runners.get(machine_id)
                if now is None or not now.halted:  # An administrator let it try again meanwhile.
                    doubtful.append(runner)
                    continue
                runner.code_stop = news
            if stop is not None and answered:
                stop.answered = False
            else:
                found.append(runner)
        return found, doubtful

    def _due_to_stop(self, runner: Runner) -> bool:
        stop, since_ms = self._stops.get(runner.machine_id), runner.halted_at_ms
        return (
            runner.halted
            and since_ms is not None
            and self._clock.now_ms() - since_ms >= self._limits.stop_code_after_ms
            and runner.machine_id not in self._rows
            and runner.place is not None
            and runner.saved is not None
            and bool(stoppable(runner.saved.code))
            and runner.code_stop not in _TOLD
            and (
                stop is None
                or (stop.call is None and asyncio.get_running_loop().time() >= stop.next_s)
            )
        )

    def stopping(self, runner: Runner) -> ChangeCodeStatus | None:
        """Return the call that stops its code, which is under way from now on."""
        if not self._due_to_stop(runner) or runner.saved is None:
            return None
        stop = self._stops.setdefault(runner.machine_id, _Stop())
        code = stoppable(runner.saved.code)
        stop.call = ChangeCodeStatus(qr_payload=code, status=CodeStatus.STOPPED)
        log.warning("the code of a halted machine is stopped", machine_id=runner.machine_id)
        return stop.call

    def answered(self, runner: Runner, call: ProviderCall, event: Event) -> bool:
        """Take the answer to such a call; return False if it is the machine's own. One that is
        unknown is asked for again.
        """
        stop = self._stops.get(runner.machine_id)
        if stop is None or stop.call != call:
            return False
        stop.call = None
        match event:
            case CodeStatusChanged():
                runner.code_stop, stop.answered = CodeStop.DONE, True
            case CodeFailed(final=True, detail=detail):
                runner.code_stop, stop.answered = CodeStop.REFUSED, True
                log.error("a code is not stopped", machine_id=runner.machine_id, error=detail)
            case _:
                waits_s = self._limits.again_s
                wait_s = waits_s[min(stop.tries, len(waits_s) - 1)]
                stop.tries, stop.next_s = (
                    stop.tries + 1,
                    asyncio.get_running_loop().time() + wait_s,
                )
        return True

    async def _write(
        self, ownership: Ownership, machine_id: MachineId, code_stop: CodeStop
    ) -> bool:
        try:
            halt = replace(self._troubles[machine_id].halt, code_stop=code_stop)
            await self._store.halt(ownership, halt)
        except StaleOwner:
            raise
        except StoreError as error:
            log.warning("a code is not stopped yet", machine_id=machine_id, error=str(error))
            return False
        return True

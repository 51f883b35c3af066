"""Machines that their host has halted: their rows in the database, and when each is tried again.

Flows in: each halt, as it happens. Flows out: rows, which the sweeps write and no turn waits for,
and the machines whose next try has come: a deploy or a repair may have mended them, and their
customers' money waits.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from actors.host.runner import Runner
from actors.machine.ids import MachineId
from actors.ports import Clock, MachineHalt, MachineStore, Ownership, StaleOwner, StoreError

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

    def happened(self, machine_id: MachineId, *, error: str, fact: str) -> None:
        """Note a halt: its row is written by the next sweep, and its next try comes later than the
        last one did.
        """
        now_s = asyncio.get_running_loop().time()
        known = self._troubles.get(machine_id)
        tries = 0 if known is None else known.tries + 1
        waits_s = self._limits.again_s
        next_s = now_s + waits_s[min(tries, len(waits_s) - 1)]
        self._troubles[machine_id] = _Trouble(
            tries=tries, next_s=next_s, over_s=next_s + waits_s[-1]
        )
        halt = MachineHalt(
            machine_id=machine_id, halted_at_ms=self._clock.now_ms(), fact=fact, error=error
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

    def due(self) -> list[Runner]:
        """Return the halted machines whose next try has come, and forget those that have worked for
        long.
        """
        now_s = asyncio.get_running_loop().time()
        found: list[Runner] = []
        for machine_id, trouble in list(self._troubles.items()):
            runner = self._runners.get(machine_id)
            if runner is not None and runner.halted:
                if now_s >= trouble.next_s:
                    found.append(runner)
            elif now_s >= trouble.over_s:
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

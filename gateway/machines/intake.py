"""What of a machine's numbered frames goes on to its host, and as what.

Flows in: frames, as they are read. Flows out: frames for the host: mostly the same ones. Beyond the
machine's allowance faults are held back, to be told as one fact before anything else that the
machine says, and frames that were applied before are only counted. ``pause_s`` says how long
nothing more of the machine should be read.
"""

import math
from collections.abc import Sequence

from actors.machine.events import FrameReceived, MachineFact
from actors.machine.incident import FaultReported, FaultsCounted
from gateway.machines.allowances import Allowance
from gateway.machines.window import Window


class Intake:
    """Of one stream. ``held_max``: with so many faults held back they are told."""

    __slots__ = (
        "_fault",
        "_first",
        "_held_max",
        "_last",
        "_window",
        "allowance",
        "held_since",
        "pause_s",
    )

    def __init__(self, window: Window, allowance: Allowance, *, held_max: int) -> None:
        self.allowance = allowance
        self.pause_s = 0.0
        self._window = window
        self._held_max = held_max
        # The faults that are held back: their numbers, which have no gap, and the last one.
        self._fault: FaultReported | None = None
        self._first = 0
        self._last = 0
        self.held_since = math.inf
        """Since when faults have been held back, in seconds; infinite if there are none."""

    def take(
        self,
        seq: int,
        fact: MachineFact,
        remarks: Sequence[str] = (),
        *,
        size: int,
        now: float,
        acked: int,
        answers_come: bool,
    ) -> list[FrameReceived]:
        """Return what the host is to hear now. ``size``: the frame's bytes; ``acked``: the highest
        number that the host acknowledged; ``answers_come``: whether it has something to answer.
        """
        if self._holds(seq):
            return []
        if seq <= acked and self._window.applied(seq, fact):
            if not self.allowance.writes_repeat(now):
                return []
        elif (
            isinstance(fact, FaultReported)
            and not fact.cleared
            and self._is_next(seq, acked)
            and not self.allowance.writes_fault(now)
        ):
            self._hold(seq, fact, now)
            full = self._last - self._first + 1 >= self._held_max
            return self.tell_held(now, answers_come=answers_come) if full else []
        told = self.tell_held(now, answers_come=answers_come)
        received = self._window.take(seq, fact, remarks, answers_come=answers_come)
        if received is not None:
            told.append(received)
            self.pause_s += self.allowance.charge(now, fact, size)
        return told

    def tell_held(self, now: float, *, answers_come: bool) -> list[FrameReceived]:
        """Return what is to be told of the faults that are held back, and hold none."""
        if self._fault is None:
            return []
        fact = FaultsCounted(
            first_seq=self._first,
            count=self._last - self._first + 1,
            code=self._fault.code,
            column=self._fault.column,
        )
        seq = self._last
        self.forget_held()
        received = self._window.take(seq, fact, answers_come=answers_come)
        self.pause_s += self.allowance.charge(now, fact, 0)
        return [] if received is None else [received]

    def forget_held(self) -> None:
        """The machine will say them again."""
        self._fault, self._last, self.held_since = None, 0, math.inf

    def _hold(self, seq: int, fact: FaultReported, now: float) -> None:
        if self._fault is None:
            self._first, self.held_since = seq, now
        self._fault, self._last = fact, seq

    def _holds(self, seq: int) -> bool:
        return self._fault is not None and self._first <= seq <= self._last

    def _is_next(self, seq: int, acked: int) -> bool:
        """Return whether no number is left out: only then several can be told as one."""
        return seq == max(self._last, self._window.forwarded, acked) + 1

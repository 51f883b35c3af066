"""What one machine may ask of us, whatever it does with its streams.

Flows in: what a machine says, and when. Flows out: whether a Hello is heard now, whether a fault is
written down by itself or counted, and how long the machine is kept waiting before it is read again.
An allowance belongs to the machine: a new stream, boot or connection finds it as it was.

What is thinned, in this order: repeated frames are counted; faults are counted; then everything
else of that machine is read more slowly. Nothing is refused for it and nothing is lost, and the
results of vends are not counted against it for as long as a machine could have so many. A machine
that behaves never comes near any of this.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from actors.machine.events import MachineFact, VendFailed, VendRequested, VendSucceeded
from actors.machine.ids import MachineId
from gateway.machines.token_bucket import TokenBucket
from gateway.rpc.limits import EdgeLimits

ROW_BYTES = 1_000
"""About what a line of the journal takes, with its indexes; what a frame holds comes twice more."""
PAUSE_MAX_S = 30.0
"""No machine waits longer before its next frame is read: a stream must not look dead."""
_RESULTS = (VendSucceeded, VendFailed)
_DAY_S = 86_400
_HELLO_ROWS = 2
"""One when it comes, one when its stream goes."""
_REQUEST_ROWS = 4
"""The request, its answer, a session and a vend."""

HOW_HELD_BACK = ("hellos_refused", "faults_counted", "repeats_counted", "pauses")
"""What is counted of machines that use up what they are allowed."""


@dataclass(slots=True, kw_only=True)
class Allowance:
    """What one machine has left. ``counts`` is shared by all, and says what was held back."""

    counts: Counter[str]
    frames: TokenBucket
    _openings: TokenBucket
    _hellos: TokenBucket
    _scarce_hellos: TokenBucket
    _repeats: TokenBucket
    _faults: TokenBucket
    _results: TokenBucket
    _journal: TokenBucket

    def opens(self, now: float) -> bool:
        """Return whether another stream is opened with the machine's certificate now, whatever it
        will say; there may be twice as many as Hellos.
        """
        opened = self._openings.take(now)
        self.counts["hellos_refused"] += not opened
        return opened

    def hears_hello(self, now: float, entries: int) -> bool:
        """Return whether a Hello, with so many entries of the machine's journal, is heard now. With
        the day's journal used up one a minute is, because it may settle a vend.
        """
        heard = (
            self.frames.take(now)
            and self._hellos.take(now)
            and (not self._journal.owed_s(now) or self._scarce_hellos.take(now))
        )
        if heard:
            self._journal.spend(now, (_HELLO_ROWS + entries / 4) * ROW_BYTES)
        else:
            self.counts["hellos_refused"] += 1
        return heard

    def writes_fault(self, now: float) -> bool:
        """Return whether a fault gets a line of its own."""
        written = self._faults.take(now)
        self.counts["faults_counted"] += not written
        return written

    def writes_repeat(self, now: float) -> bool:
        """Return whether a frame that was applied before gets a line that says so."""
        written = self._repeats.take(now)
        self.counts["repeats_counted"] += not written
        return written

    def charge(self, now: float, fact: MachineFact, size: int) -> float:
        """Charge for a frame that is written down; return the seconds for which nothing more of the
        machine should be read.
        """
        rows = _REQUEST_ROWS if isinstance(fact, VendRequested) else 1
        cost = rows * ROW_BYTES + 2 * size
        if isinstance(fact, _RESULTS) and self._results.take(now, cost):
            return 0.0
        pause_s = min(PAUSE_MAX_S, self._journal.spend(now, cost))
        self.counts["pauses"] += pause_s > 0
        return pause_s


@dataclass(slots=True, kw_only=True)
class Allowances:
    """Those of all machines of a gateway. The ones that were used last are kept; who is forgotten
    begins anew.
    """

    limits: EdgeLimits
    counts: Counter[str] = field(default_factory=Counter)
    _kept: OrderedDict[MachineId, Allowance] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, machine_id: MachineId) -> bool:
        return machine_id in self._kept

    def new(self, now: float) -> Allowance:
        """Return an untouched one, which nobody has: a stream's before its Hello."""
        limits, day = self.limits, self.limits.journal_bytes_per_day

        def minutely(count: int) -> TokenBucket:
            return TokenBucket(rate=count / 60, burst=2 * count, now=now)

        return Allowance(
            counts=self.counts,
            frames=TokenBucket(rate=limits.frames_per_s, burst=limits.frames_burst, now=now),
            _openings=minutely(2 * limits.hellos_per_minute),
            _hellos=minutely(limits.hellos_per_minute),
            _scarce_hellos=TokenBucket(rate=1 / 60, burst=1, now=now),
            _repeats=minutely(limits.repeats_per_minute),
            _faults=minutely(limits.faults_per_minute),
            _results=TokenBucket(rate=day / 4 / _DAY_S, burst=day / 4, now=now),
            _journal=TokenBucket(rate=day / _DAY_S, burst=day, now=now),
        )

    def of(self, machine_id: MachineId, now: float) -> Allowance:
        """Return the machine's own."""
        found = self._kept.get(machine_id)
        if found is None:
            if len(self._kept) >= self.limits.machines_remembered_max:
                self._kept.popitem(last=False)
            found = self._kept[machine_id] = self.new(now)
        self._kept.move_to_end(machine_id)
        return found

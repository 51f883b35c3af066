"""One machine in memory: its mailbox, its working state, a turn of the core. No I/O, no waiting.

Flows in: letters, each an event and whom to answer. Flows out: one ``Turn`` for each, which must be
saved before anything of it leaves. ``Runner.life`` is where the machine stands in ``life``'s table;
only the methods here move it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from msgspec import Struct

from actors.host.attachment import Attachment, Receipt
from actors.host.life import LOADED, Life, moved
from actors.machine import check as check_state
from actors.machine import check_decision, decide, next_deadline, owed, resumes
from actors.machine.decision import Decision
from actors.machine.effects import ProviderCall
from actors.machine.events import (
    CodeStopOrdered,
    Connected,
    Event,
    FrameReceived,
    Resumed,
    TimePassed,
    VendRequested,
    VendTurnedAway,
)
from actors.machine.hearing import NOTHING, overdue, settles
from actors.machine.ids import MachineId, StreamId
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, MachineState
from actors.machine.values import replace
from actors.ports import Change, CodeStop, LoadedMachine, Place

_READY, _SAVING, _HALTED = Life.READY, Life.SAVING, Life.HALTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The pure functions that a runner calls; tests give others."""

    decide: Callable[[MachineState, Event, int, Policy, frozenset[str]], Decision] = decide
    next_deadline: Callable[[MachineState, Policy], int | None] = next_deadline
    owed: Callable[[MachineState], tuple[ProviderCall, ...]] = owed
    resumes: Callable[[MachineState, int, Policy], bool] = resumes
    check: Callable[[MachineState, Decision], None] = check_decision
    check_state: Callable[[MachineState], None] = check_state


class Letter(Struct, frozen=True, kw_only=True):
    """One event in a mailbox. ``attachment`` is where its answer goes; ``receipt`` is settled once
    the event is saved or refused.

    ``received_at_ms``: when a gateway saved the notification. ``call`` is the call to Alipay that
    the event answers. ``forced``: a TimePassed that is decided on even if no deadline has come; it
    shows that the machine works.
    """

    event: Event
    attachment: Attachment | None = None
    command_id: str = ""
    inbox_id: int | None = None
    received_at_ms: int | None = None
    receipt: Receipt | None = None
    call: ProviderCall | None = None
    forced: bool = False

    @property
    def is_timer(self) -> bool:
        """A deadline made it. It may be dropped, because each load sets the timer again; all other
        letters are kept until they are decided on or refused.
        """
        return isinstance(self.event, TimePassed) and not self.forced

    @property
    def made_again(self) -> bool:
        """The host makes it anew when the machine is loaded, by the time of then."""
        return self.is_timer or isinstance(self.event, Resumed)

    def settle(self) -> None:
        """Tell the exchange that brought it that it is saved or refused."""
        if self.receipt is not None:
            self.receipt.settle()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one stream of the machine is reached, and the Connected that opened it."""

    attachment: Attachment
    connected: Connected


class Turn(Struct, frozen=True, kw_only=True):
    """What one letter led to."""

    runner: "Runner"
    letter: Letter
    decision: Decision
    now_ms: int

    @property
    def to_save(self) -> bool:
        """Whether something must be in the database before anything of it may leave."""
        return self.decision.changed or self.letter.inbox_id is not None or self.runner.recovers

    def change(self) -> Change:
        """Return it as the store wants it."""
        return Change(
            machine_id=self.runner.machine_id,
            event=self.letter.event,
            decision=self.decision,
            now_ms=self.now_ms,
            inbox_id=self.letter.inbox_id,
            recovers=self.runner.recovers,
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Runner:
    """``state`` is what the next turn is decided on, None unless the machine is loaded; ``saved``
    is the last state known to be in the database, and may be old.
    """

    machine_id: MachineId
    core: Core
    fleet_policy: Policy
    mailbox: deque[Letter] = field(default_factory=deque)
    life: Life = Life.UNLOADED
    halt_reason: str = ""
    """Why it is HALTED; empty otherwise."""
    loaded: bool = False
    """Whether it has a working state; like ``halted`` it goes with ``life``, and is asked for more
    often.
    """
    halted: bool = False
    """Whether it decides nothing."""
    state: MachineState | None = None
    sound: bool = False
    """Since ``state`` was loaded, all of it was checked once."""
    saved: MachineState | None = None
    place: Place | None = None
    revision: int = 0
    """Of the newest configuration that was read for it, which ``place`` is of."""
    policy: Policy = field(init=False)
    routes: dict[StreamId, Route] = field(default_factory=dict)
    partition: int | None = None
    """The machine's; None: nobody asked yet."""
    in_line: bool = False
    """It stands in one of the two lines of ``mailboxes``, where it may stand only once."""
    isolated: bool = False
    """Its next batch holds no other machine: what goes wrong then is its doing."""
    isolated_failures: int = 0
    halt_recorded: bool = False
    """A row may say that it is halted; the next COMMIT takes the row away."""
    halted_at_ms: int | None = None
    """Since when it has been halted, tries in vain included; None: it works."""
    code_stop: CodeStop = CodeStop.NONE
    """What was done about its code meanwhile."""
    reload_wanted: bool = False
    """Its rows must be read before its next turn: somebody wants what the database holds now."""
    resumed: int = 0
    """Of how many times that its host came to listen again the machine was told."""
    used_at_s: float = 0.0
    waits_since_s: float = 0.0
    """Since when the first of what is in its mailbox stands there."""

    def __post_init__(self) -> None:
        self.policy = self.fleet_policy

    # --- life ---

    @property
    def recovers(self) -> bool:
        """Whether the next COMMIT takes away the row that says it is halted."""
        return (
            self.halt_recorded
            and not self.halted
            # The row is all that knows of the code until the machine has heard of it.
            and not any(isinstance(letter.event, CodeStopOrdered) for letter in self.mailbox)
        )

    def recovered(self) -> None:
        """Nothing is left of its halt, if it works."""
        if self.halted_at_ms is None and not self.halt_recorded:
            return  # how nearly every machine is after each of its turns
        self.halt_recorded = self.halt_recorded and not self.recovers
        if not (self.halted or self.halt_recorded):
            self.halted_at_ms, self.code_stop = None, CodeStop.NONE

    def read(self) -> None:
        """Its rows are being read."""
        self.reload_wanted = False
        self._move(Life.RESOLVING if self.life is Life.IN_DOUBT else Life.LOADING)

    def not_read(self) -> None:
        """The store did not answer."""
        self._move(Life.IN_DOUBT if self.life is Life.RESOLVING else Life.UNLOADED)

    def adopt(self, loaded: LoadedMachine) -> None:
        """Start from what the database has."""
        self._move(Life.READY)
        self.sound = False
        self.place, self.revision = loaded.place, loaded.configuration.configuration.revision
        self.saved = loaded.state
        self._follow(loaded.state)

    def hears_of(self, loaded: LoadedMachine) -> bool:
        """Take the place that a read has found; return False if a newer one was read meanwhile, by
        another read that ended first: what this one found must not be told any more.
        """
        revision = loaded.configuration.configuration.revision
        if revision < self.revision:
            return False
        self.place, self.revision = loaded.place, revision
        return True

    def save(self) -> None:
        """Its turns are being saved. One that a turn has halted stays halted."""
        if not self.halted:
            self._move(_SAVING)

    def is_saved(self) -> None:
        """The database has what was decided."""
        if self.life is _SAVING:
            self._move(_READY)

    def undo(self, *, in_doubt: bool) -> None:
        """Drop the working state after a COMMIT that failed; ``in_doubt``: it may be saved all the
        same.
        """
        self._move(Life.IN_DOUBT if in_doubt else Life.UNLOADED)

    def forget(self) -> None:
        """Drop the working state, which is saved, so that it is read again."""
        self._move(Life.UNLOADED)

    def halt(self, reason: str) -> None:
        """Stop deciding; an older reason is replaced."""
        if not self.halted:
            self._move(Life.HALTED)
        self.halt_reason = reason

    def try_again(self) -> None:
        """Let a halted machine be loaded, and decide, in a batch of its own."""
        self._move(Life.UNLOADED)
        self.halt_reason = ""
        self.isolated = True

    def _move(self, after: Life) -> None:
        self.life = moved(self.machine_id, self.life, after)
        self.loaded, self.halted = after in LOADED, after is _HALTED
        if not self.loaded:
            self.state = None

    # --- turns ---

    @property
    def timer_waits(self) -> bool:
        """Whether the timer's letter is in the mailbox already."""
        return bool(self.mailbox) and any(letter.is_timer for letter in self.mailbox)

    def deadline_ms(self) -> int | None:
        """Return when the core wants to be asked again, if ever."""
        return None if self.state is None else self.core.next_deadline(self.state, self.policy)

    def resume(self, times: int, reason: str, now_ms: int) -> Letter | None:
        """Return the letter that tells the machine that its host listens again, for the
        ``times``-th time since it started; None if it knows, or nothing would come of it.
        """
        if self.resumed == times or self.state is None:
            return None
        self.resumed = times
        if not self.core.resumes(self.state, now_ms, self.policy):
            return None
        return Letter(event=Resumed(reason=reason))

    def heard(self, letters: Sequence[Letter], place: int, now_ms: int) -> frozenset[str]:
        """Return the vends and commands whose end is told by what is decided on behind the letter
        of this ``place``, in ``letters`` and in the mailbox; none while no deadline of one has
        come.
        """
        state = self.state
        if state is None or not overdue(state, now_ms):
            return NOTHING
        later = chain(islice(letters, place + 1, None), self.mailbox)
        return NOTHING.union(*(settles(state, letter.event) for letter in later))

    def turn(self, letter: Letter, now_ms: int, heard: frozenset[str] = NOTHING) -> Turn | None:
        """Decide; return None for a timer whose deadline has moved. Raises what the core raises:
        the machine must then be halted. ``heard``: see ``decide``.
        """
        state = self.state
        assert state is not None, "a machine takes turns only once it is loaded"
        if letter.is_timer:
            deadline_ms = self.deadline_ms()
            if deadline_ms is None or deadline_ms > now_ms:
                return None
        decision = self.core.decide(state, letter.event, now_ms, self.policy, heard)
        self.core.check(state, decision)
        if not self.sound:
            self.core.check_state(decision.state)
            self.sound = True
        self._follow(decision.state)
        return Turn(runner=self, letter=letter, decision=decision, now_ms=now_ms)

    def turned_away(self, letter: Letter) -> Letter | None:
        """Return the letter that uses up the number of a vend request that cannot be saved now, or
        None if it is not a new request.
        """
        event = letter.event
        if not (
            isinstance(event, FrameReceived) and isinstance(event.fact, VendRequested)
        ) or self._repeats(event):
            return None
        fact = VendTurnedAway(
            request_id=event.fact.request_id, reason=DenyReason.BACKEND_UNAVAILABLE
        )
        return replace(letter, event=replace(event, fact=fact))

    def _follow(self, state: MachineState) -> None:
        if self.state is None or state.configuration is not self.state.configuration:
            self.policy = state.configuration.overrides.applied_to(self.fleet_policy)
        self.state = state

    def _repeats(self, frame: FrameReceived) -> bool:
        """Whether the frame was applied before: then the answer of that time still holds."""
        state = self.state or self.saved
        if state is None:
            return False
        link = state.link
        route = self.routes.get(frame.stream_id)
        same_boot = (
            frame.stream_id == link.stream_id
            if route is None
            else route.connected.boot_id == link.boot_id
        )
        return same_boot and frame.seq <= link.last_seq

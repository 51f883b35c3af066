"""One machine in memory: its mailbox, its working state, and a turn of the core. No I/O and no
waiting.

Flows in: letters, each an event and whom to answer. Flows out: one ``Turn`` for each, to be saved
before anything of it leaves. The working state runs ahead of the saved one by the batch that is
being saved; if that fails, ``forget`` drops it and the machine is loaded again.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from actors.host.attachment import Attachment, Receipt
from actors.machine import check_decision, decide, next_deadline, owed
from actors.machine.decision import Decision
from actors.machine.effects import ProviderCall
from actors.machine.events import (
    Connected,
    Event,
    FrameReceived,
    TimePassed,
    VendRequested,
    VendTurnedAway,
)
from actors.machine.ids import MachineId, StreamId
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, MachineState
from actors.ports import Change, LoadedMachine, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The pure functions that a runner turns; tests give others."""

    decide: Callable[[MachineState, Event, int, Policy], Decision] = decide
    next_deadline: Callable[[MachineState, Policy], int | None] = next_deadline
    owed: Callable[[MachineState], tuple[ProviderCall, ...]] = owed
    check: Callable[[MachineState, Decision], None] = check_decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One event in a mailbox. ``attachment`` is where its answer goes, ``receipt`` who waits for it
    to be saved.

    ``call`` is the call to Alipay that the event answers. ``proves``: a TimePassed that is decided
    upon whether or not a deadline has come; it shows that the machine works.
    """

    event: Event
    attachment: Attachment | None = None
    command_id: str = ""
    inbox_id: int | None = None
    receipt: Receipt | None = None
    call: ProviderCall | None = None
    proves: bool = False

    @property
    def rings(self) -> bool:
        """It is the timer's, which is set anew at each load; all other letters must be kept until
        they are decided or refused.
        """
        return isinstance(self.event, TimePassed) and not self.proves

    def settle(self) -> None:
        """The event is saved or refused."""
        if self.receipt is not None:
            self.receipt.settle()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The way to one stream of the machine, and the Connected that opened it."""

    attachment: Attachment
    connected: Connected


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one letter led to."""

    runner: "Runner"
    letter: Letter
    decision: Decision
    now_ms: int

    @property
    def to_save(self) -> bool:
        """Something of it must be in the database before anything of it may leave."""
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
    """``state`` is None until loaded; ``saved`` is the last state known to be in the database, and
    may be old.
    """

    machine_id: MachineId
    core: Core
    fleet_policy: Policy
    mailbox: deque[Letter] = field(default_factory=deque)
    state: MachineState | None = None
    saved: MachineState | None = None
    place: Place | None = None
    policy: Policy = field(init=False)
    doors: dict[StreamId, Door] = field(default_factory=dict)
    queued: bool = False
    """It stands in a queue of the mailroom, or is being loaded."""
    alone: bool = False
    """Its next batch holds nobody else, so that what goes wrong can be laid at its door."""
    alone_failures: int = 0
    in_doubt: bool = False
    """A commit of it was not answered: what was decided may be saved, and was not released."""
    timer_waits: bool = False
    halted: str = ""
    """Why it decides nothing; empty if it does."""
    marked: bool = False
    """The database may say that it is halted, until a decision is committed."""
    stale: bool = False
    """It is to be loaded anew before its next turn."""
    used_at_s: float = 0.0

    def __post_init__(self) -> None:
        self.policy = self.fleet_policy

    def adopt(self, loaded: LoadedMachine) -> None:
        """Start from what the database has."""
        self.place = loaded.place
        self.saved = loaded.state
        self._follow(loaded.state)

    @property
    def recovers(self) -> bool:
        """The next commit takes the word back that it is halted."""
        return self.marked and not self.halted

    def forget(self) -> None:
        """Drop the working state; the machine must be loaded before its next turn."""
        self.state = None

    def deadline_ms(self) -> int | None:
        """Return when the core wants to be asked again, if ever."""
        return None if self.state is None else self.core.next_deadline(self.state, self.policy)

    def turn(self, letter: Letter, now_ms: int) -> Turn | None:
        """Decide; return None for a timer whose deadline has moved. Raises what the core raises:
        the machine must then be halted.
        """
        state = self.state
        assert state is not None, "a machine takes turns only once it is loaded"
        if letter.rings:
            self.timer_waits = False
            deadline_ms = self.deadline_ms()
            if deadline_ms is None or deadline_ms > now_ms:
                return None
        decision = self.core.decide(state, letter.event, now_ms, self.policy)
        self.core.check(state, decision)
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
        """The frame was applied before, so whatever the machine was told then still holds."""
        state = self.state or self.saved
        if state is None:
            return False
        link = state.link
        door = self.doors.get(frame.stream_id)
        same_boot = (
            frame.stream_id == link.stream_id
            if door is None
            else door.connected.boot_id == link.boot_id
        )
        return same_boot and frame.seq <= link.last_seq

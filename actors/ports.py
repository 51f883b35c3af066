"""What the actors need of the world: a store, a clock. (The way to the gateways is
``actors.link``.)

``storage`` implements :class:`MachineStore`; tests have one in memory. Times are milliseconds since
1970 UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from actors.leases import Claimant, Holder, Standing
from actors.machine.code import Says
from actors.machine.decision import Decision
from actors.machine.events import ConfigurationChanged, Event
from actors.machine.ids import MachineId, VendId
from actors.machine.state import MachineState


class Clock(Protocol):
    """Wall time, read once per turn."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What Alipay must know of a machine's place to make its code (biz_data, docs/alipay.md 4.1);
    from the registry.
    """

    machine_id: MachineId
    store_name: str
    country_code: str
    address: str
    notify_url: str
    says: Says | None = None
    """All of it as digests, and for which store; None: the code is left as it was made."""


class CodeStop(StrEnum):
    """What a host did about the code of a machine that it has halted."""

    NONE = ""
    ORDERED = "ORDERED"
    """Saved before Alipay is asked; what became of it is not known."""
    DONE = "DONE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedMachine:
    """A machine as SQL has it. ``state`` is a fresh one (version 0) if nothing was ever decided for
    it.

    ``configuration`` is the registry's, to be fed to the core when its revision is above the
    state's. ``halted``: a row says that a host has halted it, and no decision was committed since.
    """

    state: MachineState
    place: Place
    configuration: ConfigurationChanged
    halted: bool = False
    halted_at_ms: int | None = None
    code_stop: CodeStop = CodeStop.NONE
    """What that row says of its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A machine, or a notification for it, whose rows this program cannot read; ``error`` tells
    why.
    """

    machine_id: MachineId
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineHalt:
    """A machine that its host has halted: since when, over what kind of event (empty if it could
    not be loaded), and the error's text. ``code_stop``: what is new about its code; NONE leaves
    what the row says.
    """

    machine_id: MachineId
    halted_at_ms: int
    fact: str
    error: str
    code_stop: CodeStop = CodeStop.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """A notification that is saved and not yet decided on, with the event that it became.
    ``received_at_ms``: when, by the clock of the gateway that saved it; None: nobody says.
    """

    inbox_id: int
    machine_id: MachineId
    event: Event
    received_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """Notifications that nobody has taken. ``after``: where the next page begins; None: there is
    none, and who goes on begins again.
    """

    items: "Sequence[InboxItem | Unreadable]"
    after: tuple[int, int] | None = None


class Change(Struct, frozen=True, kw_only=True):
    """One decision to be saved: ``decision.state.version`` must follow on the saved version.
    ``inbox_id`` is marked as taken with it.

    ``recovers``: the machine was halted and decides again, so the row that says so goes with it.
    """

    machine_id: MachineId
    event: Event
    decision: Decision
    now_ms: int
    inbox_id: int | None = None
    recovers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The proof of owning partitions: ``holder`` is unique for each start of a host; ``epochs``
    maps partition to epoch.
    """

    host: str
    holder: str
    epochs: dict[int, int]


class StoreError(Exception):
    """The store did not do it, or its answer was lost: the outcome is unknown. Reload before
    deciding again.

    StaleOwner, ClaimRefused, Conflict and OffersSpent below are definite; any other StoreError
    means "try again".
    """


class StaleOwner(StoreError):
    """Another holder has claimed a partition. Nothing was saved. Stop at once: this host owns
    nothing any more.
    """


class ClaimRefused(StoreError):
    """Others hold partitions that were claimed, or the layout is another than the claimant's.
    Nothing was taken. ``holders`` are those in the way; empty: it is the layout.
    """

    def __init__(self, sentence: str, holders: Sequence[Holder] = ()) -> None:
        super().__init__(sentence)
        self.holders = tuple(holders)


class Conflict(StoreError):
    """The saved version is not the one that was decided on, or a unique key was hit. Nothing was
    saved. ``machine_id`` is the machine that it concerns.
    """

    def __init__(self, machine_id: MachineId, detail: str) -> None:
        super().__init__(f"{machine_id}: {detail}")
        self.machine_id = machine_id
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedUse:
    """An offer that a vend used and that is used up, or over; ``why`` in a word."""

    machine_id: MachineId
    vend_id: VendId
    offer: str
    why: str


class OffersSpent(StoreError):
    """Uses of offers cannot be counted. Nothing of the batch was saved: decide again without them.
    ``refused`` names all of the batch.
    """

    def __init__(self, refused: Sequence[RefusedUse]) -> None:
        said = ", ".join(f"{one.machine_id} {one.offer} ({one.why})" for one in refused)
        super().__init__(f"offers are used up or over: {said}")
        self.refused = tuple(refused)


class MachineStore(Protocol):
    """Keeps machines. Every method raises StoreError when the database does not answer."""

    async def claim(
        self,
        claimant: Claimant,
        *,
        partitions: Sequence[int],
        now_ms: int,
        still: Mapping[str, int] | None = None,
    ) -> Ownership:
        """Take all of the partitions, each under its next epoch, or none: see ``actors.leases``,
        also for ``still``. A claimant with a place takes none that another place of its home has.
        Raises ClaimRefused; StaleOwner if one that goes on was superseded.
        """
        ...

    async def load(self, machine_id: MachineId) -> LoadedMachine | None:
        """Return a machine, or None if it is not registered. Raises what its rows lead to if they
        cannot be read.
        """
        ...

    async def load_each(
        self, machine_ids: Sequence[MachineId]
    ) -> Sequence[LoadedMachine | Unreadable]:
        """Return those of the machines that are registered, in any order, read together."""
        ...

    async def load_active(self, ownership: Ownership) -> list[LoadedMachine | Unreadable]:
        """Return the machines of these partitions that have something open: a deadline, a session,
        a refund, a code to be made, a halt.
        """
        ...

    async def commit(self, ownership: Ownership, changes: Sequence[Change]) -> None:
        """Save all of it, or nothing, in one transaction that proves the ownership. Several changes
        of one machine come in order.
        """
        ...

    async def halt(self, ownership: Ownership, halt: MachineHalt) -> None:
        """Write down that a machine is halted, in a transaction that proves the ownership. A row
        that is there keeps its time.
        """
        ...

    async def untaken(
        self, ownership: Ownership, *, after: tuple[int, int] | None, limit: int
    ) -> InboxPage:
        """Return notifications that are not taken, page by page, so that those of a machine that
        takes none hide nobody's.
        """
        ...

    async def untaken_of(
        self, ownership: Ownership, machine_ids: Sequence[MachineId], *, limit: int
    ) -> Sequence[InboxItem | Unreadable]:
        """Return the oldest notifications of these machines that are not taken."""
        ...

    async def machines_after(
        self, ownership: Ownership, *, after: MachineId, limit: int
    ) -> Sequence[MachineId]:
        """Return the first of these partitions' machines behind this id that are not retired, in
        the order of their ids.
        """
        ...

    async def reconfigured(self, ownership: Ownership, *, limit: int) -> list[MachineId]:
        """Return machines whose registry revision is above their state's: the actor has not decided
        on an administrator's change.
        """
        ...


class Leases(Protocol):
    """Keeps who holds partitions. Every method raises StoreError when the database does not
    answer.
    """

    async def holders(self) -> Sequence[Holder]:
        """Return all that hold partitions now."""
        ...

    async def look(self) -> Standing:
        """Return who has which partition, and how many hosts the layout has."""
        ...

    async def beat(self, holder: str) -> int | None:
        """Say that this holder lives; return how many hosts the layout has, None if there is none.
        Raises StaleOwner if it holds nothing any more.
        """
        ...

    async def release(self, holder: str, partition: int, *, epoch: int) -> None:
        """Let anybody have one partition, if this holder has it under this epoch; it must write
        nothing of it any more.
        """
        ...

    async def give_up(self, holder: str) -> None:
        """Let anybody have what this holder holds. It must write nothing any more."""
        ...

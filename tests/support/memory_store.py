"""A MachineStore in memory, with faults that a test switches: away, lost answers, slow, conflicts,
a mistake of its own.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from actors.leases import Claimant, Held, Holder, Standing, grant, hands_over, in_the_way
from actors.machine import code_calls
from actors.machine.events import ConfigurationChanged, Event
from actors.machine.ids import Currency, MachineId
from actors.machine.state import Column, Configuration, MachineState
from actors.placement import partition_of
from actors.ports import (
    Change,
    ClaimRefused,
    CodeStop,
    Conflict,
    InboxItem,
    InboxPage,
    Leases,
    LoadedMachine,
    MachineHalt,
    MachineStore,
    OffersSpent,
    Ownership,
    Place,
    RefusedUse,
    StaleOwner,
    StoreError,
    Unreadable,
)


@dataclass(slots=True, kw_only=True)
class Row:
    """One machine. ``history`` holds every change that was saved, in order."""

    state: MachineState
    place: Place
    configuration: ConfigurationChanged
    history: list[Change] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class InboxRow:
    """One notification."""

    item: InboxItem | Unreadable
    received_at_ms: int
    taken: bool = False


def is_active(state: MachineState) -> bool:
    """Return whether a new owner must know the machine at once."""
    code_open = state.version > 0 and not code_calls.rests(state.code)
    return bool(state.session or state.doubts or state.refunds or code_open or state.link.online)


class MemoryStore(MachineStore, Leases):
    """What would be SQL. Nothing of a failed commit is kept, unless ``lost_answers`` says that only
    the answer is lost.
    """

    def __init__(self, *, partition_count: int = 16) -> None:
        self.partition_count = partition_count
        self.rows: dict[MachineId, Row] = {}
        self.inbox: dict[int, InboxRow] = {}
        self.epochs: dict[int, tuple[str, int]] = {}
        self.host_count: int | None = None
        """Of the layout; None: there is none."""
        self.lost_releases = 0
        """This many releases are done, and their answers are lost."""
        self.held: dict[str, Holder] = {}
        """Who holds partitions, by the name of the holder."""
        self.halts: dict[MachineId, MachineHalt] = {}
        self.commits: list[tuple[Change, ...]] = []
        self.reads: list[tuple[MachineId, ...]] = []
        """Which machines each read asked for."""
        self.attempts = 0
        self.away = False
        """Nothing is done and nothing answered."""
        self.full = False
        """What is saved can be read, and nothing can be saved: a disk without room."""
        self.lost_answers = 0
        """This many commits are done, and their answers are lost."""
        self.conflicting: set[MachineId] = set()
        self.spent_offers: set[str] = set()
        """No use of these is counted any more."""
        self.breaking: set[MachineId] = set()
        """Commits with these machines raise what is no StoreError."""
        self.unreadable: set[MachineId] = set()
        """What is saved of these machines cannot be read."""
        self.breaking_reads: set[MachineId] = set()
        """Reads that ask for these machines, among others, raise what is no StoreError."""
        self.halts_refused = 0
        """This many rows of halted machines are not written."""
        self.gate: asyncio.Event | None = None
        """Commits wait here before anything is done."""
        self.delay_s = 0.0

    # --- for the test ---

    def register(
        self,
        machine_id: str,
        *,
        currency: str = "HKD",
        columns: Iterable[Column] = (),
        configuration: Configuration | None = None,
        state: MachineState | None = None,
    ) -> Row:
        """Put a machine into the registry."""
        wanted = configuration or Configuration(revision=1, planogram_version=1)
        row = Row(
            state=state
            or MachineState(machine_id=MachineId(machine_id), currency=Currency(currency)),
            place=Place(
                machine_id=MachineId(machine_id),
                store_name=f"Store {machine_id}",
                country_code="HK",
                address="1 Test Road",
                notify_url=f"https://pay.example/alipay/notify/{machine_id}",
            ),
            configuration=ConfigurationChanged(configuration=wanted, columns=tuple(columns)),
        )
        self.rows[MachineId(machine_id)] = row
        return row

    def state(self, machine_id: str) -> MachineState:
        """Return what is saved of the machine."""
        return self.rows[MachineId(machine_id)].state

    def events(self, machine_id: str) -> list[Event]:
        """Return the events whose decisions were saved, in order."""
        return [change.event for change in self.rows[MachineId(machine_id)].history]

    def notify(self, machine_id: str, event: Event, *, received_at_ms: int = 0) -> InboxItem:
        """Save a notification that nobody has taken."""
        item = InboxItem(
            inbox_id=len(self.inbox) + 1,
            machine_id=MachineId(machine_id),
            event=event,
            received_at_ms=received_at_ms,
        )
        self.inbox[item.inbox_id] = InboxRow(item=item, received_at_ms=received_at_ms)
        return item

    def take_over(self, partitions: Iterable[int]) -> None:
        """Let another holder own these partitions, of whom nothing else is known."""
        for partition in partitions:
            self.epochs[partition] = ("another holder", self.epochs.get(partition, ("", 0))[1] + 1)

    # --- MachineStore ---

    async def claim(
        self,
        claimant: Claimant,
        *,
        partitions: Sequence[int],
        now_ms: int,
        still: Mapping[str, int] | None = None,
    ) -> Ownership:
        """Own the partitions under their next epochs, if nobody is in the way."""
        await self._answer()
        if claimant.host_count not in {None, self.host_count or claimant.host_count}:
            raise ClaimRefused(f"the layout has {self.host_count} hosts")
        if claimant.goes_on and claimant.holder not in self.held:
            raise StaleOwner(f"{claimant.holder} holds nothing")
        owners = {number: self.epochs.get(number, ("", 0))[0] for number in partitions}
        before = set(owners.values()) - {claimant.holder}
        if not claimant.goes_on:
            before |= {name for name, each in self.held.items() if in_the_way(each, claimant)}
        losers = [self.held[holder] for holder in sorted(before) if holder in self.held]
        others = [each for each in losers if grant(each, claimant, still or {}) is None]
        if foreign := [each for each in others if not hands_over(each, claimant)]:
            raise ClaimRefused(f"{foreign[0].host} of {foreign[0].home} holds them", foreign)
        left = {each.holder for each in others}
        partitions = [number for number in partitions if owners[number] not in left]
        for each in losers:
            if each.holder not in left:
                del self.held[each.holder]
        if not claimant.goes_on:
            if claimant.place is not None:
                self.held = {
                    name: each
                    for name, each in self.held.items()
                    if (each.host, each.home) != (claimant.host, claimant.home)
                }
            self.held[claimant.holder] = Holder(
                holder=claimant.holder,
                host=claimant.host,
                home=claimant.home,
                lease_ms=claimant.lease_ms,
                since_at_ms=now_ms,
            )
        for partition in partitions:
            self.epochs[partition] = (
                claimant.holder,
                self.epochs.get(partition, ("", 0))[1] + 1,
            )
        return Ownership(
            host=claimant.host,
            holder=claimant.holder,
            epochs={partition: self.epochs[partition][1] for partition in partitions},
        )

    async def load(self, machine_id: MachineId) -> LoadedMachine | None:
        """Return the machine, or None."""
        for loaded in await self.load_each([machine_id]):
            if isinstance(loaded, Unreadable):
                raise loaded.error
            return loaded
        return None

    async def load_each(self, machine_ids: Sequence[MachineId]) -> list[LoadedMachine | Unreadable]:
        """Return the machines that there are."""
        self.reads.append(tuple(machine_ids))
        await self._answer()
        if self.breaking_reads.intersection(machine_ids):
            raise TypeError(f"{machine_ids} cannot be read")
        return [
            self._loaded(self.rows[machine_id])
            for machine_id in machine_ids
            if machine_id in self.rows
        ]

    async def load_active(self, ownership: Ownership) -> list[LoadedMachine | Unreadable]:
        """Return the owned machines that have something open or are halted."""
        await self._answer()
        return [
            self._loaded(row)
            for row in self._owned(ownership)
            if is_active(row.state) or row.state.machine_id in self.halts
        ]

    async def commit(self, ownership: Ownership, changes: Sequence[Change]) -> None:
        """Save all or nothing, after the faults have had their say."""
        self.attempts += 1
        if self.gate is not None:
            await self.gate.wait()
        await self._answer()
        if self.full:
            raise StoreError("database or disk is full")
        self._prove(ownership)
        self._check(changes)
        if refused := self._not_counted(changes):
            raise OffersSpent(refused)
        for change in changes:
            row = self.rows[change.machine_id]
            row.state = change.decision.state
            row.history.append(change)
            if change.inbox_id is not None:
                self.inbox[change.inbox_id].taken = True
            if change.recovers:
                self.halts.pop(change.machine_id, None)
        self.commits.append(tuple(changes))
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreError("the connection broke after COMMIT was sent")

    async def halt(self, ownership: Ownership, halt: MachineHalt) -> None:
        """Keep the row, with the time of the first one."""
        await self._answer()
        if self.halts_refused:
            self.halts_refused -= 1
            raise StoreError("the row was not written")
        self._prove(ownership)
        known = self.halts.get(halt.machine_id, halt)
        self.halts[halt.machine_id] = replace(
            halt, halted_at_ms=known.halted_at_ms, code_stop=halt.code_stop or known.code_stop
        )

    async def untaken(
        self, ownership: Ownership, *, after: tuple[int, int] | None, limit: int
    ) -> InboxPage:
        """Return a page of the owned notifications that nobody has taken."""
        rows = [row for row in await self._untaken(ownership) if row[0] > (after or (-1, -1))]
        page = rows[:limit]
        return InboxPage(
            items=[item for _, item in page], after=page[-1][0] if len(page) == limit else None
        )

    async def untaken_of(
        self, ownership: Ownership, machine_ids: Sequence[MachineId], *, limit: int
    ) -> Sequence[InboxItem | Unreadable]:
        """Return the oldest of these machines' notifications that nobody has taken."""
        rows = await self._untaken(ownership)
        return [item for _, item in rows if item.machine_id in machine_ids][:limit]

    async def _untaken(
        self, ownership: Ownership
    ) -> list[tuple[tuple[int, int], InboxItem | Unreadable]]:
        await self._answer()
        return sorted(
            (
                ((row.received_at_ms, inbox_id), row.item)
                for inbox_id, row in self.inbox.items()
                if not row.taken and self._partition(row.item.machine_id) in ownership.epochs
            ),
            key=itemgetter(0),
        )

    async def machines_after(
        self, ownership: Ownership, *, after: MachineId, limit: int
    ) -> list[MachineId]:
        """Return owned machines in the order of their ids."""
        await self._answer()
        return sorted(
            row.state.machine_id for row in self._owned(ownership) if row.state.machine_id > after
        )[:limit]

    async def reconfigured(self, ownership: Ownership, *, limit: int) -> list[MachineId]:
        """Return owned machines whose registry is ahead of them."""
        await self._answer()
        rows = [
            row
            for row in self._owned(ownership)
            if row.configuration.configuration.revision > row.state.configuration.revision
        ]
        return [row.state.machine_id for row in rows][:limit]

    # --- Leases ---

    async def holders(self) -> Sequence[Holder]:
        """Return all that hold something."""
        await self._answer()
        return list(self.held.values())

    async def look(self) -> Standing:
        """Return who has what."""
        await self._answer()
        return Standing(
            host_count=self.host_count,
            version=1,
            holders=list(self.held.values()),
            held={
                number: Held(self.held[holder].host if holder in self.held else "", holder, epoch)
                for number in range(self.partition_count)
                for holder, epoch in [self.epochs.get(number, ("", 0))]
            },
        )

    async def beat(self, holder: str) -> int | None:
        """Raise the holder's beat."""
        await self._answer()
        if holder not in self.held:
            raise StaleOwner(f"{holder} holds nothing")
        self.held[holder] = replace(self.held[holder], beat=self.held[holder].beat + 1)
        return self.host_count

    async def release(self, holder: str, partition: int, *, epoch: int) -> None:
        """Let anybody have one partition."""
        await self._answer()
        if self.epochs.get(partition) == (holder, epoch):
            self.epochs[partition] = ("", epoch)
        if self.lost_releases:
            self.lost_releases -= 1
            raise StoreError("the answer was lost")

    async def give_up(self, holder: str) -> None:
        """Let anybody have it."""
        await self._answer()
        self.held.pop(holder, None)

    # --- within ---

    async def _answer(self) -> None:
        await asyncio.sleep(self.delay_s)
        if self.away:
            raise StoreError("the database does not answer")

    def _prove(self, ownership: Ownership) -> None:
        for partition, epoch in ownership.epochs.items():
            if self.epochs.get(partition) != (ownership.holder, epoch):
                raise StaleOwner(f"partition {partition} is {self.epochs.get(partition)}")

    def _check(self, changes: Sequence[Change]) -> None:
        versions: dict[MachineId, int] = {}
        for change in changes:
            if change.machine_id in self.breaking:
                raise TypeError(f"{change.machine_id} cannot be written")
            if change.machine_id in self.conflicting:
                raise Conflict(change.machine_id, "a unique key was hit")
            saved = versions.get(change.machine_id, self.rows[change.machine_id].state.version)
            wanted = saved + 1 if change.decision.changed else saved
            if change.decision.state.version != wanted:
                raise Conflict(
                    change.machine_id,
                    f"version {change.decision.state.version} does not follow on {saved}",
                )
            versions[change.machine_id] = wanted

    def _not_counted(self, changes: Sequence[Change]) -> list[RefusedUse]:
        return [
            RefusedUse(
                machine_id=change.machine_id, vend_id=use.vend_id, offer=use.offer, why="BUDGET"
            )
            for change in changes
            for use in change.decision.uses
            if use.offer in self.spent_offers and not use.returned
        ]

    def _partition(self, machine_id: MachineId) -> int:
        return partition_of(machine_id, self.partition_count)

    def _owned(self, ownership: Ownership) -> list[Row]:
        return [
            row
            for row in self.rows.values()
            if self._partition(row.state.machine_id) in ownership.epochs
        ]

    def _loaded(self, row: Row) -> LoadedMachine | Unreadable:
        machine_id = row.state.machine_id
        if machine_id in self.unreadable:
            return Unreadable(
                machine_id=machine_id, error=ValueError(f"the state of {machine_id} makes no sense")
            )
        halt = self.halts.get(machine_id)
        return LoadedMachine(
            state=row.state,
            place=row.place,
            configuration=row.configuration,
            halted=halt is not None,
            halted_at_ms=None if halt is None else halt.halted_at_ms,
            code_stop=CodeStop.NONE if halt is None else halt.code_stop,
        )

"""The actors' store: the only way in which a machine's state and money are written.

A host commits a batch of decisions with the proof that it owns their machines, and gets no answer
before the transaction is committed. One batch is one transaction: fence, versions, then a few
statements for all rows, whatever the size of the batch. What the store reads it reads on the
connections of the money's path (``Database.read_money``).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    func,
    select,
    tuple_,
    union,
)
from sqlalchemy.exc import IntegrityError

from actors.leases import Claimant
from actors.machine.ids import MachineId
from actors.placement import partition_of
from actors.ports import (
    Change,
    Conflict,
    InboxItem,
    InboxPage,
    LoadedMachine,
    MachineHalt,
    MachineStore,
    Ownership,
    StaleOwner,
    StoreError,
    Unreadable,
)
from storage import codec
from storage.database.engine import Database
from storage.database.reader import describe
from storage.machines import halts, holding, offer_uses
from storage.machines.loading import Loader, machine_rows, read_rows
from storage.machines.rows import BatchRows, Owned, batch_rows, chained
from storage.machines.statements import commit_statements
from storage.tables import (
    inbox,
    machine_halts,
    machine_states,
    machines,
    sessions,
    vends,
)
from storage.tables.records import in_status

# What every sweep asks, put together once: making a statement costs more than running it.
_WAITING = (
    select(*inbox.c["id", "machine_id", "event", "received_at_ms"])
    .where(
        inbox.c.taken_at_ms.is_(None),
        inbox.c.partition.in_(bindparam("ours", expanding=True)),
    )
    .order_by(inbox.c.received_at_ms, inbox.c.id)
    .limit(bindparam("most", type_=Integer))
)
_UNTAKEN = _WAITING.where(
    tuple_(inbox.c.received_at_ms, inbox.c.id)
    > tuple_(bindparam("at_ms", type_=BigInteger), bindparam("id", type_=BigInteger))
)
_UNTAKEN_OF = _WAITING.where(inbox.c.machine_id.in_(bindparam("asked", expanding=True)))
_RECONFIGURED = (
    select(machines.c.machine_id)
    .select_from(
        machines.outerjoin(machine_states, machine_states.c.machine_id == machines.c.machine_id)
    )
    .where(
        machines.c.partition.in_(bindparam("ours", expanding=True)),
        machines.c.revision > func.coalesce(machine_states.c.revision, 0),
    )
    .limit(bindparam("most", type_=Integer))
)


_BEHIND = (
    select(machines.c.machine_id)
    .where(
        machines.c.partition.in_(bindparam("ours", expanding=True)),
        machines.c.machine_id > bindparam("after"),
        machines.c.retired_at_ms.is_(None),
    )
    .order_by(machines.c.machine_id)
    .limit(bindparam("most", type_=Integer))
)
_BUSY = union(
    select(sessions.c.machine_id).where(
        in_status(sessions, ["OPEN"]),
        sessions.c.machine_id.in_(bindparam("asked", expanding=True)),
    ),
    select(vends.c.machine_id).where(
        in_status(vends, ["APPROVED", "IN_DOUBT"]),
        vends.c.machine_id.in_(bindparam("asked", expanding=True)),
    ),
)
_REGISTERED = select(machines.c.machine_id).where(
    machines.c.machine_id.in_(bindparam("asked", expanding=True))
)


_BEGINNING = (-1, -1)
"""Before the first notification."""


class _Broken(Exception):
    """A unique key or another constraint was hit. ``detail`` is the database's own words."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class SqlMachineStore(MachineStore):
    """Keeps machines in SQL. Each method is one transaction. One that writes runs to its end even
    if the caller is cancelled.
    """

    def __init__(self, db: Database, *, notify_base_url: str) -> None:
        self._db = db
        self._loader = Loader(notify_base_url=notify_base_url.rstrip("/"))
        self._statements = commit_statements(db.dialect)

    async def claim(
        self,
        claimant: Claimant,
        *,
        partitions: Sequence[int],
        now_ms: int,
        still: Mapping[str, int] | None = None,
    ) -> Ownership:
        """Take all of the partitions, each under its next epoch, or none. Raises ClaimRefused."""
        return await self._db.write(
            lambda connection: holding.claim(
                connection, claimant, wanted=partitions, still=still or {}, now_ms=now_ms
            )
        )

    async def load(self, machine_id: MachineId) -> LoadedMachine | None:
        """Return a machine, or None if it is not registered. Raises CodecError, or what else its
        rows lead to, if they cannot be read.
        """
        for loaded in await self.load_each([machine_id]):
            if isinstance(loaded, Unreadable):
                raise loaded.error
            return loaded
        return None

    async def load_each(self, machine_ids: Sequence[MachineId]) -> list[LoadedMachine | Unreadable]:
        """Return those of the machines that are registered, read together."""
        return await self._db.read_money(
            lambda connection: self._loader.load(connection, read_rows(connection, machine_ids))
        )

    async def registered(self, machine_ids: Sequence[MachineId]) -> frozenset[MachineId]:
        """Return those of the machines that are registered."""

        def work(connection: Connection) -> frozenset[MachineId]:
            return frozenset(connection.scalars(_REGISTERED, {"asked": list(machine_ids)}))

        return await self._db.read_money(work)

    async def busy(self, machine_ids: Sequence[MachineId]) -> frozenset[MachineId]:
        """Return those of the machines at which a session is open or a vend has no outcome."""

        def work(connection: Connection) -> frozenset[MachineId]:
            return frozenset(connection.scalars(_BUSY, {"asked": list(machine_ids)}))

        return await self._db.read_money(work)

    async def load_active(self, ownership: Ownership) -> list[LoadedMachine | Unreadable]:
        """Return the machines of these partitions that have something open or were halted, and
        those for which nothing was ever decided.
        """
        ours = list(ownership.epochs)
        open_ones = and_(machine_states.c.partition.in_(ours), machine_states.c.active.is_(True))
        fresh_ones = and_(machines.c.partition.in_(ours), machine_states.c.machine_id.is_(None))
        halted_ones = and_(machines.c.partition.in_(ours), machine_halts.c.machine_id.is_not(None))

        def work(connection: Connection) -> list[LoadedMachine | Unreadable]:
            rows = [
                row
                for these in (open_ones, fresh_ones, halted_ones)
                for row in connection.execute(machine_rows(these))
            ]
            return self._loader.load(
                connection, list({row.machine_id: row for row in rows}.values())
            )

        return await self._db.read_money(work)

    async def commit(self, ownership: Ownership, changes: Sequence[Change]) -> None:
        """Save all of it, or nothing, in one transaction that proves the ownership. Several changes
        of one machine come in order.

        Raises StaleOwner, Conflict or OffersSpent if it was not saved, any other StoreError if
        nobody knows.
        """
        if not changes:
            return
        owned = self._owned(ownership, changes)
        _check_order(changes)
        rows = batch_rows(
            changes, owned
        )  # before the transaction, which may hold the only write lock
        try:
            await self._db.write(
                lambda connection: self._save(connection, ownership, owned, changes, rows)
            )
        except _Broken as broken:
            await self._blame(ownership, changes, owned, broken)

    async def halt(self, ownership: Ownership, halt: MachineHalt) -> None:
        """Write down that a machine is halted, in a transaction that proves the ownership. A row
        that is there keeps its time.
        """
        partition = partition_of(halt.machine_id, self._db.partition_count)
        if partition not in ownership.epochs:
            raise StaleOwner(
                f"{halt.machine_id} is in partition {partition}, which {ownership.host} has "
                "not claimed."
            )
        owned = {halt.machine_id: Owned(partition=partition, epoch=ownership.epochs[partition])}

        def work(connection: Connection) -> None:
            _prove(connection, ownership, owned)
            halts.write(connection, halt, host=ownership.host, epoch=owned[halt.machine_id].epoch)

        await self._db.write(work)

    async def untaken(
        self, ownership: Ownership, *, after: tuple[int, int] | None, limit: int
    ) -> InboxPage:
        """Return a page of the notifications that nobody has taken, in the order in which gateways
        received them. A row that comes later with an earlier time is in the next round.
        """
        at_ms, last_id = after or _BEGINNING
        rows = await self._waiting(ownership, _UNTAKEN, limit, at_ms=at_ms, id=last_id)
        more = len(rows) == limit
        return InboxPage(
            items=[_item(row) for row in rows],
            after=(rows[-1].received_at_ms, rows[-1].id) if more else None,
        )

    async def untaken_of(
        self, ownership: Ownership, machine_ids: Sequence[MachineId], *, limit: int
    ) -> Sequence[InboxItem | Unreadable]:
        """Return the oldest notifications of these machines that nobody has taken."""
        rows = await self._waiting(ownership, _UNTAKEN_OF, limit, asked=list(machine_ids))
        return [_item(row) for row in rows]

    async def _waiting(
        self, ownership: Ownership, query: Select[Any], limit: int, **wanted: object
    ) -> Sequence[Row[Any]]:
        wanted |= {"ours": list(ownership.epochs), "most": limit}
        return await self._db.read_money(lambda connection: connection.execute(query, wanted).all())

    async def machines_after(
        self, ownership: Ownership, *, after: MachineId, limit: int
    ) -> list[MachineId]:
        """Return the first machines behind this id that are not retired, in their order."""
        wanted = {"ours": list(ownership.epochs), "after": after, "most": limit}
        found = await self._db.read_money(
            lambda connection: connection.scalars(_BEHIND, wanted).all()
        )
        return [MachineId(machine_id) for machine_id in found]

    async def reconfigured(self, ownership: Ownership, *, limit: int) -> list[MachineId]:
        """Return machines whose registry revision is above their state's: an administrator's change
        that the actor has not heard of.
        """
        wanted = {"ours": list(ownership.epochs), "most": limit}
        found = await self._db.read_money(
            lambda connection: connection.scalars(_RECONFIGURED, wanted).all()
        )
        return [MachineId(machine_id) for machine_id in found]

    def _owned(self, ownership: Ownership, changes: Sequence[Change]) -> dict[MachineId, Owned]:
        owned: dict[MachineId, Owned] = {}
        for machine_id in {change.machine_id for change in changes}:
            partition = partition_of(machine_id, self._db.partition_count)
            if partition not in ownership.epochs:
                raise StaleOwner(
                    f"{machine_id} is in partition {partition}, which {ownership.host} has not "
                    "claimed."
                )
            owned[machine_id] = Owned(partition=partition, epoch=ownership.epochs[partition])
        return owned

    def _save(
        self,
        connection: Connection,
        ownership: Ownership,
        owned: dict[MachineId, Owned],
        changes: Sequence[Change],
        rows: BatchRows,
    ) -> None:
        _prove(connection, ownership, owned)
        saved = self._statements.saved.run(connection, list(owned))
        _check_versions(changes, {machine_id: version for machine_id, version, _ in saved})
        journal, states = chained(rows, {machine_id: digest for machine_id, _, digest in saved})
        records = (
            *(rows.sessions, rows.trades, rows.vends, rows.refunds),
            *(rows.alarms, rows.incidents, rows.commands),
        )
        others = (rows.transfers, rows.balances(), rows.goods, states, rows.taken)
        try:
            offer_uses.count(connection, rows.uses)
            halts.over(connection, rows.recovered)
            self._statements.save(
                connection, [*(list(some.values()) for some in records), *others, journal]
            )
        except IntegrityError as error:
            raise _Broken(describe(error)) from error

    async def _blame(
        self,
        ownership: Ownership,
        changes: Sequence[Change],
        owned: dict[MachineId, Owned],
        broken: _Broken,
    ) -> NoReturn:
        """Raise a Conflict that says whose change it was: save machine after machine in a
        transaction that is never committed, until it breaks again. Raises StoreError if it does
        not.
        """
        machine_ids = list(dict.fromkeys(change.machine_id for change in changes))
        if len(machine_ids) == 1:
            raise Conflict(machine_ids[0], broken.detail) from broken

        def work(connection: Connection) -> NoReturn:
            for machine_id in machine_ids:
                own = [change for change in changes if change.machine_id == machine_id]
                try:
                    self._save(connection, ownership, owned, own, batch_rows(own, owned))
                except _Broken as again:
                    raise Conflict(machine_id, again.detail) from again
            raise StoreError(f"A constraint was hit and is not any more: {broken.detail}")

        await self._db.write(work)


def _item(row: Row[Any]) -> InboxItem | Unreadable:
    try:
        return InboxItem(
            inbox_id=row.id,
            machine_id=MachineId(row.machine_id),
            event=codec.decode_event(row.event, whole=True),
            received_at_ms=row.received_at_ms,
        )
    except codec.CodecError as error:
        return Unreadable(machine_id=MachineId(row.machine_id), error=error)


def _prove(connection: Connection, ownership: Ownership, owned: dict[MachineId, Owned]) -> None:
    """Raise StaleOwner unless every partition of the batch is still ours, and keep it ours until
    the transaction ends.

    On SQLite the transaction holds the write lock; elsewhere the share lock makes a claim wait.
    """
    ours = {one.partition for one in owned.values()}
    asked = commit_statements(connection.dialect).holders
    holders = {
        partition: (holder, epoch)
        for partition, holder, epoch in asked.run(connection, sorted(ours))
    }
    for partition in ours:
        if holders.get(partition) != (ownership.holder, ownership.epochs[partition]):
            raise StaleOwner(
                f"Partition {partition} has another owner than {ownership.host} since epoch "
                f"{ownership.epochs[partition]}."
            )


def _check_order(changes: Sequence[Change]) -> None:
    """Raise Conflict unless each change of a machine follows on the one before it in the batch."""
    versions: dict[MachineId, int] = {}
    for change in changes:
        before = versions.get(change.machine_id)
        if before is not None and _expected(change) != before:
            raise Conflict(
                change.machine_id,
                (
                    f"version {change.decision.state.version} does not follow on {before} within "
                    "the batch"
                ),
            )
        versions[change.machine_id] = change.decision.state.version


def _check_versions(changes: Sequence[Change], saved: Mapping[str, int]) -> None:
    """Raise Conflict unless each machine's first change follows on the saved version."""
    expected: dict[MachineId, int] = {}
    for change in changes:
        expected.setdefault(change.machine_id, _expected(change))
    for machine_id, version in expected.items():
        if saved.get(machine_id, 0) != version:
            raise Conflict(
                machine_id,
                f"decided upon version {version}, but version {saved.get(machine_id, 0)} is saved",
            )


def _expected(change: Change) -> int:
    """Return the version that the change was decided upon."""
    return change.decision.state.version - (1 if change.decision.changed else 0)

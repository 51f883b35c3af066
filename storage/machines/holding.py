"""Who holds partitions, as SQL: claims, beats, what is given up, and takeovers by a person.

Flows in: a claimant and what it watched, or a person's order. Flows out: the epochs of a claim, or
ClaimRefused with a sentence that says who is in the way. The rules are in ``actors.leases``; here
they meet the rows, which nobody changes meanwhile.

A holder has one row in ``holders`` for as long as it holds something. Whoever takes a partition
from it takes the row too: its next beat is refused, and its next COMMIT by the epoch.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from actors.leases import Claimant, Held, Holder, Standing, grant, hands_over, in_the_way
from actors.ports import ClaimRefused, Leases, Ownership, StaleOwner, StoreError
from storage import codec
from storage.books.audit_rows import Actor, write_audit_row
from storage.database import schema
from storage.database.engine import Database
from storage.tables import holders, layout, machines, partitions

_HOLDERS = select(holders)
_BEAT = (
    update(holders).where(holders.c.holder == bindparam("whose")).values(beat=holders.c.beat + 1)
)
_GIVE_UP = delete(holders).where(holders.c.holder == bindparam("whose"))
_RELEASE = (
    update(partitions)
    .where(
        partitions.c.partition == bindparam("which"),
        partitions.c.holder == bindparam("whose"),
        partitions.c.epoch == bindparam("under"),
    )
    .values(owner="", holder="")
)
_HOST_COUNT = select(layout.c.host_count)
_STANDING = select(*partitions.c["partition", "owner", "holder", "epoch"]).order_by(
    partitions.c.partition
)


class SqlLeases(Leases):
    """Keeps holders in SQL. Each method is one short transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def holders(self) -> Sequence[Holder]:
        """Return all that hold partitions now."""
        return await self._db.read_money(_read)

    async def look(self) -> Standing:
        """Return who has which partition, and how many hosts the layout has."""
        return await self._db.read_money(standing)

    async def beat(self, holder: str) -> int | None:
        """Say that this holder lives; return how many hosts the layout has. Raises StaleOwner if it
        holds nothing any more.
        """

        def work(connection: Connection) -> tuple[int, int | None]:
            beats = connection.execute(_BEAT, {"whose": holder}).rowcount
            return beats, connection.scalar(_HOST_COUNT)

        beats, host_count = await self._db.write(work, proves=False)
        if not beats:
            raise StaleOwner(f"{holder} holds nothing any more.")
        return host_count

    async def release(self, holder: str, partition: int, *, epoch: int) -> None:
        """Let anybody have one partition, if this holder has it under this epoch. The epoch stays:
        the next claim raises it, and what the old owner commits without one is refused.
        """
        its = {"whose": holder, "which": partition, "under": epoch}
        await self._db.write(lambda connection: connection.execute(_RELEASE, its))

    async def give_up(self, holder: str) -> None:
        """Let anybody have what this holder holds. It must write nothing any more."""
        await self._db.write(lambda connection: connection.execute(_GIVE_UP, {"whose": holder}))

    async def bury(self, dead: Mapping[str, int], *, why: str, by: str, now_ms: int) -> None:
        """Let anybody have what these holders hold, unless they have beaten since ``dead`` saw
        them.
        """

        def work(connection: Connection) -> None:
            gone = [
                each
                for each in _read(connection, for_update=True)
                if dead.get(each.holder) == each.beat
            ]
            _forget(connection, [each.holder for each in gone])
            for each in gone:
                _audit(connection, by, "lease over", f"{_who(each)}: {why}", now_ms)

        await self._db.write(work)

    async def take_over(
        self, home: str, *, actor: Actor, reason: str, lease_ms: int, now_ms: int
    ) -> Sequence[Holder]:
        """Take everything from everybody, and keep it for the hosts of ``home``, for a lease;
        return who held it. Raises StoreError if that is that home already.
        """
        token = f"takeover-{now_ms}"
        heir = Holder(holder=token, host="", home=home, lease_ms=lease_ms, since_at_ms=now_ms)

        def work(connection: Connection) -> Sequence[Holder]:
            _lock(connection, None)
            losers = _read(connection, for_update=True)
            if losers and all(each.home == home for each in losers):
                raise StoreError(f"{home} holds the machines already: nothing was taken over.")
            _forget(connection, [each.holder for each in losers])
            connection.execute(
                update(partitions).values(
                    epoch=partitions.c.epoch + 1, holder=token, owner="", claimed_at_ms=now_ms
                )
            )
            connection.execute(insert(holders).values(_row(heir)))
            lost = "; ".join(_who(each) for each in losers) or "nobody"
            _audit(connection, actor, "takeover", f"for {home}, from {lost}: {reason}", now_ms)
            return losers

        return await self._db.write(work)


def claim(
    connection: Connection,
    claimant: Claimant,
    *,
    wanted: Sequence[int],
    still: Mapping[str, int],
    now_ms: int,
) -> Ownership:
    """Take all of the partitions, each under its next epoch, or none, but for those that another
    place of the claimant's home has. Whoever begins ends what other homes hold, all of it. Raises
    ClaimRefused, or StaleOwner.
    """
    rows = _lock(connection, wanted)
    if missing := sorted(set(wanted) - set(rows)):
        raise StoreError(
            f"The database has no partitions {missing}: the layout and the database do not "
            "belong together."
        )
    _prove_layout(connection, claimant)
    known = {each.holder: each for each in _read(connection, for_update=True)}
    if claimant.goes_on and claimant.holder not in known:
        raise StaleOwner(f"{claimant.holder} holds nothing any more.")
    losers = {holder: known[holder] for holder in rows.values() if holder in known}
    losers.pop(claimant.holder, None)
    if not claimant.goes_on:
        losers |= {each.holder: each for each in known.values() if in_the_way(each, claimant)}
    others = [each for each in losers.values() if grant(each, claimant, still) is None]
    if foreign := [each for each in others if not hands_over(each, claimant)]:
        raise ClaimRefused(_refusal(claimant, foreign), foreign)
    for each in others:  # They give it up by themselves.
        del losers[each.holder]
        wanted = [number for number in wanted if rows[number] != each.holder]
    _forget(connection, _emptied(connection, losers, wanted))
    if not claimant.goes_on:
        _forget(connection, [claimant.holder, *_former(known, claimant)])
        connection.execute(insert(holders).values(_row(_holder_of(claimant, now_ms))))
    if not wanted:
        return Ownership(host=claimant.host, holder=claimant.holder, epochs={})
    epochs = _take(connection, claimant, wanted, now_ms)
    detail = (
        f"{claimant.holder} took {len(epochs)} partitions: "
        f"{codec.encode_lines([f'{number}@{epochs[number]}' for number in sorted(epochs)])}"
    )
    _audit(connection, claimant.host, "claim", detail, now_ms)
    return Ownership(host=claimant.host, holder=claimant.holder, epochs=epochs)


def _lock(connection: Connection, wanted: Sequence[int] | None) -> dict[int, str]:
    """Return the holders of partitions, which no other claim, and no COMMIT, touches until the
    transaction ends; all of them for None.
    """
    rows = select(*partitions.c["partition", "holder"]).order_by(partitions.c.partition)
    if wanted is not None:
        rows = rows.where(partitions.c.partition.in_(list(wanted)))
    return {row.partition: row.holder for row in connection.execute(rows.with_for_update())}


def _take(
    connection: Connection, claimant: Claimant, wanted: Sequence[int], now_ms: int
) -> dict[int, int]:
    taken = connection.execute(
        update(partitions)
        .where(partitions.c.partition.in_(list(wanted)))
        .values(
            epoch=partitions.c.epoch + 1,
            owner=claimant.host,
            holder=claimant.holder,
            claimed_at_ms=now_ms,
        )
        .returning(partitions.c.partition, partitions.c.epoch)
    )
    return {row.partition: row.epoch for row in taken}


def _emptied(
    connection: Connection, losers: Mapping[str, Holder], wanted: Sequence[int]
) -> list[str]:
    """Return the losers whose row goes: all but a person's takeover of which something is left for
    another host.
    """
    left = set(
        connection.scalars(
            select(partitions.c.holder).where(partitions.c.partition.not_in(list(wanted)))
        )
    )
    return [each.holder for each in losers.values() if each.host or each.holder not in left]


def _former(known: Mapping[str, Holder], claimant: Claimant) -> list[str]:
    """Return the former starts of a host that has a place: of what they held it may want nothing
    now, and others wait for it.
    """
    return [
        each.holder
        for each in known.values()
        if claimant.place is not None and (each.host, each.home) == (claimant.host, claimant.home)
    ]


def _prove_layout(connection: Connection, claimant: Claimant) -> None:
    """Raise ClaimRefused unless the claimant was made for the layout, which nobody changes until
    the transaction ends. Who begins waits here for others that begin, of whom a later look at the
    holders tells.
    """
    row = connection.execute(select(layout).with_for_update(read=claimant.goes_on)).first()
    if row is None or claimant.host_count in {None, row.host_count}:
        return
    raise ClaimRefused(
        f"{claimant.host} was made for {claimant.host_count} hosts, and the layout has "
        f"{row.host_count} since version {row.version}."
    )


def _read(connection: Connection, *, for_update: bool = False) -> list[Holder]:
    rows = _HOLDERS.order_by(holders.c.holder)
    found = connection.execute(rows.with_for_update() if for_update else rows)
    return [Holder(**row) for row in found.mappings()]


def _forget(connection: Connection, gone: Sequence[str]) -> None:
    if gone:
        connection.execute(delete(holders).where(holders.c.holder.in_(list(gone))))


def _holder_of(claimant: Claimant, now_ms: int) -> Holder:
    return Holder(
        holder=claimant.holder,
        host=claimant.host,
        home=claimant.home,
        node=claimant.node,
        lease_ms=claimant.lease_ms,
        since_at_ms=now_ms,
        program=schema.head(),
    )


def _row(holder: Holder) -> dict[str, object]:
    return {column.name: getattr(holder, column.name) for column in holders.c}


def _refusal(claimant: Claimant, others: Sequence[Holder]) -> str:
    return f"{'; '.join(held_by(each) for each in others)}. Here is {claimant.home}."


def held_by(holder: Holder) -> str:
    """Say who holds partitions, and since when, as a clause."""
    since = dt.datetime.fromtimestamp(holder.since_at_ms // 1_000, dt.UTC)
    return f"{_who(holder)} holds machines since {since:%Y-%m-%d %H:%M:%S} UTC"


def _who(holder: Holder) -> str:
    if not holder.host:
        return f"a takeover for {holder.home}"
    on = f" on {holder.node}" if holder.node else ""
    return f"{holder.host} of {holder.home}{on}"


def _audit(
    connection: Connection, actor: str | Actor, action: str, detail: str, now_ms: int
) -> None:
    write_audit_row(
        connection, at_ms=now_ms, actor=actor, action=action, machine_id="", detail=detail
    )


def standing(connection: Connection) -> Standing:
    """Return who has which partition, and how many hosts the layout has."""
    row = connection.execute(select(layout)).first()
    return Standing(
        host_count=None if row is None else row.host_count,
        version=0 if row is None else row.version,
        holders=_read(connection),
        held={
            row.partition: Held(row.owner, row.holder, row.epoch)
            for row in connection.execute(_STANDING)
        },
    )


def figures(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return for each holder how many partitions it holds, and their highest epoch."""
    rows = connection.execute(
        select(
            partitions.c.holder,
            func.count().label("held"),
            func.max(partitions.c.epoch).label("epoch"),
        ).group_by(partitions.c.holder)
    )
    return {row.holder: (row.held, row.epoch) for row in rows}


def machine_counts(connection: Connection) -> dict[int, int]:
    """Return how many machines are registered in each partition that has any; who is retired does
    not count.
    """
    rows = connection.execute(
        select(machines.c.partition, func.count().label("there"))
        .where(machines.c.retired_at_ms.is_(None))
        .group_by(machines.c.partition)
    )
    return {row.partition: row.there for row in rows}

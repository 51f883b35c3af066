"""The administrators' side: which machines there are and how they are to work. Every change leaves
an audit row in its transaction.

A change makes a new ``revision``, which is the machine's etag. The machine's actor hears of it as
``ConfigurationChanged``; the registry never writes what the actor owns (stock, state, money). What
a change is checked against is read in its own transaction (``storage.fleet.changes``).
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from actors.machine.events import ConfigurationChanged
from actors.machine.ids import MachineId
from actors.machine.policy import Policy
from actors.machine.state import Column
from storage.books.audit_rows import Actor, Outcome, actor_of, write_audit_row
from storage.database.engine import Database
from storage.database.gathering import Gathered
from storage.fleet import heard, limits, planogram_waits
from storage.fleet.answers import Claim, mark_done
from storage.fleet.changes import (
    GoodsUnheard,
    MachineChange,
    Making,
    Planned,
    SecondPersonNeeded,
    check_in_use,
    may_have,
    plan,
)
from storage.fleet.joining import (
    JOINS_AT_ONCE,
    Joining,
    NewMachine,
    Registered,
    apart,
    check_same,
    column_rows,
    join,
    registered,
)
from storage.machines.loading import configuration_of
from storage.tables import (
    column_locks,
    column_pars,
    machines,
    notify_tokens,
    planogram_columns,
)

TOKEN_BYTES = 24
STORE_BYTES = 5
TOKENS_KEPT = 64
"""Of each machine so many earlier tokens go on working. Alipay repeats a notification for a day,
and tells of a trade's end a year later (docs/alipay.md 7.3).
"""

TOKENS_AT_ONCE = 128
"""So many notifications are looked up in one read: a crowd of guesses costs few."""

# What every notification asks, put together once.
_BY_ID = select(machines).where(machines.c.machine_id == bindparam("key"))
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_BY_TOKEN = select(machines).where(machines.c.notify_token.in_(_KEYS))
_BY_EARLIER_TOKEN = (
    select(notify_tokens.c.token.label("earlier_token"), machines)
    .join(notify_tokens, notify_tokens.c.machine_id == machines.c.machine_id)
    .where(notify_tokens.c.token.in_(_KEYS))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a machine's actor must be told, and the columns out of which a new planogram removes
    goods, as the books had them in that transaction; their ``stock`` is how many.
    """

    told: ConfigurationChanged
    gone: tuple[Column, ...] = ()


class Registry:
    """The registry of all machines. ``fleet`` are the limits of machines without their own, with
    which a machine's own must agree.
    """

    def __init__(self, db: Database, fleet: Policy | None = None) -> None:
        self._db = db
        self._fleet = fleet or Policy()
        self._joins = Gathered[Joining, Registered](self._join, most=JOINS_AT_ONCE)
        self._tokens = Gathered[str, Registered | None](self._of_tokens, most=TOKENS_AT_ONCE)

    async def register(
        self,
        new: NewMachine,
        *,
        actor: str | Actor,
        now_ms: int,
        claim: Claim | None = None,
        unlike: bool = False,
    ) -> Registered:
        """Take a machine into the fleet. Again with the same content: the same answer; raises
        AlreadyRegistered otherwise. A ``claim`` that has registered it already asks no more. Raises
        SecondPersonNeeded if a limit of its own would allow more than the fleet's,
        LimitsContradict, ProductsArchived, and LooksLike if it is to be ``unlike`` all who joined
        just now.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        return await self._joins.do(
            Joining(new=new, token=token, actor=actor, now_ms=now_ms, claim=claim, unlike=unlike)
        )

    async def _join(self, wishes: Sequence[Joining]) -> Sequence[Registered | Exception]:
        outcomes: dict[int, Registered | Exception] = {}
        for places in apart(wishes):
            some = [wishes[place] for place in places]
            outcomes.update(zip(places, await self._join_some(some), strict=True))
        return [outcomes[place] for place in range(len(wishes))]

    async def _join_some(self, wishes: Sequence[Joining]) -> Sequence[Registered | Exception]:
        count = self._db.partition_count
        return await self._db.write(
            lambda connection: join(connection, wishes, partition_count=count, fleet=self._fleet)
        )

    async def change(
        self,
        machine_id: MachineId,
        change: MachineChange | Making,
        *,
        actor: str | Actor,
        action: str,
        now_ms: int,
        etag: str = "",
        detail: str = "",
        claim: Claim | None = None,
        person: str = "",
    ) -> Changed:
        """Make the change and return what the actor must be told; raises ChangeRefused.

        The new revision counts even if the actor is not told now: it is found by ``reconfigured``.
        A ``claim`` whose change is made already changes nothing. The audit row says what was
        changed, before and after, and behind it ``detail``; a change after which nothing differs
        writes nothing, unless Alipay has refused the code. A change that raises a limit which
        guards money is made when a second ``person`` wants it; until then it raises
        SecondPersonNeeded, and the first one's wish is written down.
        """

        def work(connection: Connection) -> Changed | SecondPersonNeeded:
            row = _row(connection, machine_id, lock=True)
            if claim is not None and claim.done and row is not None:
                told = ConfigurationChanged(configuration=configuration_of(row))
                return Changed(told=told, gone=claim.gone)
            wished = _made(connection, row, change)
            planned = plan(
                connection, machine_id, row, wished, etag=etag, now_ms=now_ms, fleet=self._fleet
            )
            if planned.unheard:
                raise GoodsUnheard(planned.unheard)
            said = "; ".join(part for part in (planned.difference, detail) if part)
            if wanted := self._raised(planned):
                who = actor_of(actor).name
                first = limits.confirmed_by_another(
                    connection,
                    machine_id,
                    planned.before.revision,
                    wanted,
                    actor=who,
                    person=person or who.casefold(),
                    now_ms=now_ms,
                )
                if first is None:
                    write_audit_row(
                        connection,
                        at_ms=now_ms,
                        actor=actor,
                        action=action,
                        machine_id=machine_id,
                        detail=f"{said}; nothing is changed before another person wants it too",
                        outcome=Outcome.PROPOSED,
                    )
                    return SecondPersonNeeded(limits.words(wanted), proposed=True)
                said = f"{said}; proposed by {first}"
            if planned.values:
                connection.execute(
                    update(machines)
                    .where(machines.c.machine_id == machine_id)
                    .values(planned.values)
                )
                if wished.notify_token is not None and row is not None:
                    _keep_token(connection, row, now_ms)
                if planned.told.columns is not None:
                    _write_columns(connection, machine_id, planned.told.columns)
                    said = "; ".join((said, *_lower_pars(connection, machine_id)))
                if planned.told.configuration.retired:
                    _is_over(connection, machine_id)
                else:
                    _wait_for_it(connection, machine_id, planned, now_ms)
            if claim is not None:
                mark_done(connection, claim, planned.gone)
            if planned.values or wished.beside:
                write_audit_row(
                    connection,
                    at_ms=now_ms,
                    actor=actor,
                    action=action,
                    machine_id=machine_id,
                    detail=said,
                )
            return Changed(told=planned.told, gone=planned.gone)

        made = await self._db.write(work)
        if isinstance(made, SecondPersonNeeded):  # now that the wish is saved
            raise made
        return made

    async def check(
        self, machine_id: MachineId, change: MachineChange, *, etag: str = "", now_ms: int
    ) -> Changed:
        """Return what ``change`` would return now if nobody else had to want it, and change
        nothing; raises ChangeRefused.
        """
        planned = await self._db.read(
            lambda connection: plan(
                connection,
                machine_id,
                _row(connection, machine_id),
                change,
                etag=etag,
                now_ms=now_ms,
                fleet=self._fleet,
            )
        )
        return Changed(told=planned.told, gone=planned.gone)

    async def foreseen(
        self, wanted: Mapping[str, Sequence[Column]]
    ) -> dict[str, tuple[tuple[Column, ...], tuple[Column, ...]]]:
        """Return for each of these machines, which shall have another planogram, the present one,
        and the columns of which goods would have no place any more; their ``stock`` is how many.
        """
        return await self._db.read(lambda connection: heard.foreseen(connection, wanted))

    def _raised(self, planned: Planned) -> dict[str, int | None]:
        after = planned.told.configuration.overrides
        return limits.raised(planned.before.overrides, after, self._fleet)

    async def check_new(self, new: NewMachine) -> bool:
        """Return whether ``register`` would take this machine in now, or find it there with the
        same content. Raises AlreadyRegistered, LimitsContradict or ProductsArchived.
        """

        def work(connection: Connection) -> bool:
            there = _row(connection, new.machine_id)
            if there is not None:
                check_same(connection, there, new)
            else:
                may_have(new.overrides, self._fleet)
                check_in_use(connection, (), new.columns)
            return there is None

        return await self._db.read(work)

    async def by_token(self, token: str) -> Registered | None:
        """Return the machine whose notify URL ends in this token, or once did; or None."""
        return await self._tokens.do(token)

    async def _of_tokens(self, tokens: Sequence[str]) -> Sequence[Registered | None]:
        return await self._db.read_money(lambda connection: _by_tokens(connection, tokens))

    @staticmethod
    def rotation(machine_id: MachineId, *, new_code: bool) -> MachineChange:
        """Return the change that gives the machine's code another notify URL, and, if it shall be a
        ``new_code``, a store of its own at Alipay, which keeps one code for each store and takes no
        dash in its id.
        """
        named = machine_id.replace("-", "_")
        store_id = f"{named}_{secrets.token_hex(STORE_BYTES)}" if new_code else None
        return MachineChange(notify_token=secrets.token_urlsafe(TOKEN_BYTES), store_id=store_id)

    async def get(self, machine_id: MachineId) -> Registered | None:
        """Return a machine, or None if it is not registered."""
        row = await self._db.read_money(lambda connection: _row(connection, machine_id))
        return None if row is None else registered(row)

    async def audit(
        self,
        *,
        actor: str | Actor,
        action: str,
        machine_id: str,
        detail: str,
        now_ms: int,
        outcome: Outcome = Outcome.DONE,
    ) -> None:
        """Write down who did what, for acts that change nothing here."""
        await self._db.write(
            lambda connection: write_audit_row(
                connection,
                at_ms=now_ms,
                actor=actor,
                action=action,
                machine_id=machine_id,
                detail=detail,
                outcome=outcome,
            )
        )

    async def partition_count(self) -> int:
        """Return the number of partitions, fixed when the database was created."""
        return self._db.partition_count


def _by_tokens(connection: Connection, tokens: Sequence[str]) -> list[Registered | None]:
    rows = {row.notify_token: row for row in connection.execute(_BY_TOKEN, {"keys": list(tokens)})}
    if earlier := [token for token in tokens if token not in rows]:
        found = connection.execute(_BY_EARLIER_TOKEN, {"keys": earlier})
        rows |= {row.earlier_token: row for row in found}
    return [registered(rows[token]) if token in rows else None for token in tokens]


def _row(connection: Connection, machine_id: MachineId, *, lock: bool = False) -> Row[Any] | None:
    # The weaker lock: a commit of the machine's journal, which names this row by its key, does not
    # wait for it.
    return connection.execute(
        _BY_ID.with_for_update(key_share=True) if lock else _BY_ID, {"key": machine_id}
    ).one_or_none()


def _made(
    connection: Connection, row: Row[Any] | None, change: MachineChange | Making
) -> MachineChange:
    if isinstance(change, MachineChange):
        return change
    return MachineChange() if row is None else change(connection, row)


def _keep_token(connection: Connection, row: Row[Any], now_ms: int) -> None:
    """Let the token that is replaced lead to its machine still; the earliest of too many goes."""
    c = notify_tokens.c
    connection.execute(
        insert(notify_tokens).values(
            token=row.notify_token, machine_id=row.machine_id, replaced_at_ms=now_ms
        )
    )
    newest = (
        select(c.token)
        .where(c.machine_id == row.machine_id)
        .order_by(c.replaced_at_ms.desc(), c.token)
    )
    for token in connection.scalars(newest.offset(TOKENS_KEPT)).all():
        connection.execute(delete(notify_tokens).where(c.token == token))


def _is_over(connection: Connection, machine_id: MachineId) -> None:
    """Expect nothing of a retired machine any more: no planogram, and no lock, which nobody could
    take off it again, so that its recall would be looked at for ever.
    """
    planogram_waits.over(connection, machine_id)
    connection.execute(delete(column_locks).where(column_locks.c.machine_id == machine_id))


def _wait_for_it(
    connection: Connection, machine_id: MachineId, planned: Planned, now_ms: int
) -> None:
    """Note that the machine does not show its new planogram yet."""
    after = planned.told.configuration
    if after.planogram_version != planned.before.planogram_version:
        wanted = {
            "machine_id": machine_id,
            "planogram_version": after.planogram_version,
            "since_at_ms": now_ms,
            "goods_may_be_removed": planned.told.goods_may_be_removed,
        }
        planogram_waits.wanted(connection, [wanted])


def _lower_pars(connection: Connection, machine_id: MachineId) -> list[str]:
    """Make each par that does not fit any more what fits, and return the changes in words."""
    par, planned = column_pars.c, planogram_columns.c
    too_high = (
        select(par.column, par.par, planned.capacity)
        .join(
            planogram_columns,
            and_(
                planned.machine_id == par.machine_id,
                planned.column == par.column,
                planned.product == par.product,
            ),
        )
        .where(par.machine_id == machine_id, par.par > planned.capacity)
        .order_by(par.column)
    )
    rows = connection.execute(too_high).all()
    for row in rows:
        mine = (par.machine_id == machine_id, par.column == row.column)
        lower = {"par": row.capacity, "revision": par.revision + 1}
        connection.execute(update(column_pars).where(*mine).values(lower))
    return [f"par of {row.column} {row.par} -> {row.capacity}" for row in rows]


def _write_columns(
    connection: Connection, machine_id: MachineId, columns: Sequence[Column]
) -> None:
    connection.execute(
        delete(planogram_columns).where(planogram_columns.c.machine_id == machine_id)
    )
    if columns:
        connection.execute(insert(planogram_columns), column_rows(machine_id, columns))

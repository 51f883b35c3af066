"""The administrators' side: which machines there are and how they are to work. Every change leaves
an audit row in its transaction.

A change makes a new ``revision``, which is the machine's etag. The machine's actor hears of it as
``ConfigurationChanged``; the registry never writes what the actor owns (stock, state, money). What
a change is checked against is read in its own transaction (``storage.fleet.changes``).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, update

from actors.machine.events import ConfigurationChanged
from actors.machine.ids import Currency, MachineId
from actors.machine.policy import Policy, PolicyOverrides
from actors.machine.state import Column, Mode
from actors.placement import partition_of
from storage import codec
from storage.books.audit_rows import Actor, Outcome, actor_of, write_audit_row
from storage.database.engine import Database
from storage.fleet import limits
from storage.fleet.answers import Claim, mark_done
from storage.fleet.changes import MachineChange, Planned, SecondPersonNeeded, plan
from storage.machines.loading import configuration_of, read_columns
from storage.tables import machines, planogram_columns

TOKEN_BYTES = 24

# What every notification asks, put together once.
_BY_ID = select(machines).where(machines.c.machine_id == bindparam("key"))
_BY_TOKEN = select(machines).where(machines.c.notify_token == bindparam("key"))


class AlreadyRegistered(Exception):
    """The machine id is taken, with other content. ``detail`` says what differs; change it by the
    other calls.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMachine:
    """What an administrator says about a machine that joins the fleet."""

    machine_id: MachineId
    store_name: str
    currency: Currency
    country_code: str
    address: str
    mode: Mode = Mode.BOTH
    overrides: PolicyOverrides = PolicyOverrides()
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A machine of the registry. ``notify_token`` is the secret part of the URL at which Alipay
    reports its payments.
    """

    machine_id: MachineId
    currency: Currency
    notify_token: str
    revision: int


class Registry:
    """The registry of all machines. ``fleet`` are the limits of machines without their own."""

    def __init__(self, db: Database, fleet: Policy | None = None) -> None:
        self._db = db
        self._fleet = fleet or Policy()

    async def register(
        self, new: NewMachine, *, actor: str | Actor, now_ms: int, claim: Claim | None = None
    ) -> Registered:
        """Take a machine into the fleet. Again with the same content: the same answer; raises
        AlreadyRegistered otherwise. A ``claim`` that has registered it already asks no more. Raises
        SecondPersonNeeded if a limit of its own would allow more than the fleet's.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)

        def work(connection: Connection) -> Registered:
            there = _row(connection, new.machine_id)
            if there is not None:
                if claim is None or not claim.done:
                    _same(connection, there, new)
                return _registered(there)
            self._check_limits_of(new)
            made = _insert(connection, new, token, self._db.partition_count, now_ms)
            if claim is not None:
                mark_done(connection, claim)
            write_audit_row(
                connection,
                at_ms=now_ms,
                actor=actor,
                action="register",
                machine_id=new.machine_id,
                detail=f"{new.store_name}, {new.currency}",
            )
            return made

        return await self._db.write(work)

    async def change(
        self,
        machine_id: MachineId,
        change: MachineChange,
        *,
        actor: str | Actor,
        action: str,
        now_ms: int,
        etag: str = "",
        detail: str = "",
        claim: Claim | None = None,
        person: str = "",
    ) -> ConfigurationChanged:
        """Make the change and return what the actor must be told; raises ChangeRefused.

        The new revision counts even if the actor is not told now: it is found by ``reconfigured``.
        A ``claim`` whose change is made already changes nothing. The audit row says what was
        changed, before and after, and behind it ``detail``. A change that raises a limit which
        guards money is made when a second ``person`` wants it; until then it raises
        SecondPersonNeeded, and the first one's wish is written down.
        """

        def work(connection: Connection) -> ConfigurationChanged | SecondPersonNeeded:
            row = _row(connection, machine_id, lock=True)
            if claim is not None and claim.done and row is not None:
                return ConfigurationChanged(configuration=configuration_of(row))
            planned = plan(connection, machine_id, row, change, etag=etag, now_ms=now_ms)
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
                if change.columns is not None:
                    _write_columns(connection, machine_id, change.columns)
            if claim is not None:
                mark_done(connection, claim)
            if planned.values:
                write_audit_row(
                    connection,
                    at_ms=now_ms,
                    actor=actor,
                    action=action,
                    machine_id=machine_id,
                    detail=said,
                )
            return planned.told

        made = await self._db.write(work)
        if isinstance(made, SecondPersonNeeded):  # now that the wish is saved
            raise made
        return made

    async def check(
        self, machine_id: MachineId, change: MachineChange, *, etag: str = "", now_ms: int
    ) -> ConfigurationChanged:
        """Return what ``change`` would return now if nobody else had to want it, and change
        nothing; raises ChangeRefused.
        """
        return await self._db.read(
            lambda connection: (
                plan(
                    connection,
                    machine_id,
                    _row(connection, machine_id),
                    change,
                    etag=etag,
                    now_ms=now_ms,
                ).told
            )
        )

    def _raised(self, planned: Planned) -> dict[str, int | None]:
        after = planned.told.configuration.overrides
        return limits.raised(planned.before.overrides, after, self._fleet)

    def _check_limits_of(self, new: NewMachine) -> None:
        if wanted := limits.raised(PolicyOverrides(), new.overrides, self._fleet):
            raise SecondPersonNeeded(limits.words(wanted), proposed=False)

    async def check_new(self, new: NewMachine) -> bool:
        """Return whether ``register`` would take this machine in now, or find it there with the
        same content. Raises AlreadyRegistered.
        """

        def work(connection: Connection) -> bool:
            there = _row(connection, new.machine_id)
            if there is not None:
                _same(connection, there, new)
            return there is None

        return await self._db.read(work)

    async def by_token(self, token: str) -> Registered | None:
        """Return the machine whose notify URL ends in this token, or None."""
        return await self._find(_BY_TOKEN, token)

    async def get(self, machine_id: MachineId) -> Registered | None:
        """Return a machine, or None if it is not registered."""
        return await self._find(_BY_ID, machine_id)

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

    async def _find(self, wanted: Select[Any], key: str) -> Registered | None:
        row = await self._db.read_money(
            lambda connection: connection.execute(wanted, {"key": key}).one_or_none()
        )
        return None if row is None else _registered(row)


def _same(connection: Connection, there: Row[Any], new: NewMachine) -> None:
    """Raise AlreadyRegistered unless the machine that is there is this one."""
    if there.retired_at_ms is not None:
        raise AlreadyRegistered(f"{new.machine_id} was retired, and an id is used once")
    if differing := _differing(connection, there, new):
        raise AlreadyRegistered(
            f"{new.machine_id} is registered with another {', '.join(differing)}"
        )


def _insert(
    connection: Connection, new: NewMachine, token: str, partition_count: int, now_ms: int
) -> Registered:
    connection.execute(
        insert(machines).values(
            machine_id=new.machine_id,
            partition=partition_of(new.machine_id, partition_count),
            revision=1,
            currency=new.currency,
            store_name=new.store_name,
            country_code=new.country_code,
            address=new.address,
            notify_token=token,
            enabled=True,
            mode=new.mode.value,
            planogram_version=1 if new.columns else 0,
            registered_at_ms=now_ms,
            overrides=codec.encode_overrides(new.overrides),
        )
    )
    _write_columns(connection, new.machine_id, new.columns)
    return Registered(
        machine_id=new.machine_id, currency=new.currency, notify_token=token, revision=1
    )


def _differing(connection: Connection, there: Row[Any], new: NewMachine) -> list[str]:
    configuration = configuration_of(there)
    pairs = {
        "store name": (there.store_name, new.store_name),
        "currency": (there.currency, new.currency),
        "country code": (there.country_code, new.country_code),
        "address": (there.address, new.address),
        "mode": (configuration.mode, new.mode),
        "policy": (configuration.overrides, new.overrides),
        "planogram": (read_columns(connection, [new.machine_id])[new.machine_id], new.columns),
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def _row(connection: Connection, machine_id: MachineId, *, lock: bool = False) -> Row[Any] | None:
    # The weaker lock: a commit of the machine's journal, which names this row by its key, does not
    # wait for it.
    return connection.execute(
        _BY_ID.with_for_update(key_share=True) if lock else _BY_ID, {"key": machine_id}
    ).one_or_none()


def _registered(row: Row[Any]) -> Registered:
    return Registered(
        machine_id=MachineId(row.machine_id),
        currency=Currency(row.currency),
        notify_token=row.notify_token,
        revision=row.revision,
    )


def _write_columns(
    connection: Connection, machine_id: MachineId, columns: Sequence[Column]
) -> None:
    connection.execute(
        delete(planogram_columns).where(planogram_columns.c.machine_id == machine_id)
    )
    if columns:
        rows = [
            {
                "machine_id": machine_id,
                "column": column.column,
                "place": place,
                "product": column.product,
                "price_minor": column.price_minor,
                "capacity": column.capacity,
                "stock": column.stock,
            }
            for place, column in enumerate(columns)
        ]
        connection.execute(insert(planogram_columns), rows)

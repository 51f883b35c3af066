"""Machines that join the fleet: as many as ask at the same moment, in one transaction, each with
its audit row.

Flows in: what administrators say about new machines. Flows out: of each the machine as it is
registered, or why it is not. All that may refuse one is asked before anything of it is written, so
that a refusal leaves nothing behind and is no other one's matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select

from actors.machine.events import ConfigurationChanged
from actors.machine.ids import Currency, MachineId, store_id_of
from actors.machine.policy import Policy, PolicyOverrides
from actors.machine.state import Column, Configuration, Mode
from actors.placement import partition_of
from storage import codec
from storage.books.audit_rows import Actor, AuditRow, write_audit_rows
from storage.database import dialects
from storage.fleet import alike, limits, planogram_waits
from storage.fleet.answers import Claim, RequestInProgress, mark_done
from storage.fleet.changes import ChangeRefused, SecondPersonNeeded, check_in_use, may_have
from storage.machines.loading import configuration_of, read_columns
from storage.tables import machines, planogram_columns

JOINS_AT_ONCE = 100
"""At most so many machines join in one transaction."""

_THERE = select(machines).where(machines.c.machine_id.in_(bindparam("asked", expanding=True)))
_NEW_MACHINES = insert(machines)
_NEW_COLUMNS = insert(planogram_columns)


JUST_NOW_MS = 600_000
"""Who takes a machine in has looked through the whole fleet for ids that look like its own; who
joined since then joined in this time, even if clocks differ.
"""


class LooksLike(Exception):
    """Another machine joined at the same moment, whose id people take for this one's."""

    def __init__(self, other: str) -> None:
        super().__init__(other)
        self.other = other


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

    @property
    def configuration(self) -> ConfigurationChanged:
        """What its actor must be told once it is registered."""
        return ConfigurationChanged(
            configuration=Configuration(
                revision=1,
                mode=self.mode,
                overrides=self.overrides,
                planogram_version=1 if self.columns else 0,
            ),
            columns=self.columns or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A machine of the registry. ``notify_token`` is the secret part of the URL at which Alipay
    reports its payments. ``joined``: it was taken in just now.
    """

    machine_id: MachineId
    currency: Currency
    notify_token: str
    revision: int
    joined: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """One administrator's wish. ``token`` becomes the machine's, if it is new. ``unlike``: it is
    not taken in beside one that joined just now and looks like it.
    """

    new: NewMachine
    token: str
    actor: str | Actor
    now_ms: int
    claim: Claim | None = None
    unlike: bool = False


def apart(wishes: Sequence[Joining]) -> Iterator[list[int]]:
    """Yield the places of wishes that may be met in one transaction: of one machine only the first,
    the second among the next ones, which then find it registered.
    """
    places = list(range(len(wishes)))
    while places:
        firsts: dict[MachineId, int] = {}
        for place in places:
            firsts.setdefault(wishes[place].new.machine_id, place)
        yield list(firsts.values())
        places = [place for place in places if firsts[wishes[place].new.machine_id] != place]


def join(
    connection: Connection, wishes: Sequence[Joining], *, partition_count: int, fleet: Policy
) -> list[Registered | Exception]:
    """Take machines in, each of which is wished once, and return what came of each wish, in their
    order: AlreadyRegistered, LooksLike, ChangeRefused and RequestInProgress are one wish's own.
    Call it alone in a transaction.
    """
    if any(wish.unlike for wish in wishes):
        dialects.office_alone(connection)  # two at two gateways: the second finds the first
    asked = [wish.new.machine_id for wish in wishes]
    there = {row.machine_id: row for row in connection.execute(_THERE, {"asked": asked})}
    outcomes: list[Registered | Exception] = []
    new: list[Joining] = []
    unlike = [wish for wish in wishes if wish.unlike and wish.new.machine_id not in there]
    joined = _joined_just_now(connection, unlike)
    for wish in wishes:
        try:
            known = _known(connection, there, wish, fleet)
            if known is None:
                _check_unlike(wish, joined)
                if wish.claim is not None:
                    mark_done(connection, wish.claim)
                joined.append(wish.new.machine_id)
        except (AlreadyRegistered, LooksLike, ChangeRefused, RequestInProgress) as error:
            outcomes.append(error)
            continue
        if known is None:
            new.append(wish)
        outcomes.append(known or _joined(wish))
    _write(connection, new, partition_count)
    return outcomes


def _joined_just_now(connection: Connection, wishes: Sequence[Joining]) -> list[str]:
    """Return who joined just now and looks like one of those who wish to."""
    if not wishes:
        return []
    c = machines.c
    alike_ones = alike.named(c.machine_id, [wish.new.machine_id for wish in wishes]).whereclause
    assert alike_ones is not None, "it asks for names"
    since_ms = min(wish.now_ms for wish in wishes) - JUST_NOW_MS
    # The time first: what is looked at beyond it costs a comparison, and others wait meanwhile.
    found = select(c.machine_id).where(c.registered_at_ms > since_ms).where(alike_ones)
    return sorted(connection.scalars(found))


def _check_unlike(wish: Joining, joined: Sequence[str]) -> None:
    name = wish.new.machine_id
    if wish.unlike and (other := alike.among([name, *joined]).get(name)) is not None:
        raise LooksLike(other)


def _joined(wish: Joining) -> Registered:
    return Registered(
        machine_id=wish.new.machine_id,
        currency=wish.new.currency,
        notify_token=wish.token,
        revision=1,
        joined=True,
    )


def _known(
    connection: Connection, there: Mapping[str, Row[Any]], wish: Joining, fleet: Policy
) -> Registered | None:
    """Return the machine if it is registered with the same content, None if it may be taken in."""
    row = there.get(wish.new.machine_id)
    if row is None:
        may_have(wish.new.overrides, fleet)
        check_in_use(connection, (), wish.new.columns)
        if raised := limits.raised(PolicyOverrides(), wish.new.overrides, fleet):
            raise SecondPersonNeeded(limits.words(raised), proposed=False)
        return None
    if wish.claim is None or not wish.claim.done:
        check_same(connection, row, wish.new)
    return registered(row)


def _write(connection: Connection, wishes: Sequence[Joining], partition_count: int) -> None:
    if not wishes:
        return
    connection.execute(_NEW_MACHINES, [_machine_row(wish, partition_count) for wish in wishes])
    columns = [row for wish in wishes for row in column_rows(wish.new.machine_id, wish.new.columns)]
    if columns:
        connection.execute(_NEW_COLUMNS, columns)
    planogram_waits.wanted(
        connection,
        [
            {
                "machine_id": new.machine_id,
                "planogram_version": 1,
                "since_at_ms": wish.now_ms,
                "goods_may_be_removed": False,
            }
            for wish in wishes
            if (new := wish.new).columns
        ],
    )
    write_audit_rows(
        connection,
        [
            AuditRow(
                at_ms=wish.now_ms,
                actor=wish.actor,
                action="RegisterMachine",
                machine_id=wish.new.machine_id,
                detail=f"{wish.new.store_name}, {wish.new.currency}",
            )
            for wish in wishes
        ],
    )


def _machine_row(wish: Joining, partition_count: int) -> dict[str, Any]:
    new = wish.new
    return {
        "machine_id": new.machine_id,
        "partition": partition_of(new.machine_id, partition_count),
        "revision": 1,
        "currency": new.currency,
        "store_name": new.store_name,
        "country_code": new.country_code,
        "address": new.address,
        "notify_token": wish.token,
        "store_id": store_id_of(new.machine_id),
        "enabled": True,
        "mode": new.mode.value,
        "planogram_version": 1 if new.columns else 0,
        "registered_at_ms": wish.now_ms,
        "overrides": codec.encode_overrides(new.overrides),
    }


def column_rows(machine_id: MachineId, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the rows of a planogram."""
    return [
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


def check_same(connection: Connection, there: Row[Any], new: NewMachine) -> None:
    """Raise AlreadyRegistered unless the machine that is there is this one."""
    if there.retired_at_ms is not None:
        raise AlreadyRegistered(f"{new.machine_id} was retired, and an id is used once")
    if differing := _differing(connection, there, new):
        raise AlreadyRegistered(
            f"{new.machine_id} is registered with another {', '.join(differing)}"
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


def registered(row: Row[Any]) -> Registered:
    """Return the machine of a row of ``machines``."""
    return Registered(
        machine_id=MachineId(row.machine_id),
        currency=Currency(row.currency),
        notify_token=row.notify_token,
        revision=row.revision,
    )

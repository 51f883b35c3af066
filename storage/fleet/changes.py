"""What a change of a machine's registration comes to, and why it may not be: checked against what
SQL has, within the transaction that makes the change, or in one that only looks.

Flows in: the machine's row and the change. Flows out: the row's new values, what its actor must be
told, and the difference in one line for the audit log.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from actors.machine import values
from actors.machine.code import trouble
from actors.machine.events import ConfigurationChanged
from actors.machine.ids import MachineId
from actors.machine.policy import Clash, Policy, PolicyOverrides
from actors.machine.state import Column, Configuration, Mode
from actors.machine.stock import keep_counts, new_to
from storage import codec
from storage.fleet import heard
from storage.fleet.planogram_words import differences, goods_of, said_without_place, shown
from storage.machines.loading import configuration_of, read_columns, removal_agreed
from storage.tables import inbox, machine_halts, machine_profiles, products

PLACE = ("store_name", "address", "country_code")
"""What the code says at Alipay, which follows."""


class Maintenance(StrEnum):
    """Whether a machine is in service. One that is not does not sell. A machine of which nobody
    said anything is.
    """

    IN_SERVICE = "IN_SERVICE"
    MAINTENANCE = "MAINTENANCE"
    STORED = "STORED"


class ChangeRefused(Exception):
    """The change was not made."""


class UnknownMachine(ChangeRefused):
    """No such machine is registered."""


class MachineRetired(ChangeRefused):
    """Its life in the fleet is over."""


class EtagStale(ChangeRefused):
    """Somebody else has changed the machine. ``etag`` is the present one."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


class SecondPersonNeeded(ChangeRefused):
    """A limit that guards money would be raised, which takes two people: ``limits``, in words.
    ``proposed``: the wish is written down, and another person can confirm it.
    """

    def __init__(self, limits: str, *, proposed: bool) -> None:
        super().__init__(limits)
        self.limits = limits
        self.proposed = proposed


class InMaintenance(ChangeRefused):
    """The machine is out of service, in the state ``maintenance``: it cannot be enabled."""

    def __init__(self, maintenance: str) -> None:
        super().__init__(maintenance)
        self.maintenance = maintenance


class MachineInUse(ChangeRefused):
    """Something of the machine is open: ``what``, in words."""

    def __init__(self, what: tuple[str, ...]) -> None:
        super().__init__(", ".join(what))
        self.what = what


class GoodsWithoutPlace(ChangeRefused):
    """Goods in the machine would have no place in the planogram: ``gone`` are their columns, whose
    ``stock`` is how many. Nobody said that they may be removed. ``coming``: those of them that are
    not in force yet, so that nobody can take anything out of them.
    """

    def __init__(self, gone: tuple[Column, ...], coming: tuple[Column, ...]) -> None:
        super().__init__(said_without_place(gone))
        self.gone = gone
        self.coming = coming


class GoodsUnheard(ChangeRefused):
    """The machine's actor has not heard yet of goods with which columns came, of columns that were
    taken out and come again, or, of a machine that is to be retired, of what may be removed from
    it: nobody would write down that it is. ``unheard`` are these columns, whose ``stock`` is how
    many.
    """

    def __init__(self, unheard: tuple[Column, ...]) -> None:
        super().__init__(goods_of(unheard))
        self.unheard = unheard


class ProductsArchived(ChangeRefused):
    """The catalogue has these products as archived, and columns that do not have them yet were to
    get them.
    """

    def __init__(self, products: tuple[str, ...]) -> None:
        super().__init__(", ".join(products))
        self.products = products


class LimitsContradict(ChangeRefused):
    """The machine's own limits and the fleet's exclude each other; ``found`` says how."""

    def __init__(self, found: tuple[Clash, ...]) -> None:
        super().__init__(" ".join(one.sentence for one in found))
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChange:
    """What is to be set; None leaves it as it is. ``overrides`` are all limits of the machine,
    ``limits`` single ones by name, None for one that follows the fleet again. ``columns`` is the
    whole planogram and makes a new version of it; goods without a place in it are refused unless
    ``goods_may_be_removed``, and those that come to the machine before its actor has put the new
    one in force keep it waiting (``configuring``). ``retire`` disables the machine for ever.
    ``beside``: its making wrote something of its own, which stands in the audit log even if nothing
    of the registry differs.
    """

    store_name: str | None = None
    address: str | None = None
    country_code: str | None = None
    mode: Mode | None = None
    overrides: PolicyOverrides | None = None
    limits: Mapping[str, int | None] = field(default_factory=dict)
    enabled: bool | None = None
    columns: tuple[Column, ...] | None = None
    goods_may_be_removed: bool = False
    retire: bool = False
    beside: bool = False
    notify_token: str | None = None
    """Another one for the code's notify URL; the earlier ones go on leading to the machine."""
    store_id: str | None = None
    """Another one under which Alipay has the store, which gets another code: the sticker is new."""
    locked: tuple[str, ...] | None = None
    """All columns that must not sell; which and why, says who changes it (storage.office.locks)."""


Making = Callable[[Connection, Row[Any]], MachineChange]
"""Says, within the transaction that makes it, what a change is; what it writes itself is part of
it. It is given the machine's row, which is locked, and may refuse by raising.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """``values`` are the row's new ones, empty if there is nothing to do: then it is the answer
    of a change that was made before. ``difference`` says what they change. ``gone``: columns out of
    which a new planogram removes goods; their ``stock`` is how many. ``unheard``: those of them
    that the actor must hear of before.
    """

    values: Mapping[str, Any]
    told: ConfigurationChanged
    difference: str
    before: Configuration
    gone: tuple[Column, ...] = ()
    unheard: tuple[Column, ...] = ()


def etag_of(revision: int) -> str:
    """Return the etag of what administrators have set."""
    return str(revision)


def plan(
    connection: Connection,
    machine_id: MachineId,
    row: Row[Any] | None,
    change: MachineChange,
    *,
    etag: str,
    now_ms: int,
    fleet: Policy,
) -> Planned:
    """Return what the change comes to; ``row`` is the machine's. Raises ChangeRefused."""
    if row is None:
        raise UnknownMachine(machine_id)
    before = configuration_of(row)
    if row.retired_at_ms is not None:
        if not change.retire:
            raise MachineRetired(machine_id)
        return _nothing(before)
    if etag and etag != etag_of(row.revision):
        raise EtagStale(etag_of(row.revision))
    if change.enabled:
        _may_sell(connection, machine_id)
    if change.retire and (what := tuple(_open(connection, machine_id))):
        raise MachineInUse(what)
    there: tuple[Column, ...] = ()
    gone: tuple[Column, ...] = ()
    unheard: tuple[Column, ...] = ()
    if change.retire:
        unheard = heard.agreed_unheard(connection, before.planogram_version, machine_id)
    if change.columns is not None:
        there = read_columns(connection, [machine_id]).get(machine_id, ())
        wanted = _planned(connection, there, change.columns)
        gone = heard.gone(connection, machine_id, there, wanted)
        unheard = heard.unheard(connection, before.planogram_version, machine_id, there, wanted)
        if wanted == there and (not gone or removal_agreed(connection, [machine_id])):
            change, gone, unheard = replace(change, columns=None), (), ()
        elif gone and not change.goods_may_be_removed:
            raise GoodsWithoutPlace(gone, heard.coming(connection, machine_id, there, wanted))
        else:
            change = replace(change, columns=wanted)
    after = _configured(before, change)
    said = [*_differences(row, before, after, change), *_of_planogram(there, change, gone)]
    difference = "; ".join(said)
    if not difference:
        if not _code_waits(connection, machine_id):
            return _nothing(before)
        difference = "nothing differs: Alipay is asked once more about the code"
    if after.overrides != before.overrides:
        may_have(after.overrides, fleet)
    values: dict[str, Any] = {
        "revision": after.revision,
        "enabled": after.enabled,
        "mode": after.mode.value,
        "overrides": codec.encode_overrides(after.overrides),
        "planogram_version": after.planogram_version,
        **{name: value for name in PLACE if (value := getattr(change, name)) is not None},
    }
    if change.retire:
        values["retired_at_ms"] = now_ms
    if change.notify_token is not None:
        values["notify_token"] = change.notify_token
    if change.store_id is not None:
        values["store_id"] = change.store_id
    if change.locked is not None:
        values["locked"] = json.dumps(change.locked)
    return Planned(
        values=values,
        told=ConfigurationChanged(
            configuration=after,
            columns=change.columns,
            goods_may_be_removed=change.columns is not None and change.goods_may_be_removed,
        ),
        difference=difference,
        before=before,
        gone=gone,
        unheard=unheard,
    )


def _nothing(before: Configuration) -> Planned:
    told = ConfigurationChanged(configuration=before)
    return Planned(values={}, told=told, difference="", before=before)


def _planned(
    connection: Connection, there: tuple[Column, ...], wanted: tuple[Column, ...]
) -> tuple[Column, ...]:
    """Return the planogram that is wanted. A column that keeps its product keeps its count: its
    actor's, or, if the actor has not heard of the column yet, the one with which the column came.
    Raises ProductsArchived.
    """
    kept = keep_counts(there, wanted)
    if kept != there:
        check_in_use(connection, there, wanted)
    return kept


def newly_had(there: Sequence[Column], wanted: Sequence[Column]) -> frozenset[str]:
    """Return the products that columns get which do not have them: what a machine has it may
    keep.
    """
    return frozenset(one.product for one in new_to(there, wanted))


def check_in_use(connection: Connection, there: Sequence[Column], wanted: Sequence[Column]) -> None:
    """Raise ProductsArchived if a column would newly get a product that is archived. One that the
    catalogue does not have is any text.
    """
    new = newly_had(there, wanted)
    archived = select(products.c.product).where(
        products.c.product.in_(new), products.c.archived_at_ms.is_not(None)
    )
    if new and (found := tuple(sorted(connection.scalars(archived)))):
        raise ProductsArchived(found)


def may_have(overrides: PolicyOverrides, fleet: Policy) -> None:
    """Raise LimitsContradict if a machine may not have these limits above the fleet's."""
    if found := overrides.contradict(fleet):
        raise LimitsContradict(found)


def _configured(before: Configuration, change: MachineChange) -> Configuration:
    overrides = before.overrides if change.overrides is None else change.overrides
    enabled = before.enabled if change.enabled is None else change.enabled
    return Configuration(
        revision=before.revision + 1,
        enabled=enabled and not change.retire,
        mode=before.mode if change.mode is None else change.mode,
        overrides=values.replace(overrides, **dict(change.limits)),
        planogram_version=before.planogram_version + (change.columns is not None),
        retired=change.retire,
        locked=before.locked if change.locked is None else change.locked,
    )


def _code_waits(connection: Connection, machine_id: MachineId) -> bool:
    """Return whether something about the code waits for a person. Any change then has Alipay asked
    once more, since what was mended may stand in no register: a contract, or a mistake of Alipay's.
    """
    try:
        state = heard.saved_state(connection, machine_id)
    except codec.CodecError:  # its host has halted it
        return False
    return state is not None and bool(trouble(state.code))


def _may_sell(connection: Connection, machine_id: MachineId) -> None:
    """Raise InMaintenance if somebody has taken the machine out of service."""
    c = machine_profiles.c
    wanted = select(c.maintenance).where(c.machine_id == machine_id)
    in_service = Maintenance.IN_SERVICE
    if (maintenance := connection.scalar(wanted) or in_service) != in_service:
        raise InMaintenance(maintenance)


def _open(connection: Connection, machine_id: MachineId) -> Iterator[str]:
    """Return what of the machine is not over: its money, its customer, or our own trouble."""
    try:
        state = heard.saved_state(connection, machine_id)
    except codec.CodecError:
        state = None
        yield "a state that cannot be read"
    if state is not None:
        if state.session is not None:
            yield f"session {state.session.session_id}"
        vends = (state.session.vend,) if state.session is not None else ()
        for vend in (*vends, *state.doubts):
            if vend is not None:
                yield f"vend {vend.vend_id}"
        for trade in state.trades:
            yield f"trade {trade.trade_id}"
        for refund in state.refunds:
            yield f"refund {refund.refund_id}"
    if connection.scalar(select(exists().where(machine_halts.c.machine_id == machine_id))):
        yield "a halt"
    waits = exists().where(inbox.c.machine_id == machine_id, inbox.c.taken_at_ms.is_(None))
    if connection.scalar(select(waits)):
        yield "a notification that waits for the machine"


def _differences(
    row: Row[Any], before: Configuration, after: Configuration, change: MachineChange
) -> Iterator[str]:
    """Return what the change changes, each as ``field before -> after``."""
    for name in PLACE:
        new = getattr(change, name)
        if new is not None and new != getattr(row, name):
            old = json.dumps(getattr(row, name), ensure_ascii=False)
            yield f"{name} {old} -> {json.dumps(new, ensure_ascii=False)}"
    if change.notify_token is not None:
        yield "another notify token"  # Which, is a secret.
    if change.store_id is not None:
        yield f'store_id "{row.store_id or row.machine_id}" -> "{change.store_id}"'
    if before.enabled is not after.enabled:
        yield f"enabled {_word(before.enabled)} -> {_word(after.enabled)}"
    if before.retired is not after.retired:
        yield f"retired {_word(before.retired)} -> {_word(after.retired)}"
    if before.mode is not after.mode:
        yield f"mode {before.mode} -> {after.mode}"
    for limit in PolicyOverrides.__struct_fields__:
        old, new = getattr(before.overrides, limit), getattr(after.overrides, limit)
        if old != new:
            yield f"policy.{limit} {_limit(old)} -> {_limit(new)}"
    if (before.locked or ()) != (after.locked or ()):
        yield f"locked {_listed(before.locked)} -> {_listed(after.locked)}"
    if before.planogram_version != after.planogram_version:
        yield (
            f"planogram {before.planogram_version} -> {after.planogram_version} with "
            f"{len(change.columns or ())} columns"
        )


def _of_planogram(
    there: Sequence[Column], change: MachineChange, gone: Sequence[Column]
) -> Iterator[str]:
    """Return what another planogram changes, column by column, and which goods it removes."""
    if change.columns is not None:
        yield from shown(differences(there, change.columns))
    if gone:
        yield said_without_place(gone)


def _listed(columns: tuple[str, ...] | None) -> str:
    return ", ".join(columns or ()) or "none"


def _word(value: bool) -> str:
    return "yes" if value else "no"


def _limit(value: int | None) -> str:
    return "of the fleet" if value is None else str(value)

"""What is known of a machine beside how it works: what it is, what it is called by the operator,
whether it is in service, and where it stands now.

Flows in: what administrators say. Flows out: the profile as it is kept, or OfficeRefused. A machine
of which nobody said anything has a profile too, an empty one, with the etag 0. Taking a machine out
of service is a change of the registry, which disables it; the profile is written in the same
transaction, and remembers whether the machine is to sell again afterwards.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from storage.database import dialects
from storage.database.engine import Database
from storage.fleet.changes import MachineChange, Maintenance, Making
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, EtagOutdated, NotPossible, NotThere
from storage.office.stays import is_at
from storage.office.words import difference
from storage.tables import machine_labels, machine_profiles, machine_sites, machines, sites


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileContent:
    """What administrators set of a profile; labels are the operator's own, by name."""

    serial: str = ""
    model: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """A profile as it is kept. ``since_at_ms`` and ``set_by``: since when and by whom
    ``maintenance`` is so, None and empty if nobody ever changed it. ``site`` and ``district`` are
    where the machine stands at the moment that was asked for, since ``from_day``; empty if nowhere.
    """

    machine_id: str
    content: ProfileContent = ProfileContent()
    maintenance: Maintenance = Maintenance.IN_SERVICE
    was_enabled: bool = False
    reason: str = ""
    since_at_ms: int | None = None
    set_by: str = ""
    revision: int = 0
    updated_at_ms: int | None = None
    site: str = ""
    district: str = ""
    from_day: str = ""


class Profiles:
    """The profiles of an installation's machines. Every method raises StoreError when the database
    does not answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, machine_id: str, now_ms: int) -> ProfileView:
        """Return a machine's profile. Raises NotThere."""
        return await self._db.read(lambda connection: there_is(connection, machine_id, now_ms))

    async def some(self, machine_ids: Sequence[str], now_ms: int) -> list[ProfileView]:
        """Return the profiles of these machines, in their order; one that is not registered is left
        out.
        """
        return await self._db.read(lambda connection: views_of(connection, machine_ids, now_ms))

    async def with_serials(self, serials: Collection[str]) -> list[tuple[str, str]]:
        """Return who has these serials, as pairs of a serial and a machine that is not retired."""
        return await self._db.read(lambda connection: _having(connection, serials))

    async def change(
        self,
        machine_id: str,
        changes: Mapping[str, Any],
        deed: Deed,
        *,
        etag: str = "",
        labels_max: int | None = None,
    ) -> ProfileView:
        """Change the fields of its content that ``changes`` names; labels as a whole, or, with
        ``labels_max``, those that it names, so that there are no more than so many: one without a
        value goes. Raises NotThere, EtagOutdated or NotPossible (MACHINE_RETIRED, SERIAL_TAKEN,
        TOO_MANY_LABELS).
        """

        def plan(connection: Connection) -> DeedPlan[ProfileView]:
            if deed.locks:
                if changes.get("serial"):
                    # Two who give one serial to two machines: one of them does.
                    dialects.office_alone(connection)
                _lock(connection, machine_id)
            before = there_is(connection, machine_id, deed.now_ms, etag=etag)
            deeds.check_in_fleet(connection, machine_id)
            content = replace(before.content, **changes)
            if labels_max is not None:
                content = _with_labels(machine_id, before.content, content, labels_max)
            said = difference(before.content, content)
            if not said:
                return DeedPlan(result=before)
            if content.serial != before.content.serial:
                _check_serial(connection, machine_id, content.serial)
            made = replace(
                before,
                content=content,
                revision=before.revision + 1,
                updated_at_ms=deed.now_ms,
            )
            writes: list[tuple[Any, list[dict[str, Any]]]] = [
                (_saved(connection), [_row(made)]),
                (delete(machine_labels).where(machine_labels.c.machine_id == machine_id), []),
            ]
            if content.labels:
                labels = [
                    {"machine_id": machine_id, "label": label, "value": value}
                    for label, value in sorted(content.labels.items())
                ]
                writes.append((insert(machine_labels), labels))
            return DeedPlan(
                result=made,
                writes=tuple(writes),
                details=(Detail(said=said, machine_id=machine_id),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: there_is(connection, machine_id, deed.now_ms)
        )

    async def as_it_would_be(
        self,
        machine_id: str,
        maintenance: Maintenance,
        *,
        reason: str,
        by: str,
        now_ms: int,
        etag: str = "",
    ) -> ProfileView:
        """Return the profile as ``out_of_service`` would leave it. Raises NotThere,
        EtagOutdated or NotPossible (MACHINE_RETIRED).
        """

        def work(connection: Connection) -> ProfileView:
            before = there_is(connection, machine_id, now_ms, etag=etag)
            deeds.check_in_fleet(connection, machine_id)
            enabled = select(machines.c.enabled).where(machines.c.machine_id == machine_id)
            return _put(before, maintenance, bool(connection.scalar(enabled)), reason, by, now_ms)

        return await self._db.read(work)


def out_of_service(
    maintenance: Maintenance, *, reason: str, by: str, now_ms: int, etag: str = ""
) -> Making:
    """Return what puts a machine into this state, as a change for ``Registry.change``: into the
    profile, and whether it sells. ``etag`` is the profile's; raises EtagOutdated in the
    transaction.
    """

    def making(connection: Connection, row: Row[Any]) -> MachineChange:
        before = there_is(connection, row.machine_id, now_ms, etag=etag)
        made = _put(before, maintenance, bool(row.enabled), reason, by, now_ms)
        if made is before:
            return MachineChange()
        connection.execute(_saved(connection), [_row(made)])
        if maintenance is not Maintenance.IN_SERVICE:
            return MachineChange(enabled=False, beside=True)
        return MachineChange(enabled=True if before.was_enabled else None, beside=True)

    return making


def _put(
    before: ProfileView,
    maintenance: Maintenance,
    enabled: bool,
    reason: str,
    by: str,
    now_ms: int,
) -> ProfileView:
    if (before.maintenance, before.reason) == (maintenance, reason):
        return before
    leaves = before.maintenance is Maintenance.IN_SERVICE
    back = maintenance is Maintenance.IN_SERVICE
    return replace(
        before,
        maintenance=maintenance,
        reason=reason,
        since_at_ms=before.since_at_ms if before.maintenance is maintenance else now_ms,
        set_by=by,
        was_enabled=False if back else enabled if leaves else before.was_enabled,
        revision=before.revision + 1,
        updated_at_ms=now_ms,
    )


def there_is(
    connection: Connection, machine_id: str, now_ms: int, *, etag: str = ""
) -> ProfileView:
    """Return a machine's profile. Raises NotThere, or EtagOutdated unless its etag is this one."""
    found = next(iter(views_of(connection, [machine_id], now_ms)), None)
    if found is None:
        raise NotThere("machine", machine_id)
    if etag and etag != str(found.revision):
        raise EtagOutdated("machine", machine_id, str(found.revision))
    return found


def views_of(connection: Connection, machine_ids: Sequence[str], now_ms: int) -> list[ProfileView]:
    """Return the profiles of these machines, in their order."""
    c = machines.c
    stays = machine_sites.c
    here = (
        select(stays.machine_id, stays.site, stays.from_day, sites.c.district)
        .select_from(machine_sites.join(sites, sites.c.site == stays.site))
        .where(is_at(now_ms), stays.machine_id.in_(machine_ids))
        .subquery()
    )
    profile = [one for one in machine_profiles.c if one.name != "machine_id"]
    wanted: Select[Any] = (
        select(c.machine_id, *profile, here.c.site, here.c.district, here.c.from_day)
        .select_from(
            machines.outerjoin(
                machine_profiles, machine_profiles.c.machine_id == c.machine_id
            ).outerjoin(here, here.c.machine_id == c.machine_id)
        )
        .where(c.machine_id.in_(machine_ids))
    )
    labels: dict[str, dict[str, str]] = {}
    of_these = select(machine_labels).where(machine_labels.c.machine_id.in_(machine_ids))
    for row in connection.execute(of_these.order_by(machine_labels.c.label)):
        labels.setdefault(row.machine_id, {})[row.label] = row.value
    found = {
        row.machine_id: _view(row, labels.get(row.machine_id, {}))
        for row in connection.execute(wanted)
    }
    return [found[one] for one in machine_ids if one in found]


def _having(connection: Connection, serials: Collection[str]) -> list[tuple[str, str]]:
    c = machine_profiles.c
    wanted = (
        select(c.serial, c.machine_id)
        .join(machines, machines.c.machine_id == c.machine_id)
        .where(c.serial.in_(serials), c.serial != "", machines.c.retired_at_ms.is_(None))
    )
    return [(row.serial, row.machine_id) for row in connection.execute(wanted)]


def _check_serial(connection: Connection, machine_id: str, serial: str) -> None:
    """Raise NotPossible if another machine has the serial: a read-out that names it would be of
    either.
    """
    for _, other in _having(connection, [serial]):
        if other != machine_id:
            raise NotPossible(
                "SERIAL_TAKEN",
                f"machine {other} has the serial {serial!r}: look at the plate of both, and mend "
                "the wrong one first",
                machine=other,
                serial=serial,
            )


def _lock(connection: Connection, machine_id: str) -> None:
    # The weaker lock, as the registry's: no commit of the machine's journal waits for it.
    connection.execute(
        select(machines.c.machine_id)
        .where(machines.c.machine_id == machine_id)
        .with_for_update(key_share=True)
    ).one_or_none()


def _saved(connection: Connection) -> Any:
    changing = [one.name for one in machine_profiles.c if one.name != "machine_id"]
    return dialects.upsert(connection.dialect.name, machine_profiles, "machine_id", changing)


def _row(view: ProfileView) -> dict[str, Any]:
    return {
        "machine_id": view.machine_id,
        "revision": view.revision,
        "serial": view.content.serial,
        "model": view.content.model,
        "maintenance": view.maintenance.value,
        "was_enabled": view.was_enabled,
        "since_at_ms": view.since_at_ms,
        "set_by": view.set_by,
        "updated_at_ms": view.updated_at_ms,
        "reason": view.reason,
    }


def _with_labels(
    machine_id: str, before: ProfileContent, after: ProfileContent, most: int
) -> ProfileContent:
    both = {**before.labels, **after.labels}
    labels = {label: value for label, value in both.items() if value}
    if len(labels) > most:
        raise NotPossible(
            "TOO_MANY_LABELS",
            f"machine {machine_id} would have {len(labels)} labels, and {most} are the most: "
            "take some away, with no value behind their names",
            machine=machine_id,
        )
    return replace(after, labels=labels)


def _view(row: Row[Any], labels: Mapping[str, str]) -> ProfileView:
    site, district, from_day = row.site or "", row.district or "", row.from_day or ""
    if row.revision is None:
        return ProfileView(
            machine_id=row.machine_id, site=site, district=district, from_day=from_day
        )
    return ProfileView(
        machine_id=row.machine_id,
        content=ProfileContent(serial=row.serial, model=row.model, labels=labels),
        maintenance=Maintenance(row.maintenance),
        was_enabled=row.was_enabled,
        reason=row.reason,
        since_at_ms=row.since_at_ms,
        set_by=row.set_by,
        revision=row.revision,
        updated_at_ms=row.updated_at_ms,
        site=site,
        district=district,
        from_day=from_day,
    )

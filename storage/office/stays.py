"""Where machines stand, by date: a sale belongs to where its machine stood that day.

Flows in: which machine stands at which site from which day on. Flows out: its stays, or
OfficeRefused. A day is the site's own: it begins when it does in the site's time zone; where a
machine stands nowhere, in the one that it stood in before. A stay lasts until the machine's next
one. What is past is changed only with a reason.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from storage.database.engine import Database
from storage.office import deeds, sites
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.tables import machine_sites, machines
from storage.tables import sites as sites_table

STAYS_MAX = 1_000
"""Of one machine."""
_NOWHERE_ZONE = "UTC"
"""By which the days of a machine are that stands at no site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A machine stands at ``site`` (empty: nowhere) from the day ``from_day`` on, an ISO date in
    the site's calendar, which begins at ``from_at_ms``; until ``until_at_ms``, None if no stay
    follows.
    """

    machine_id: str
    site: str
    from_day: str
    from_at_ms: int
    until_at_ms: int | None = None


class Stays:
    """The stays of an installation's machines. Every method raises StoreError when the database
    does not answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def place(
        self, machine_id: str, site: str, from_day: str, deed: Deed, *, reason: str = ""
    ) -> Sequence[Stay]:
        """Let the machine stand at the site (empty: nowhere) from that day on, until the next day
        for which something else is said; return all its stays, newest first. Raises NotThere, and
        NotPossible for a retired machine, an archived site, or what is past without a ``reason``.
        """

        def plan(connection: Connection) -> DeedPlan[Sequence[Stay]]:
            _machine(connection, machine_id, deed, retired=False)
            there = of_machine(connection, machine_id)
            if site:  # held until it is written, so that nobody archives the site meanwhile
                sites.in_use(connection, site, lock=deed.locks)
            zone = _zone(connection, site, there, from_day)
            new = Stay(
                machine_id=machine_id,
                site=site,
                from_day=from_day,
                from_at_ms=begins_ms(from_day, zone),
            )
            rest = [one for one in there if one.from_day != from_day]
            before = next((one for one in there if one.from_day == from_day), None)
            if before is not None and before.site == site:
                return DeedPlan(result=there)
            if len(rest) >= STAYS_MAX:
                raise NotPossible(
                    "TOO_MANY_STAYS",
                    f"machine {machine_id} has {STAYS_MAX} stays, and no more can be: "
                    "RemovePlacement takes away what was wrong",
                    machine=machine_id,
                )
            past = is_past(from_day, zone, deed.now_ms) or _is_over(rest, from_day, deed.now_ms)
            _check_reason(past, reason, machine_id, from_day)
            said = f"at {site or 'no site'} from {from_day}"
            if before is not None:
                said += f", not at {before.site or 'no site'}"
            return _written(machine_id, there, [*rest, new], said, reason)

        return await deeds.do(
            self._db, deed, plan, lambda connection: of_machine(connection, machine_id)
        )

    async def remove(
        self, machine_id: str, from_day: str, deed: Deed, *, reason: str = ""
    ) -> Sequence[Stay]:
        """Take back that something begins on that day: the stay before it goes on. Return the stays
        that are left, newest first. Raises NotThere, and NotPossible for a past day without a
        ``reason``.
        """

        def plan(connection: Connection) -> DeedPlan[Sequence[Stay]]:
            _machine(connection, machine_id, deed, retired=True)
            there = of_machine(connection, machine_id)
            gone = next((one for one in there if one.from_day == from_day), None)
            if gone is None:
                raise NotThere("placement", f"{machine_id} {from_day}")
            zone = _zone(connection, gone.site, there, from_day)
            past = is_past(from_day, zone, deed.now_ms) or _is_over(there, from_day, deed.now_ms)
            _check_reason(past, reason, machine_id, from_day)
            said = f"no longer at {gone.site or 'no site'} from {from_day}"
            rest = [one for one in there if one is not gone]
            return _written(machine_id, there, rest, said, reason)

        return await deeds.do(
            self._db, deed, plan, lambda connection: of_machine(connection, machine_id)
        )

    async def list(self, machine_id: str) -> Sequence[Stay]:
        """Return a machine's stays, newest first. Raises NotThere for an unknown machine."""

        def work(connection: Connection) -> Sequence[Stay]:
            stays = of_machine(connection, machine_id)
            if not stays and _registered(connection, machine_id) is None:
                raise NotThere("machine", machine_id)
            return stays

        return await self._db.read(work)

    async def from_days(self, days: Mapping[str, str]) -> dict[str, str]:
        """Return the site of each machine's stay that begins on its day, empty for nowhere; those
        that have none are left out. ``days`` are by machine, a few hundred.
        """
        c = machine_sites.c
        wanted = select(c.machine_id, c.from_day, c.site).where(
            c.machine_id.in_(days), c.from_day.in_(set(days.values()))
        )

        def work(connection: Connection) -> dict[str, str]:
            return {
                row.machine_id: row.site or ""
                for row in connection.execute(wanted)
                if days[row.machine_id] == row.from_day
            }

        return await self._db.read(work)

    async def last_begun(self, machine_ids: Sequence[str], now_ms: int) -> dict[str, str]:
        """Return the day on which each machine's present stay began, of those that have one; a few
        hundred machines.
        """
        c = machine_sites.c
        wanted = (
            select(c.machine_id, func.max(c.from_day).label("day"))
            .where(c.machine_id.in_(machine_ids), c.from_at_ms <= now_ms)
            .group_by(c.machine_id)
        )

        def work(connection: Connection) -> dict[str, str]:
            return {row.machine_id: row.day for row in connection.execute(wanted)}

        return await self._db.read(work)

    async def site_at(self, machine_id: str, at_ms: int) -> str:
        """Return at which site the machine stood at that moment; empty if at none."""
        wanted = select(machine_sites.c.site).where(
            machine_sites.c.machine_id == machine_id, is_at(at_ms)
        )
        return await self._db.read(lambda connection: connection.scalar(wanted) or "")


def is_at(at_ms: int) -> ColumnElement[bool]:
    """Return whether a stay is under way at that moment."""
    c = machine_sites.c
    return and_(c.from_at_ms <= at_ms, or_(c.until_at_ms.is_(None), c.until_at_ms > at_ms))


def of_machine(connection: Connection, machine_id: str) -> list[Stay]:
    """Return a machine's stays, newest first."""
    return [_stay(row) for row in connection.execute(stays_of(machine_id))]


def stays_of(machine_id: str) -> Select[Any]:
    """Return the query for a machine's stays, newest first, along their key."""
    c = machine_sites.c
    rows = select(machine_sites).where(c.machine_id == machine_id)
    return rows.order_by(c.from_day.desc()).limit(STAYS_MAX)


def begins_ms(day: str, zone: str) -> int:
    """Return when the ISO date ``day`` begins in that time zone. Where its midnight is left out,
    because a clock is put forward, it begins when the clock is.
    """
    midnight = datetime.combine(date.fromisoformat(day), time(0), ZoneInfo(zone))
    return int(midnight.astimezone(UTC).timestamp()) * 1_000


def day_of(at_ms: int, zone: str) -> str:
    """Return the ISO date of a moment in that time zone."""
    return datetime.fromtimestamp(at_ms // 1_000, ZoneInfo(zone)).date().isoformat()


def is_past(day: str, zone: str, now_ms: int) -> bool:
    """Return whether that day is over in that time zone."""
    return day < day_of(now_ms, zone)


def where_past(
    connection: Connection, day: str, machine_ids: Collection[str], now_ms: int
) -> set[str]:
    """Return for which of these machines that day is over where they stand."""
    c = machine_sites.c
    here = select(c.machine_id, sites_table.c.time_zone).join(
        sites_table, sites_table.c.site == c.site
    )
    rows = connection.execute(here.where(c.machine_id.in_(machine_ids), is_at(now_ms)))
    zones = {row.machine_id: row.time_zone for row in rows}
    return {one for one in machine_ids if is_past(day, zones.get(one, _NOWHERE_ZONE), now_ms)}


def _is_over(stays: Sequence[Stay], day: str, now_ms: int) -> bool:
    """Return whether a stay that begins on that day has ended, because the next one has begun:
    where the two have time zones of their own, its day need not be over for that.
    """
    return any(one.from_day > day and one.from_at_ms <= now_ms for one in stays)


def _machine(connection: Connection, machine_id: str, deed: Deed, *, retired: bool) -> None:
    row = _registered(connection, machine_id, lock=deed.locks)
    if row is None:
        raise NotThere("machine", machine_id)
    if row.retired_at_ms is not None and not retired:
        raise NotPossible(
            "MACHINE_RETIRED",
            f"machine {machine_id} was retired: it is put nowhere any more",
            machine=machine_id,
        )


def _registered(connection: Connection, machine_id: str, *, lock: bool = False) -> Any:
    c = machines.c
    row = select(c.machine_id, c.retired_at_ms).where(c.machine_id == machine_id)
    # The weaker lock: no commit of the machine's journal waits for it.
    return connection.execute(row.with_for_update(key_share=True) if lock else row).one_or_none()


def _zone(connection: Connection, site: str, there: Sequence[Stay], from_day: str) -> str:
    """Return the time zone by which a stay begins that day."""
    earlier = (one.site for one in there if one.from_day < from_day and one.site)
    by = site or next(earlier, "")
    return sites.there_is(connection, by).content.time_zone if by else _NOWHERE_ZONE


def _check_reason(past: bool, reason: str, machine_id: str, day: str) -> None:
    if past and not reason:
        raise NotPossible(
            "PAST_NEEDS_REASON",
            f"{day} is past, and the sales since then would belong to another place: say the "
            "reason",
            machine=machine_id,
        )


def _written(
    machine_id: str, there: Sequence[Stay], new: Sequence[Stay], said: str, reason: str
) -> DeedPlan[Sequence[Stay]]:
    """Return what makes ``new`` a machine's stays. Each lasts until the next one begins."""
    ordered = sorted(new, key=lambda one: one.from_day)
    after: list[Stay] = []
    until_at_ms: int | None = None
    for one in reversed(ordered):
        if until_at_ms is not None and one.from_at_ms >= until_at_ms:
            raise NotPossible(
                "DAYS_OVERLAP",
                f"where the machine shall stand then {one.from_day} begins no earlier than its "
                "next stay, because of their time zones: leave a day between the two",
                machine=machine_id,
            )
        after.append(
            Stay(
                machine_id=machine_id,
                site=one.site,
                from_day=one.from_day,
                from_at_ms=one.from_at_ms,
                until_at_ms=until_at_ms,
            )
        )
        until_at_ms = one.from_at_ms
    c = machine_sites.c
    kept = {one.from_day: one for one in there}
    gone = [day for day in kept if day not in {one.from_day for one in after}]
    writes: list[tuple[Any, list[dict[str, Any]]]] = []
    if gone:
        of_days = delete(machine_sites).where(c.machine_id == machine_id, c.from_day.in_(gone))
        writes.append((of_days, []))
    for one in after:
        if one.from_day not in kept:
            writes.append((insert(machine_sites), [_row(one)]))
        elif one != kept[one.from_day]:
            row = update(machine_sites).where(
                c.machine_id == machine_id, c.from_day == one.from_day
            )
            writes.append((row.values(_row(one)), []))
    detail = f"{said}; {reason}" if reason else said
    return DeedPlan(
        result=after, writes=tuple(writes), details=(Detail(said=detail, machine_id=machine_id),)
    )


def _row(stay: Stay) -> dict[str, Any]:
    return {
        "machine_id": stay.machine_id,
        "from_day": stay.from_day,
        "site": stay.site or None,
        "from_at_ms": stay.from_at_ms,
        "until_at_ms": stay.until_at_ms,
    }


def _stay(row: Any) -> Stay:
    return Stay(
        machine_id=row.machine_id,
        site=row.site or "",
        from_day=row.from_day,
        from_at_ms=row.from_at_ms,
        until_at_ms=row.until_at_ms,
    )

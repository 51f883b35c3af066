"""Proves what is told of machines' time: each machine's seconds are what its lines and the moves of
its goods come to when they are counted again from the first one, and the seconds of the fleet, of
all districts and of all types of sites are those of its machines, hour by hour. Reads only.

Not proved: the time of machines whose first lines the archive has taken, and in which district a
second was: a placement may have been corrected since it was counted.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, cast, func, literal, select, union_all

from storage.auditing.reading import total
from storage.insight import exposing
from storage.insight.exposure import Counted, counted_on, up_to
from storage.insight.lease import Standing
from storage.insight.rollups import ScopeKind, Sums
from storage.tables import machine_exposures, machine_hours, scope_exposures, starts

FINDINGS_MAX = 100
SECONDS = ("known_s", "online_s", "in_service_s", "sellable_s", "column_s", "empty_column_s")
_KEY = ("d", "local_hour")


def wrong_times(connection: Connection, standing: Standing) -> Iterator[str]:
    """Yield what is wrong, in sentences; nothing while all is being made again."""
    if standing.making_again:
        return
    yield from _wrong_hours(connection, standing.hours_from_d)
    yield from _wrong_machines(connection, standing)


def _wrong_hours(connection: Connection, from_d: int) -> Iterator[str]:
    """Yield hours in which the seconds of scopes are not those of the machines."""
    machines = select(
        literal("machines").label("of"), *machine_hours.c[_KEY], *machine_hours.c[SECONDS]
    )
    parts: list[Select[Any]] = [machines.where(machine_hours.c.d >= from_d)]
    for kind in ScopeKind:
        c = scope_exposures.c
        some = select(literal(kind.value).label("of"), *c[_KEY], *c[SECONDS])
        parts.append(some.where(c.scope == kind.value, c.d >= from_d))
    each = union_all(*parts).subquery("each")
    added = (
        select(each.c.of, *each.c[_KEY], *(total(each.c[name]).label(name) for name in SECONDS))
        .group_by(each.c.of, *each.c[_KEY])
        .subquery("added")
    )
    # An hour in which all four agree has one least and one greatest of each.
    told = func.count()
    differs = [
        (func.min(added.c[name]) != func.max(added.c[name])) | (told != len(parts))
        for name in SECONDS
    ]
    wrong = differs[0]
    for one in differs[1:]:
        wrong = wrong | one
    wanted = (
        select(
            *added.c[_KEY],
            cast(func.min(added.c.known_s), BigInteger).label("least"),
            cast(func.max(added.c.known_s), BigInteger).label("most"),
        )
        .group_by(*added.c[_KEY])
        .having(wrong)
        .order_by(*added.c[_KEY])
        .limit(FINDINGS_MAX)
    )
    for row in connection.execute(wanted):
        yield (
            f"the time of {row.d} {row.local_hour:02}h is not the same of machines, fleet, "
            f"districts and types of sites: {row.least} to {row.most} seconds known"
        )


def _wrong_machines(connection: Connection, standing: Standing) -> Iterator[str]:
    """Yield machines whose seconds are not those of their lines."""
    c = machine_hours.c
    kept = {
        row.machine_id: [getattr(row, name) for name in SECONDS]
        for row in connection.execute(
            select(c.machine_id, *(total(c[name]).label(name) for name in SECONDS))
            .where(c.d >= standing.hours_from_d)
            .group_by(c.machine_id)
        )
    }
    archived = set(connection.scalars(select(starts.c.machine_id)))
    found = 0
    for row in connection.execute(
        select(machine_exposures).order_by(*machine_exposures.primary_key)
    ):
        if row.machine_id in archived:
            continue
        counted = exposing.counted_of(row)
        again = _seconds(connection, counted, standing)
        stands = kept.get(row.machine_id, [0] * len(SECONDS))
        if again != stands:
            found += 1
            yield (
                f"machine {row.machine_id} was known, online, in service and sellable for "
                f"{again[:4]} seconds by its lines, and for {stands[:4]} by what is told"
            )
        if found == FINDINGS_MAX:
            return


def _seconds(connection: Connection, counted: Counted, standing: Standing) -> list[int]:
    sums = Sums()
    first, changes, stays = exposing.read_all_of(
        connection, counted.machine_id, upto=standing.position
    )
    if first is None:
        return [0] * len(SECONDS)
    last = counted_on(sums, first, changes, stays)
    up_to(sums, last, counted.at_ms, stays)
    adding = sums.by_table.get(machine_hours, {})
    some = [values for (_, d, _), values in adding.items() if d >= standing.hours_from_d]
    return [sum(column) for column in zip(*some, strict=True)] or [0] * len(SECONDS)

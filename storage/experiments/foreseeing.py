"""What an experiment could see, before anybody tries anything: the machines that are meant, and the
smallest lift that would be found among them in four of five tries, from their own past.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection, select

from storage.database.engine import Database
from storage.experiments.audience import Audience, audience
from storage.experiments.content import Content, Design, LeftOut
from storage.experiments.history import DaySpan, by_day, half_of, parts, sums
from storage.insight import days, lease
from storage.insight.follower import NAME
from storage.insight.local_time import local_hour
from storage.insight.places import NOWHERE_ZONE
from storage.insight.suppression import Gate
from storage.insight.tagging import day_that_is_over
from storage.lift import assignment, differences
from storage.lift.assignment import Unit
from storage.lift.differences import PrePost, SoldIn, rate
from storage.lift.estimate import detectable, permille
from storage.office.deeds import NotPossible
from storage.tables import sites

REHEARSALS = 5
"""A past time is switched in so many ways: one way alone would be a matter of luck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """The machines, with what each sold in the time before (``pre``), and those that are left out.
    ``detectable_permille``: the smallest lift that can be seen; None if their past is too short, or
    they are too few.
    """

    units: tuple[Unit, ...]
    left_out: Mapping[str, LeftOut]
    pre: DaySpan
    detectable_permille: int | None


class Foreseeing:
    """Asks a database; ``gate`` is what figures of payers go out through. Every method raises
    StoreError when it does not answer.
    """

    def __init__(self, db: Database, gate: Gate) -> None:
        self._db = db
        self._gate = gate

    async def foreseen(self, content: Content, now_ms: int) -> Foresight:
        """Return what it would be. Raises NotThere, NotPossible (as ``audience``, and
        NOT_TOLD_YET).
        """

        def meant(connection: Connection) -> tuple[Audience, int]:
            standing = lease.read_standing(connection, NAME)
            if standing.making_again or not standing.at_ms:
                raise NotPossible(
                    "NOT_TOLD_YET",
                    "nothing is told of sales yet, or all of it is being told again: try again "
                    "when GetSales says that it is complete",
                )
            over = day_that_is_over(connection, standing.at_ms)
            return audience(connection, content, self._gate, now_ms), over

        found, over = await self._db.read(meant)
        pre = DaySpan(first=days.moved(over, 1 - content.pre_days), last=over)
        before = await read_sums(self._db, list(found.machines), pre, content)
        half = await read_half(self._db, list(found.machines), pre, content)
        units = tuple(
            Unit(
                machine_id=one,
                site_type=site_type,
                sold=rate(before[one], 0.0) or 0.0,
                site=found.sites.get(one, ""),
            )
            for one, site_type in found.machines.items()
            if pre.enough(before[one]) and pre.busy(before[one], half, content.days)
        )
        there = {unit.machine_id for unit in units}
        gone = {one: LeftOut.NO_HISTORY for one in found.machines if one not in there}
        of_the_past = (
            _pairs_of_the_past if content.design is Design.PAIRED else _switches_of_the_past
        )
        smallest = detectable(await of_the_past(self._db, content, units, over))
        return Foresight(
            units=units,
            left_out={**found.left_out, **gone},
            pre=pre,
            detectable_permille=None if smallest is None else max(1, permille(smallest)),
        )

    async def next_day(self, now_ms: int) -> int:
        """Return the first local day that has not begun anywhere."""

        def read(connection: Connection) -> int:
            zones = {NOWHERE_ZONE, *connection.scalars(select(sites.c.time_zone).distinct())}
            return days.moved(max(local_hour(now_ms, zone).d for zone in zones), 1)

        return await self._db.read(read)


async def read_sums(
    db: Database, machine_ids: list[str], span: DaySpan, content: Content
) -> dict[str, SoldIn]:
    """Return what machines sold in a time, however many they are."""
    found: dict[str, SoldIn] = {}
    for some in parts(machine_ids):
        found |= await db.read(partial(sums, machine_ids=some, span=span, content=content))
    return found


async def read_by_day(
    db: Database, machine_ids: list[str], span: DaySpan, content: Content
) -> dict[str, dict[int, SoldIn]]:
    """Return what machines sold on each day, however many they are."""
    found: dict[str, dict[int, SoldIn]] = {}
    for some in parts(machine_ids):
        found |= await db.read(partial(by_day, machine_ids=some, span=span, content=content))
    return found


async def read_half(db: Database, machine_ids: list[str], span: DaySpan, content: Content) -> float:
    """Return half of what is sold at once, by the first of the machines."""
    some = machine_ids[: next((len(one) for one in parts(machine_ids)), 0)]
    return await db.read(lambda connection: half_of(connection, some, span, content))


async def _pairs_of_the_past(
    db: Database, content: Content, units: tuple[Unit, ...], over: int
) -> list[float]:
    """Return the differences of pairs in the last days, beside the days before these."""
    names = [unit.machine_id for unit in units]
    during = DaySpan(first=days.moved(over, 1 - content.days), last=over)
    pre = during.before(content.pre_days)
    first, second = [await read_sums(db, names, span, content) for span in (pre, during)]
    half = await read_half(db, names, pre, content)
    fit = [
        replace(unit, sold=rate(first[unit.machine_id], 0.0) or 0.0)
        for unit in units
        if pre.enough(first[unit.machine_id]) and during.enough(second[unit.machine_id])
    ]
    past = {
        unit.machine_id: PrePost(before=first[unit.machine_id], during=second[unit.machine_id])
        for unit in fit
    }
    return [
        one
        for pair in assignment.paired(fit, "past")
        if (one := _of_pair(past, pair, half)) is not None
    ]


def _of_pair(past: Mapping[str, PrePost], pair: assignment.Pair, half: float) -> float | None:
    treated, control = ([past[one] for one in arm] for arm in (pair.treated, pair.control))
    return differences.paired(treated, control, half)


async def _switches_of_the_past(
    db: Database, content: Content, units: tuple[Unit, ...], over: int
) -> list[float]:
    """Return the differences of machines in the last days, as if they had switched then: one of
    each place, as large as they are in the middle of several ways to switch.
    """
    together = assignment.together(units)
    places = {unit.machine_id: place for place, of in together.items() for unit in of}
    names = [unit.machine_id for unit in units]
    span = DaySpan(first=days.moved(over, 1 - content.days), last=over)
    told = await read_by_day(db, names, span, content)
    half = await read_half(db, names, span, content)

    def computed() -> list[float]:
        squares: dict[str, list[float]] = {}
        # Who was there for a few of these days only tells less of all of them than it seems.
        fit = {name for name in names if 2 * len(told[name]) >= content.days}
        for way in range(REHEARSALS):
            drawn = assignment.switchback(together, span.first, content.days, f"past {way}")
            treated = {name: drawn[place] for name, place in places.items()}
            found = differences.switched(told, treated, half, places)
            of_fit = {name: one for name, one in found.items() if name in fit}
            for place, one in differences.by_place(of_fit, places).items():
                squares.setdefault(place, []).append(one * one)
        return [(sum(of) / len(of)) ** 0.5 for of in squares.values()]

    return await asyncio.to_thread(computed)

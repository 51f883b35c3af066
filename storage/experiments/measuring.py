"""What came of an experiment, once its end day is over everywhere and told: by the rules that were
fixed at its start, and by nothing that was seen since.

A machine counts if it had what its arm has in time, and could sell for a quarter of both times at
least; a pair, if machines of both of its arms count. Of a machine that switches, those days count
on which it had it in time; it counts with half of its days at least. Machines of one site, which
are one block, are one observation.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection, select, update

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.experiments.content import Arm, Channel, Design, Excluded, Result, State
from storage.experiments.experiments import (
    ExperimentView,
    UnitView,
    plans_end,
    running,
    there,
    units_of,
)
from storage.experiments.foreseeing import read_by_day, read_half, read_sums
from storage.experiments.history import parts
from storage.experiments.own_prices import read_own_prices
from storage.experiments.payer_measuring import result_of_payers, why_another
from storage.insight import days, lease
from storage.insight.follower import NAME
from storage.insight.local_time import HOUR_MS
from storage.insight.places import Stood, read_stays, where
from storage.insight.suppression import Gate
from storage.insight.tagging import day_that_is_over
from storage.lift.differences import PrePost, SoldIn, by_place, paired, switched
from storage.lift.estimate import Lift, judged, permille
from storage.offers import trials
from storage.office.stays import begins_ms
from storage.tables import experiment_days, experiments, sales_days

_GATE = Gate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ripe:
    """An experiment whose end day is over and told, up to ``position`` of the books, by who follows
    them under ``epoch``.
    """

    view: ExperimentView
    units: Sequence[UnitView]
    in_time: Mapping[str, frozenset[int]]
    """On which days each machine had what its arm has in time."""
    position: int
    epoch: int


class Measuring:
    """Asks a database and writes; ``gate`` is what figures of payers go out through. Every method
    raises StoreError when it does not answer.
    """

    def __init__(self, db: Database, gate: Gate = _GATE) -> None:
        self._db = db
        self._gate = gate

    async def due(self) -> list[Ripe]:
        """Return the experiments that can be measured now."""
        return await self._db.read(_due)

    async def measure(self, due: Ripe, now_ms: int) -> ExperimentView:
        """Return the experiment with its result, which is kept once: whoever comes later finds it.
        If all that is told of sales began to be made again meanwhile, it is as it was, and due
        again when that is done. One whose offer is not what was fixed any more is stopped, and has
        none.
        """
        view = due.view
        if view.content.design is Design.PAYERS:
            if why := await self._db.read(partial(why_another, view=view)):
                return await self._stopped(view, why, now_ms)
            result = await result_of_payers(self._db, view, self._gate)
        else:
            result = await self._of_machines(due)

        def save(connection: Connection) -> ExperimentView:
            before = there(connection, view.experiment, lock=True)
            if before.state is not State.RUNNING or _made_again(connection, due):
                return before
            after = replace(
                before, state=State.ENDED, ended_at_ms=now_ms, position=due.position, result=result
            )
            connection.execute(
                update(experiments)
                .where(experiments.c.experiment == view.experiment)
                .values(
                    state=after.state.value,
                    ended_at_ms=now_ms,
                    position=due.position,
                    result=result.kept(),
                )
            )
            for statement in plans_end(after, now_ms):
                connection.execute(statement)
            return after

        return await self._db.write(save)

    async def _stopped(self, view: ExperimentView, why: str, now_ms: int) -> ExperimentView:
        def save(connection: Connection) -> ExperimentView:
            connection.execute(trials.stopping(view.experiment, now_ms, why))
            return there(connection, view.experiment)

        return await self._db.write(save)

    async def _of_machines(self, due: Ripe) -> Result:
        view = due.view
        if view.content.design is Design.PAIRED:
            found, excluded = await self._of_pairs(due)
        else:
            found, excluded = await self._of_switches(due)
        told = await asyncio.to_thread(judged, found, view.seed)
        return _result(view, told, len(found), excluded, await self._cost(due))

    async def _of_pairs(self, due: Ripe) -> tuple[list[float], dict[str, Excluded]]:
        view = due.view
        assert view.pre is not None
        assert view.span is not None
        units = [unit for unit in due.units if unit.arm is not None]
        names = [unit.machine_id for unit in units]
        before = await read_sums(self._db, names, view.pre, view.content)
        during = await read_sums(self._db, names, view.span, view.content)
        half = await read_half(self._db, names, view.pre, view.content)
        excluded: dict[str, Excluded] = {}
        for one in names:
            if view.span.first not in due.in_time.get(one, ()):
                excluded[one] = Excluded.NOT_ACKNOWLEDGED
            elif not (view.pre.enough(before[one]) and view.span.enough(during[one])):
                excluded[one] = Excluded.COULD_NOT_SELL
        arms: dict[int, dict[Arm, dict[str, PrePost]]] = {}
        for unit in units:
            assert unit.arm is not None
            of = arms.setdefault(unit.block, {Arm.TREATMENT: {}, Arm.CONTROL: {}})[unit.arm]
            if (one := unit.machine_id) not in excluded:
                of[one] = PrePost(before=before[one], during=during[one])
        found = []
        for _, both in sorted(arms.items()):
            treated, control = both[Arm.TREATMENT], both[Arm.CONTROL]
            if treated and control:
                difference = paired(treated.values(), control.values(), half)
                assert difference is not None
                found.append(difference)
            else:
                excluded |= dict.fromkeys({**treated, **control}, Excluded.PARTNER_EXCLUDED)
        return found, excluded

    async def _of_switches(self, due: Ripe) -> tuple[list[float], dict[str, Excluded]]:
        view = due.view
        assert view.span is not None
        units = {unit.machine_id: unit for unit in due.units if unit.arm is not None}
        told = await read_by_day(self._db, list(units), view.span, view.content)
        half = await read_half(self._db, list(units), view.span, view.content)
        excluded: dict[str, Excluded] = {}
        counts: dict[str, Mapping[int, SoldIn]] = {}
        for one in units:
            in_time = due.in_time.get(one, frozenset())
            counting = {d: sold for d, sold in told[one].items() if d in in_time}
            if 2 * len(in_time) < view.span.days:
                excluded[one] = Excluded.NOT_ACKNOWLEDGED
            elif 2 * len(counting) < view.span.days:
                excluded[one] = Excluded.COULD_NOT_SELL
            else:
                counts[one] = counting
        treated = {one: units[one].treated_days for one in counts}
        places = {one: str(units[one].block) for one in counts}
        found = await asyncio.to_thread(switched, counts, treated, half, places)
        excluded |= dict.fromkeys(counts.keys() - found.keys(), Excluded.COULD_NOT_SELL)
        return list(by_place(found, places).values()), excluded

    async def _cost(self, due: Ripe) -> int:
        """Return what customers paid less, in minor units, because of tried prices; below zero if
        they paid more.
        """
        view = due.view
        if view.content.channel is not Channel.PRICE:
            return 0
        assert view.span is not None
        cost = 0
        for some in parts([unit.machine_id for unit in due.units if unit.arm is not None]):
            cost += await self._db.read(partial(_cost_of, view=view, units=due.units, some=some))
        return cost


def _due(connection: Connection) -> list[Ripe]:
    there_are = running(connection)
    standing = lease.read_standing(connection, NAME)
    if not there_are or standing.making_again or not standing.at_ms:
        return []
    over = day_that_is_over(connection, standing.at_ms)
    return [
        Ripe(
            view=view,
            units=units_of(connection, view.experiment),
            in_time=_in_time(connection, view),
            position=standing.position,
            epoch=standing.epoch,
        )
        for view in there_are
        if view.span is not None and view.span.last <= over
    ]


def _made_again(connection: Connection, due: Ripe) -> bool:
    """Tell whether what was read of sales may have been half of it: whoever has all made again
    takes another epoch for that. One that only follows on has another too, and costs a look more.
    """
    standing = lease.read_standing(connection, NAME)
    return standing.making_again or standing.epoch != due.epoch


def _in_time(connection: Connection, view: ExperimentView) -> dict[str, frozenset[int]]:
    c = experiment_days.c
    rows = connection.execute(
        select(experiment_days).where(c.experiment == view.experiment).order_by(c.machine_id)
    ).all()
    stays: dict[str, list[Stood]] = {}
    for some in parts(sorted({row.machine_id for row in rows})):
        stays |= read_stays(connection, some)
    within_ms = view.content.acknowledged_within_h * HOUR_MS
    found: dict[str, set[int]] = {}
    for row in rows:
        zone = where(stays.get(row.machine_id, ()), row.acknowledged_at_ms).time_zone
        begins = begins_ms(days.as_date(row.d).isoformat(), zone)
        if row.acknowledged_at_ms < begins + within_ms:
            found.setdefault(row.machine_id, set()).add(row.d)
    return {one: frozenset(of) for one, of in found.items()}


def _cost_of(
    connection: Connection, view: ExperimentView, units: Sequence[UnitView], some: Sequence[str]
) -> int:
    assert view.span is not None
    c, tried = sales_days.c, view.content.tried()
    own = read_own_prices(connection, view.experiment, some, tried)
    arms = {unit.machine_id: unit for unit in units}
    cost = 0
    for row in connection.execute(
        select(
            c.machine_id,
            c.d,
            c.product,
            total(c.units).label("units"),
            # What was shown: what an offer took off that is the offer's cost.
            total(c.sales_minor + c.given_back_minor + c.discount_minor).label("shown_minor"),
        )
        .where(
            c.machine_id.in_(some),
            c.d.between(view.span.first, view.span.last),
            c.product.in_(sorted(tried)),
            c.currency == view.content.currency,
        )
        .group_by(c.machine_id, c.d, c.product)
    ):
        if arms[row.machine_id].now(row.d, view.span) is Arm.TREATMENT:
            price = own.on(row.machine_id, row.d, row.product)
            if price is not None:
                cost += shown_less(int(row.units), int(row.shown_minor), price, tried[row.product])
    return cost


def shown_less(units: int, shown_minor: int, own_minor: int, tried_minor: int) -> int:
    """Return how much less was shown for items than they cost before, below zero if more was: not
    more than all of them make at the tried price, and nothing where it went the other way. What
    was sold for another price meanwhile was not the experiment's doing.
    """
    all_of_them = units * (own_minor - tried_minor)
    return sorted((0, units * own_minor - shown_minor, all_of_them))[1]


def _result(
    view: ExperimentView,
    told: Lift | None,
    blocks: int,
    excluded: Mapping[str, Excluded],
    cost: int,
) -> Result:
    why = {one: reason.value for one, reason in sorted(excluded.items())}
    currency = view.content.currency if view.content.channel is Channel.PRICE else ""
    if told is None:
        return Result(
            lift_permille=None,
            low_permille=0,
            high_permille=0,
            p_permille=0,
            blocks=blocks,
            significant=False,
            cost_minor=cost,
            cost_currency=currency,
            excluded=why,
        )
    return Result(
        lift_permille=permille(told.lift),
        low_permille=permille(told.low),
        high_permille=permille(told.high),
        p_permille=math.ceil(1_000 * told.p),
        blocks=told.blocks,
        significant=told.significant,
        cost_minor=cost,
        cost_currency=currency,
        excluded=why,
    )

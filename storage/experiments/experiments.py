"""Experiments as they are kept: made, started, stopped, asked for.

Flows in: what people want, and what was foreseen of it. Flows out: experiments. What is drawn at
the start is rows from then on, and the hash of all that was fixed stands beside them: neither the
days, nor the measure, nor a machine's arm changes while sales come in.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from storage.books.audit_rows import actor_of
from storage.database import dialects
from storage.database.engine import Database
from storage.experiments.audience import in_another
from storage.experiments.content import (
    Arm,
    Channel,
    Content,
    Design,
    LeftOut,
    Result,
    State,
    kept,
    read,
    result_of,
)
from storage.experiments.foreseeing import Foresight
from storage.experiments.history import DaySpan
from storage.insight import days
from storage.lift import assignment, estimate
from storage.office import deeds, playlists, screen_plans
from storage.office.deeds import AlreadyThere, Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.office.selectors import Selector
from storage.tables import experiment_days, experiment_units, experiments
from storage.tables import screen_plans as plans_table

EXPERIMENTS_MAX = 500
"""So many have not ended; those that have ended stay, as what was learnt."""
RUNNING_MAX = 20
"""So many run at once; each gateway looks at all of them."""
PRIORITY = 101
"""Above whatever people plan, so that an arm shows what it was drawn for."""
_E, _U = experiments.c, experiment_units.c


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentView:
    """An experiment. ``pre`` and ``span`` are None until it was started; ``machines`` is how many
    are in it. ``plan_sha256`` is the hash of all that was fixed then.
    """

    experiment: str
    state: State
    content: Content
    detectable_permille: int | None
    created_by: str
    created_at_ms: int
    seed: str = ""
    plan_sha256: str = ""
    pre: DaySpan | None = None
    span: DaySpan | None = None
    started_by: str = ""
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    stop_reason: str = ""
    position: int = 0
    result: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitView:
    """A machine of an experiment: its arm and its block, or why it was left out."""

    machine_id: str
    block: int
    arm: Arm | None
    left_out: LeftOut | None
    treated_days: tuple[int, ...] = ()

    def now(self, d: int, span: DaySpan) -> Arm | None:
        """Return in which arm it is on a local day; None if in none."""
        if self.arm is None or not span.first <= d <= span.last:
            return None
        if self.arm is not Arm.SWITCHES:
            return self.arm
        return Arm.TREATMENT if d in self.treated_days else Arm.CONTROL


class Experiments:
    """The experiments of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(
        self, experiment: str, content: Content, foresight: Foresight, deed: Deed
    ) -> ExperimentView:
        """Keep an experiment; nothing is tried yet. Again with the same content: what is there.
        Raises AlreadyThere, NotPossible (TOO_MANY_EXPERIMENTS).
        """

        def plan(connection: Connection) -> DeedPlan[ExperimentView]:
            found = _found(connection, experiment, lock=deed.locks)
            if found is not None:
                if found.content != content:
                    raise AlreadyThere("experiment", experiment, "something else is to be tried")
                return DeedPlan(result=found)
            of_these = _E.state.in_([State.CREATED.value, State.RUNNING.value])
            count = connection.scalar(select(func.count()).where(of_these)) or 0
            if count >= EXPERIMENTS_MAX:
                raise NotPossible(
                    "TOO_MANY_EXPERIMENTS",
                    f"{count} experiments have not ended, which is the most: StopExperiment those "
                    "that nobody will start",
                )
            made = ExperimentView(
                experiment=experiment,
                state=State.CREATED,
                content=content,
                detectable_permille=foresight.detectable_permille,
                created_by=actor_of(deed.actor).name,
                created_at_ms=deed.now_ms,
            )
            return DeedPlan(
                result=made,
                writes=((insert(experiments), [row_of(made)]),),
                details=(Detail(said=f"experiment {experiment}: {kept(content)}"),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: there(connection, experiment)
        )

    async def start(
        self, experiment: str, foresight: Foresight, first_d: int, seed: str, deed: Deed
    ) -> ExperimentView:
        """Draw who is in which arm, for ever, from the day ``first_d`` on, which is to come
        everywhere. Again: what is there. Raises NotThere, NotPossible (EXPERIMENT_ENDED,
        MACHINES_TAKEN, TOO_FEW_MACHINES, TOO_MANY_EXPERIMENTS).
        """

        def plan(connection: Connection) -> DeedPlan[ExperimentView]:
            if deed.locks:
                dialects.office_alone(connection)  # two with one machine: one of them starts
            before = there(connection, experiment, lock=deed.locks)
            if before.state is State.RUNNING:
                return DeedPlan(result=before)
            check_open(before)
            check_room(connection)
            span = DaySpan(first=first_d, last=days.moved(first_d, before.content.days - 1))
            units = drawn(before.content, foresight, span, seed)
            check_enough(before.content, units)
            _check_free(connection, units)
            after = replace(
                before,
                state=State.RUNNING,
                detectable_permille=foresight.detectable_permille,
                seed=seed,
                pre=foresight.pre,
                span=span,
                plan_sha256=fixed(before.content, foresight.pre, span, seed, units),
                started_by=actor_of(deed.actor).name,
                started_at_ms=deed.now_ms,
            )
            mine = update(experiments).where(_E.experiment == experiment)
            said = (
                f"experiment {experiment}: started, {span.first} to {span.last}, plan "
                f"{after.plan_sha256}"
            )
            plans = [_plan_row(after, arm, deed) for arm in _shown(before.content)]
            return DeedPlan(
                result=after,
                writes=(
                    (mine.values(row_of(after)), ()),
                    (insert(experiment_units), [_unit_row(experiment, one) for one in units]),
                    *(((insert(plans_table), plans),) if plans else ()),
                ),
                details=(Detail(said=said),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: there(connection, experiment)
        )

    async def stop(self, experiment: str, deed: Deed, *, reason: str) -> ExperimentView:
        """End it early, without a result. Raises NotThere, NotPossible (EXPERIMENT_ENDED)."""

        def plan(connection: Connection) -> DeedPlan[ExperimentView]:
            before = there(connection, experiment, lock=deed.locks)
            if before.state is State.STOPPED:
                return DeedPlan(result=before)
            check_open(before)
            after = replace(
                before, state=State.STOPPED, ended_at_ms=deed.now_ms, stop_reason=reason
            )
            mine = update(experiments).where(_E.experiment == experiment)
            return DeedPlan(
                result=after,
                writes=(
                    (mine.values(row_of(after)), ()),
                    *((one, ()) for one in plans_end(after, deed.now_ms)),
                ),
                details=(Detail(said=f"experiment {experiment}: stopped; {reason}"),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: there(connection, experiment)
        )

    async def get(self, experiment: str) -> ExperimentView:
        """Return an experiment. Raises NotThere."""
        return await self._db.read(lambda connection: there(connection, experiment))

    async def page(self, *, after: str = "", limit: int) -> list[ExperimentView]:
        """Return the first experiments behind the name ``after``, in the order of names."""
        rows = select(experiments).where(_E.experiment > after).order_by(_E.experiment).limit(limit)
        return await self._db.read(
            lambda connection: [view_of(row) for row in connection.execute(rows)]
        )

    async def units(
        self, experiment: str, *, after: str = "", limit: int | None = None
    ) -> list[UnitView]:
        """Return the machines of an experiment behind the machine ``after``, those too that were
        left out.
        """
        return await self._db.read(
            lambda connection: units_of(connection, experiment, after=after, limit=limit)
        )

    async def acknowledged_days(
        self, experiment: str, machine_ids: Sequence[str]
    ) -> dict[str, int]:
        """Return on how many days each of these machines had what its arm has."""
        c = experiment_days.c
        rows = (
            select(c.machine_id, func.count().label("days"))
            .where(c.experiment == experiment, c.machine_id.in_(machine_ids))
            .group_by(c.machine_id)
        )
        return await self._db.read(
            lambda connection: {row.machine_id: row.days for row in connection.execute(rows)}
        )


def drawn(content: Content, foresight: Foresight, span: DaySpan, seed: str) -> list[UnitView]:
    """Return every machine with its arm, or why it was left out, in the order of their ids."""
    found = {
        one: UnitView(machine_id=one, block=0, arm=None, left_out=why)
        for one, why in foresight.left_out.items()
    }
    if content.design is Design.PAIRED:
        for unit in foresight.units:
            found[unit.machine_id] = UnitView(
                machine_id=unit.machine_id, block=0, arm=None, left_out=LeftOut.WITHOUT_PAIR
            )
        for block, pair in enumerate(assignment.paired(foresight.units, seed), 1):
            for arm, of in ((Arm.TREATMENT, pair.treated), (Arm.CONTROL, pair.control)):
                for one in of:
                    found[one] = UnitView(machine_id=one, block=block, arm=arm, left_out=None)
    else:
        places = assignment.together(foresight.units)
        treated = assignment.switchback(places, span.first, content.days, seed)
        for block, (place, units) in enumerate(places.items(), 1):
            for unit in units:
                found[unit.machine_id] = UnitView(
                    machine_id=unit.machine_id,
                    block=block,
                    arm=Arm.SWITCHES,
                    left_out=None,
                    treated_days=tuple(treated[place]),
                )
    return [found[one] for one in sorted(found)]


def blocks(units: Sequence[UnitView]) -> int:
    """Return how many pairs, or machines that switch, there are; those of one site are one."""
    return len({unit.block for unit in units if unit.arm is not None})


def check_enough(content: Content, units: Sequence[UnitView]) -> None:
    """Raise NotPossible (TOO_FEW_MACHINES) if no such experiment can say anything."""
    if (number := blocks(units)) < estimate.BLOCKS_MIN:
        in_pairs = content.design is Design.PAIRED
        noun = "pairs of machines" if in_pairs else "machines"
        fewer = ", or a switchback, which needs half of them" if in_pairs else ""
        why = sorted({unit.left_out.value for unit in units if unit.left_out is not None})
        behind = f"; others are left out ({', '.join(why)})" if why else ""
        raise NotPossible(
            "TOO_FEW_MACHINES",
            f"{number} {noun} can be in it, those of one site counted as one, and fewer than "
            f"{estimate.BLOCKS_MIN} say nothing"
            f"{behind}: choose more machines{fewer}",
        )


def fixed(
    content: Content, pre: DaySpan, span: DaySpan, seed: str, units: Sequence[UnitView]
) -> str:
    """Return the hash of all that a start fixes: whoever has the rows can make it again."""
    arms = {
        unit.machine_id: [
            unit.arm.value if unit.arm else "",
            str(unit.block),
            unit.left_out.value if unit.left_out else "",
            *map(str, unit.treated_days),
        ]
        for unit in units
    }
    said = [
        kept(content),
        seed,
        *(str(d) for d in (pre.first, pre.last, span.first, span.last)),
        assignment.digest(arms),
        f"{estimate.CONFIDENCE} {estimate.SIGNIFICANT} {estimate.DRAWS} {estimate.EXACT_MAX}",
    ]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def there(connection: Connection, experiment: str, *, lock: bool = False) -> ExperimentView:
    """Return an experiment. Raises NotThere."""
    found = _found(connection, experiment, lock=lock)
    if found is None:
        raise NotThere("experiment", experiment)
    return found


def running(connection: Connection) -> list[ExperimentView]:
    """Return those that run."""
    rows = select(experiments).where(_E.state == State.RUNNING.value).order_by(_E.experiment)
    return [view_of(row) for row in connection.execute(rows)]


def units_of(
    connection: Connection, experiment: str, *, after: str = "", limit: int | None = None
) -> list[UnitView]:
    """Return its machines behind the machine ``after``."""
    rows = select(experiment_units).where(_U.experiment == experiment, _U.machine_id > after)
    return [
        UnitView(
            machine_id=row.machine_id,
            block=row.block,
            arm=Arm(row.arm) if row.arm else None,
            left_out=LeftOut(row.left_out) if row.left_out else None,
            treated_days=tuple(json.loads(row.treated_days)),
        )
        for row in connection.execute(rows.order_by(_U.machine_id).limit(limit))
    ]


def plan_code(experiment: str, arm: Arm) -> str:
    """Return the screen plan by which an arm is shown its playlist."""
    return f"{playlists.OF_EXPERIMENT}{experiment}-{arm.lower()}"


def plans_end(view: ExperimentView, now_ms: int) -> list[Any]:
    """Return what ends the screen plans of an experiment."""
    codes = [plan_code(view.experiment, arm) for arm in _shown(view.content)]
    ended = update(plans_table).where(
        plans_table.c.plan.in_(codes), plans_table.c.ended_at_ms.is_(None)
    )
    return [ended.values(ended_at_ms=now_ms)] if codes else []


def _shown(content: Content) -> Mapping[Arm, str]:
    """Return the playlist of each arm that has one of its own."""
    if content.channel is not Channel.PLAYLIST:
        return {}
    both = {Arm.TREATMENT: content.playlist, Arm.CONTROL: content.control_playlist}
    return {arm: playlist for arm, playlist in both.items() if playlist}


def _plan_row(view: ExperimentView, arm: Arm, deed: Deed) -> dict[str, Any]:
    assert view.span is not None
    # The last day is over by then by every clock on earth.
    over_ms = days.as_date(view.span.last).toordinal() - days.as_date(19700101).toordinal() + 2
    return screen_plans.row_of(
        screen_plans.PlanView(
            plan=plan_code(view.experiment, arm),
            content=screen_plans.PlanContent(
                selector=Selector(),  # storage.experiments.arms says day by day who
                playlist=_shown(view.content)[arm],
                days=0b111_1111,
                from_minute=0,
                to_minute=1_440,
                priority=PRIORITY,
                not_after_ms=over_ms * 86_400_000,
            ),
            created_by=actor_of(deed.actor).name,
            created_at_ms=deed.now_ms,
        )
    )


def check_room(connection: Connection) -> None:
    """Raise NotPossible (TOO_MANY_EXPERIMENTS) if as many run as may."""
    running = select(func.count()).where(_E.state == State.RUNNING.value)
    if (connection.scalar(running) or 0) >= RUNNING_MAX:
        raise NotPossible(
            "TOO_MANY_EXPERIMENTS",
            f"{RUNNING_MAX} experiments run, which is the most: wait until one has ended",
        )


def check_open(view: ExperimentView) -> None:
    """Raise NotPossible (EXPERIMENT_ENDED) of one that was stopped or has ended."""
    if view.state in {State.STOPPED, State.ENDED}:
        raise NotPossible(
            "EXPERIMENT_ENDED",
            f"experiment {view.experiment} has ended, and its name means for ever what it meant: "
            "make another one",
            experiment=view.experiment,
        )


def _check_free(connection: Connection, units: Sequence[UnitView]) -> None:
    """Refuse machines that were free when this was foreseen and are in another one now: what each
    of the two measured would be the other's work too.
    """
    taken = {unit.machine_id for unit in units if unit.arm is not None} & in_another(connection)
    if taken:
        raise NotPossible(
            "MACHINES_TAKEN",
            f"another experiment has just started with {len(taken)} of these machines: start this "
            "one again, and they are left out of it",
        )


def _found(connection: Connection, experiment: str, *, lock: bool = False) -> ExperimentView | None:
    wanted = select(experiments).where(_E.experiment == experiment)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else view_of(row)


def row_of(view: ExperimentView) -> dict[str, Any]:
    """Return the row of an experiment."""
    pre, span = view.pre or DaySpan(first=0, last=0), view.span or DaySpan(first=0, last=0)
    return {
        "experiment": view.experiment,
        "state": view.state.value,
        "content": kept(view.content),
        "seed": view.seed,
        "plan_sha256": view.plan_sha256,
        "detectable_permille": view.detectable_permille,
        "pre_first_d": pre.first,
        "pre_last_d": pre.last,
        "first_d": span.first,
        "last_d": span.last,
        "created_by": view.created_by,
        "created_at_ms": view.created_at_ms,
        "started_by": view.started_by,
        "started_at_ms": view.started_at_ms,
        "ended_at_ms": view.ended_at_ms,
        "stop_reason": view.stop_reason,
        "position": view.position,
        "result": "" if view.result is None else view.result.kept(),
    }


def view_of(row: Row[Any]) -> ExperimentView:
    """Return the experiment of a row."""
    return ExperimentView(
        experiment=row.experiment,
        state=State(row.state),
        content=read(row.content),
        detectable_permille=row.detectable_permille,
        created_by=row.created_by,
        created_at_ms=row.created_at_ms,
        seed=row.seed,
        plan_sha256=row.plan_sha256,
        pre=DaySpan(first=row.pre_first_d, last=row.pre_last_d) if row.pre_first_d else None,
        span=DaySpan(first=row.first_d, last=row.last_d) if row.first_d else None,
        started_by=row.started_by,
        started_at_ms=row.started_at_ms,
        ended_at_ms=row.ended_at_ms,
        stop_reason=row.stop_reason,
        position=row.position,
        result=result_of(row.result),
    )


def _unit_row(experiment: str, unit: UnitView) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "machine_id": unit.machine_id,
        "block": unit.block,
        "arm": unit.arm.value if unit.arm else "",
        "left_out": unit.left_out.value if unit.left_out else "",
        "treated_days": json.dumps(unit.treated_days, separators=(",", ":")),
    }

"""What the machines of experiments are to have now, by their own local day, and which of them were
seen to have it.

Flows in: the time. Flows out: the arm of each machine, and rows: the screen plans of an arm name
the machines that are in it today, and ``experiment_days`` those that acknowledged it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, or_, select, update

from storage.database import dialects
from storage.database.engine import Database
from storage.experiments.content import Arm, Channel
from storage.experiments.experiments import ExperimentView, plan_code, running, units_of
from storage.experiments.history import parts
from storage.insight import days
from storage.insight.local_time import HOUR_MS, local_hour
from storage.insight.places import Stood, read_stays, where
from storage.office.screen_plans import said_selector
from storage.office.selectors import Selector
from storage.office.stays import begins_ms
from storage.tables import (
    experiment_days,
    experiment_prices,
    planogram_columns,
    planogram_waits,
    screen_plans,
)

_D, _P = experiment_days.c, experiment_prices.c


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitNow:
    """A machine's local day, and the arm in which it is on it; ``key_d`` is the day under which its
    acknowledgement is kept.
    """

    arm: Arm
    d: int
    key_d: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """An experiment that runs, the machines that are in an arm today, ``at_ms``, and those of them
    of which no acknowledgement is kept yet and one would still be in time.
    """

    view: ExperimentView
    at_ms: int
    units: Mapping[str, UnitNow] = field(default_factory=dict)
    open: frozenset[str] = frozenset()

    def of(self, arm: Arm) -> list[str]:
        """Return the machines in an arm."""
        return sorted(one for one, unit in self.units.items() if unit.arm is arm)


class Arms:
    """Asks a database and writes. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def now(self, now_ms: int) -> list[Now]:
        """Return all experiments that run, as they are at this time."""
        return [
            await self._db.read(partial(_now, view=view, now_ms=now_ms))
            for view in await self._db.read(running)
        ]

    async def plan_screens(self, now: Now) -> bool:
        """Let the screen plans of an experiment mean the machines that are in its arms today;
        return whether one meant others before.
        """
        if now.view.content.channel is not Channel.PLAYLIST:
            return False

        def work(connection: Connection) -> bool:
            changed = 0
            for arm in (Arm.TREATMENT, Arm.CONTROL):
                said = said_selector(Selector(machine_ids=tuple(now.of(arm))))
                mine = screen_plans.c.plan == plan_code(now.view.experiment, arm)
                differs = select(screen_plans.c.plan).where(mine, screen_plans.c.selector != said)
                if connection.execute(differs).first() is not None:
                    connection.execute(update(screen_plans).where(mine).values(selector=said))
                    changed += 1
            return changed > 0

        return await self._db.write(work)

    async def acknowledged(self, now: Now, machine_ids: Collection[str], now_ms: int) -> None:
        """Keep that these machines have what their arm has today."""
        for some in parts(sorted(now.open.intersection(machine_ids))):
            rows = [
                {
                    "experiment": now.view.experiment,
                    "machine_id": one,
                    "d": now.units[one].key_d,
                    "acknowledged_at_ms": now_ms,
                }
                for one in some
            ]
            await self._db.write(partial(_keep, rows=rows))

    async def priced(self, now: Now) -> set[str]:
        """Return the machines of an experiment with prices whose customers see, and pay, what their
        arm costs: the tried price is in force where it is to be and nowhere else, and the machine
        has acknowledged its planogram.
        """

        def work(connection: Connection) -> set[str]:
            tried = tried_now(connection, now.view.experiment)
            waits = _priced_otherwise(connection, now.view.experiment)
            for some in parts(sorted(now.units)):
                waiting = planogram_waits.c.machine_id
                waits.update(connection.scalars(select(waiting).where(waiting.in_(some))))
            return {
                one
                for one, unit in now.units.items()
                if one not in waits and (one in tried) == (unit.arm is Arm.TREATMENT)
            }

        return await self._db.read(work)


def _keep(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    keys = ["experiment", "machine_id", "d"]
    connection.execute(
        dialects.insert_or_ignore(connection.dialect.name, experiment_days, keys), rows
    )


def tried_now(connection: Connection, experiment: str) -> set[str]:
    """Return the machines at which an experiment's prices are in force."""
    rows = select(_P.machine_id).where(_P.restored_at_ms.is_(None), _P.experiment == experiment)
    return set(connection.scalars(rows.distinct()))


def _priced_otherwise(connection: Connection, experiment: str) -> set[str]:
    """Return the machines at which somebody has priced or filled a column otherwise since."""
    c = planogram_columns.c
    there = (c.machine_id == _P.machine_id) & (c.column == _P.column)
    rows = (
        select(_P.machine_id)
        .select_from(experiment_prices.outerjoin(planogram_columns, there))
        .where(
            _P.experiment == experiment,
            _P.restored_at_ms.is_(None),
            or_(
                c.product.is_(None),
                c.product != _P.product,
                c.price_minor != _P.tried_price_minor,
            ),
        )
    )
    return set(connection.scalars(rows.distinct()))


def _now(connection: Connection, view: ExperimentView, now_ms: int) -> Now:
    assert view.span is not None
    units = [one for one in units_of(connection, view.experiment) if one.arm is not None]
    stays: dict[str, list[Stood]] = {}
    for some in parts([unit.machine_id for unit in units]):
        stays |= read_stays(connection, some)
    within_ms = view.content.acknowledged_within_h * HOUR_MS
    found, late = {}, set()
    for unit in units:
        zone = where(stays.get(unit.machine_id, ()), now_ms).time_zone
        d = local_hour(now_ms, zone).d
        arm = unit.now(d, view.span)
        if arm is not None:
            key_d = d if unit.arm is Arm.SWITCHES else view.span.first
            found[unit.machine_id] = UnitNow(arm=arm, d=d, key_d=key_d)
            if now_ms >= begins_ms(days.as_date(key_d).isoformat(), zone) + within_ms:
                late.add(unit.machine_id)
    rows = select(_D.machine_id, _D.d).where(
        _D.experiment == view.experiment, _D.d.in_({unit.key_d for unit in found.values()})
    )
    kept = {(row.machine_id, row.d) for row in connection.execute(rows)}
    return Now(
        view=view,
        at_ms=now_ms,
        units=found,
        open=frozenset(
            one for one, unit in found.items() if one not in late and (one, unit.key_d) not in kept
        ),
    )

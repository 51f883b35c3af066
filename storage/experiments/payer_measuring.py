"""What came of an experiment with an offer: what the payers of both arms spent in its days, by what
was fixed at its start. Whom the offer was given counts, whether they used it or not.

Who was erased since is not there. The cost is what the offer took off in these days, of all who
used it, as ``GetOffer`` tells it by day: two figures that differ by some payers alone would be one
of these.
"""

import asyncio
import math
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, or_, select

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.experiments.content import Arm, Result
from storage.experiments.experiments import ExperimentView
from storage.experiments.history import DaySpan
from storage.experiments.offered import terms_of
from storage.experiments.payers import UnitSum, read_units
from storage.insight.rollups import ScopeKind
from storage.insight.suppression import Gate
from storage.insight.tagging import day_that_is_over
from storage.lift.estimate import Lift, permille
from storage.lift.payers import PayerSpent, judged
from storage.offers import offers as office
from storage.offers.content import OfferView
from storage.tables import experiment_offers, scope_offers, tag_rules


class _Tried(NamedTuple):
    view: OfferView
    drawn: int
    cost_minor: int


def why_another(connection: Connection, view: ExperimentView) -> str:
    """Return why what was tried is not what was fixed at the start, '' if it is. This program lets
    nobody change it, and stops the experiment with the offer; a gateway of the release before,
    which knows of no experiment with an offer, does neither.
    """
    row = _drawn(connection, view.experiment)
    assert row is not None
    assert view.span is not None
    offer = office.there(connection, row.offer)
    # Who ends an offer that is over by itself, or behind the last day, changes nothing of it.
    ended_ms = min(offer.ended_at_ms or offer.content.ends_at_ms, offer.content.ends_at_ms)
    early = ended_ms < offer.content.ends_at_ms
    if early and view.span.last > day_that_is_over(connection, ended_ms):
        return f"offer {row.offer} was ended by a gateway of the release before"
    if terms_of(offer.content) != row.terms or _is_another_tag(
        connection, offer.content.tag, row.tag_version, view
    ):
        return f"offer {row.offer}, or its tag, was changed by a gateway of the release before"
    return ""


def _is_another_tag(
    connection: Connection, tag: str, version: int | None, view: ExperimentView
) -> bool:
    """Whether a tag was retired, or its rule is not of the version with which it began. Times of
    two gateways tell nothing of that, unless nothing else is known: it was started by a program
    that did not write the version.
    """
    c = tag_rules.c
    later = c.created_at_ms > view.started_at_ms if version is None else c.version > version
    changed = select(c.version).where(c.tag == tag, or_(later, c.ended_at_ms.is_not(None)))
    return connection.scalar(changed.limit(1)) is not None


async def result_of_payers(db: Database, view: ExperimentView, gate: Gate) -> Result:
    """Return what came of it; its end day is over and told. Raises StoreError."""
    span = view.span
    assert span is not None
    tried = await db.read(lambda connection: _tried(connection, view.experiment, span))
    content = tried.view.content
    units = await read_units(db, view.experiment, span, content.currency)
    arms = [unit.arm for unit in units]
    treated, control = (arms.count(arm.value) for arm in (Arm.TREATMENT, Arm.CONTROL))
    told = None
    if gate.count(min(treated, control)) is not None:
        told = await asyncio.to_thread(_judged, units, content.holdout_percent, view.seed)
    return Result(
        lift_permille=None if told is None else permille(told.lift),
        low_permille=0 if told is None else permille(told.low),
        high_permille=0 if told is None else permille(told.high),
        p_permille=0 if told is None else math.ceil(1_000 * told.p),
        blocks=0,
        significant=told is not None and told.significant,
        cost_minor=tried.cost_minor,
        cost_currency=content.currency,
        excluded={},
        treated_payers=gate.count(treated),
        control_payers=gate.count(control),
        erased_payers=gate.count(tried.drawn - len(units)),
        used_up=tried.view.leaves_no_use,
    )


async def payers_drawn(db: Database, experiment: str, gate: Gate) -> tuple[int | None, int | None]:
    """Return how many payers are offered what is tried and how many are held out, as it was drawn;
    None: nobody was drawn yet, or too few are told of.
    """
    row = await db.read(lambda connection: _drawn(connection, experiment))
    return (None, None) if row is None else (gate.count(row.treated), gate.count(row.control))


def _drawn(connection: Connection, experiment: str) -> Row[Any] | None:
    rows = select(experiment_offers).where(experiment_offers.c.experiment == experiment)
    return connection.execute(rows).one_or_none()


def _tried(connection: Connection, experiment: str, span: DaySpan) -> _Tried:
    row = _drawn(connection, experiment)
    assert row is not None
    view, c = office.there(connection, row.offer), scope_offers.c
    cost = select(total(c.discount_minor)).where(
        c.scope == ScopeKind.FLEET.value,
        c.name == "",
        c.d.between(span.first, span.last),
        c.offer == row.offer,
        c.currency == view.content.currency,
    )
    return _Tried(
        view=view, drawn=row.treated + row.control, cost_minor=int(connection.scalar(cost) or 0)
    )


def _judged(units: list[UnitSum], percent: int, seed: str) -> Lift | None:
    arms: dict[str, list[PayerSpent]] = {arm.value: [] for arm in (Arm.TREATMENT, Arm.CONTROL)}
    for unit in units:
        arms[unit.arm].append(PayerSpent(unit.before, unit.during))
    return judged(arms[Arm.TREATMENT.value], arms[Arm.CONTROL.value], percent, seed)

"""The start of an experiment with an offer: who is in it, in which arm, and what each had spent
before are rows from then on, under one hash with all else that was fixed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, insert, update

from storage.books.audit_rows import actor_of
from storage.database import dialects
from storage.database.engine import Database
from storage.experiments.content import Arm, Content, State, kept
from storage.experiments.experiments import (
    ExperimentView,
    check_open,
    check_room,
    row_of,
    there,
)
from storage.experiments.history import DaySpan
from storage.experiments.offered import TriedOffer, first_day, to_be_tried
from storage.experiments.payer_foreseeing import PayerForesight, PayerUnit, check_enough
from storage.experiments.payers import parts_of
from storage.insight import days
from storage.insight.suppression import Gate
from storage.insight.tagging import still_known
from storage.lift import estimate, payers
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, Write
from storage.tables import experiment_offers, experiment_payers, experiments


class PayerStarts:
    """Writes a database. Raises StoreError when it does not answer, and RequestInProgress."""

    def __init__(self, db: Database, gate: Gate) -> None:
        self._db = db
        self._gate = gate

    async def start(
        self, experiment: str, foresight: PayerForesight, seed: str, deed: Deed
    ) -> ExperimentView:
        """Let an offer be tried, from the day on which it begins. Again: what is there. Raises
        NotThere, NotPossible (EXPERIMENT_ENDED, TOO_MANY_EXPERIMENTS, TOO_FEW_PAYERS,
        NOT_EVALUATED, as ``to_be_tried`` and ``first_day``).
        """

        def plan(connection: Connection) -> DeedPlan[ExperimentView]:
            if deed.locks:
                dialects.office_alone(connection)  # two with one offer: one of them starts
            before = there(connection, experiment, lock=deed.locks)
            if before.state is State.RUNNING:
                return DeedPlan(result=before)
            check_open(before)
            check_room(connection)
            offer = before.content.offer
            tried = to_be_tried(connection, offer, deed.now_ms, lock=deed.locks)
            _check_same_tag(foresight.tried, tried)
            first = first_day(connection, tried, deed.now_ms)
            units = foresight.units
            if deed.locks:
                # Who was erased since they were read is not written down again.
                known = still_known(connection, [unit.payer_id for unit in units])
                units = tuple(unit for unit in units if unit.payer_id in known)
            arms = [unit.arm for unit in units]
            treated, control = arms.count(Arm.TREATMENT), arms.count(Arm.CONTROL)
            check_enough(min(treated, control), self._gate)
            span = DaySpan(first=first, last=days.moved(first, before.content.days - 1))
            after = replace(
                before,
                state=State.RUNNING,
                detectable_permille=foresight.detectable_permille,
                seed=seed,
                pre=foresight.pre,
                span=span,
                plan_sha256=fixed_with_payers(
                    before.content, tried, foresight.pre, span, seed, units
                ),
                started_by=actor_of(deed.actor).name,
                started_at_ms=deed.now_ms,
            )
            said = (
                f"experiment {experiment}: started with offer {offer}, {span.first} to "
                f"{span.last}, plan {after.plan_sha256}"
            )
            return DeedPlan(
                result=after,
                writes=_writes(after, tried, units, treated, control),
                details=(Detail(said=said),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: there(connection, experiment)
        )


def _check_same_tag(seen: TriedOffer, tried: TriedOffer) -> None:
    if seen.tag_version != tried.tag_version:
        raise NotPossible(
            "NOT_EVALUATED",
            f"tag {tried.content.tag} got another rule while its payers were looked for: start the "
            "experiment again",
            tag=tried.content.tag,
        )


def _writes(
    after: ExperimentView,
    tried: TriedOffer,
    units: Sequence[PayerUnit],
    treated: int,
    control: int,
) -> tuple[Write, ...]:
    mine = update(experiments).where(experiments.c.experiment == after.experiment)
    offered = {
        "experiment": after.experiment,
        "offer": tried.offer,
        "terms": tried.terms(),
        "tag_version": tried.tag_version,
        "treated": treated,
        "control": control,
    }
    rows = [
        {
            "experiment": after.experiment,
            "payer_id": unit.payer_id,
            "arm": unit.arm.value,
            "before_minor": unit.before_minor,
        }
        for unit in units
    ]
    return (
        (mine.values(row_of(after)), ()),
        (insert(experiment_offers), [offered]),
        *((insert(experiment_payers), some) for some in parts_of(rows)),
    )


def fixed_with_payers(
    content: Content,
    tried: TriedOffer,
    pre: DaySpan,
    span: DaySpan,
    seed: str,
    units: Sequence[PayerUnit],
) -> str:
    """Return the hash of all that a start fixes: whoever has the rows can make it again, until
    somebody of them is erased.
    """
    arms = hashlib.sha256()
    for unit in units:
        arms.update(f"{unit.payer_id} {unit.arm.value} {unit.before_minor}\n".encode())
    said = [
        kept(content),
        tried.offer,
        tried.terms(),
        seed,
        *([] if tried.tag_version is None else [f"version {tried.tag_version}"]),
        *(str(d) for d in (pre.first, pre.last, span.first, span.last)),
        arms.hexdigest(),
        f"{estimate.CONFIDENCE} {estimate.SIGNIFICANT} {estimate.DRAWS} {payers.ARM_MIN}",
    ]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
